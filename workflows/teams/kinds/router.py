"""Router: one classification, one destination."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Name, Schema, Text, WireModel
from activities.contracts.grants import ArgumentRule
from workflows.teams.kinds.base import Part, PatternBase, Share, choice, record, share, text

if TYPE_CHECKING:
    from workflows.teams.tree import Node


class RouteRule(WireModel):
    """A rule: where everything that it names holds, the label is found without a model."""

    to: Name
    """The label."""
    pattern: Annotated[str, Field(max_length=500)] = ""
    """A regular expression that occurs in one of the texts of what is routed: RE2's syntax, upper and lower case alike.
    Of each text the first 16,384 characters are looked at, of all together 262,144, and at most 1,024 texts."""
    fields: Annotated[dict[Name, ArgumentRule], Field(max_length=32)] = {}
    """Conditions on fields of an input that is an object; on any other input none holds."""


class Route(WireModel):
    """One destination."""

    node: "Node"
    description: Text = ""
    """What belongs here; the classifier reads it."""


class RouterNode(PatternBase):
    """Rules first, then a classifier; what it is sure of goes to one destination, whose output is the router's.

    What is routed is the input that the router is given, and the goal where it is given none.
    """

    kind: Literal["router"] = "router"
    name: Name = "router"
    routes: Annotated[dict[Name, Route], Field(min_length=1, max_length=32)]
    """Destinations by label."""
    rules: Annotated[tuple[RouteRule, ...], Field(max_length=100)] = ()
    """The first that holds decides."""
    classifier: "Node | None" = None
    """Asked where no rule holds: ``{label, confidence, reason}``. A call may take ``$goal`` and ``$input``."""
    threshold: Share = 0.7
    """Confidence below which the classifier's label does not count."""
    default: Name | None = None
    """The label of what nobody is sure of, a failed classifier included. Absent: the person of ``escalate`` chooses the
    label, and without one the router fails."""

    def parts(self) -> tuple[Part, ...]:
        """The classifier, and one of the destinations."""
        found = []
        if self.classifier:
            least = 0 if self.rules or self.default or self.escalate else 1
            offers, answers = ("input",), labelled(self)
            found.append(Part("classifier", self.classifier, 1, least, "", offers, answers, "classify"))
        before = ("classifier",) if self.classifier else ()
        for label, route in self.routes.items():
            place = f"routes.{label}.node"
            found.append(Part(place, route.node, 1, 1, "routes", ("input", "label"), None, f"to-{label}", before))
        return tuple(found)


def labelled(node: RouterNode) -> Schema:
    """What a classifier answers."""
    return record(
        {
            "label": choice(tuple(node.routes), "Where it belongs."),
            "confidence": share("How sure you are: 0 not at all, 1 certain."),
        },
        {"reason": text("Why, in one sentence.", longest=500, least=0)},
    )
