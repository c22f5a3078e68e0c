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
    """A regular expression that occurs in what is routed, as text; RE2's syntax, case-insensitive."""
    fields: Annotated[dict[Name, ArgumentRule], Field(max_length=32)] = {}
    """Conditions on fields of an input that is an object."""


class Route(WireModel):
    """One destination."""

    node: "Node"
    description: Text = ""
    """What belongs here; the classifier reads it."""


class RouterNode(PatternBase):
    """Rules first, then a classifier; what it is sure of goes to one destination."""

    kind: Literal["router"] = "router"
    name: Name = "router"
    routes: Annotated[dict[Name, Route], Field(min_length=1, max_length=32)]
    """Destinations by label."""
    rules: Annotated[tuple[RouteRule, ...], Field(max_length=100)] = ()
    """The first that holds decides."""
    classifier: "Node | None" = None
    """Asked where no rule holds: ``{label, confidence, reason}``. Absent: the default."""
    threshold: Share = 0.7
    """Confidence below which the classifier's label does not count."""
    default: Name | None = None
    """The label of what nobody is sure of. Absent: ``escalate`` decides on the label, and without it the router fails."""

    def parts(self) -> tuple[Part, ...]:
        """The classifier, and one of the destinations."""
        found = []
        if self.classifier:
            least = 0 if self.rules or self.default else 1
            found.append(
                Part(
                    "classifier", self.classifier, 1, least, offers=("input",), answers=labelled(self), step="classify"
                )
            )
        before = ("classifier",) if self.classifier else ()
        for label, route in self.routes.items():
            place = f"routes.{label}.node"
            found.append(Part(place, route.node, 1, 1, "routes", offers=("input", "label"), step=label, before=before))
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
