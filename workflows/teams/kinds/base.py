"""What every node may say of its place in the tree, and what a pattern says of the parts that it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import Field, JsonValue

from activities.contracts.base import Line, Name, Schema, WireModel
from activities.contracts.grants import Grants
from activities.errors import ConfigurationInvalid
from workflows.teams.budget_spec import BudgetSpec

if TYPE_CHECKING:
    from workflows.teams.kinds.pipeline import PipelineNode
    from workflows.teams.kinds.sameness import Comparisons
    from workflows.teams.kinds.single import PersonNode
    from workflows.teams.tree import Fallback, Node

Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Share = Annotated[float, Field(ge=0, le=1)]
Tier = Literal["small", "mid", "frontier", "local"]


@dataclass(frozen=True)
class Part:
    """One place of a pattern: the node in it, and what the pattern makes of it.

    Everything that has to be known of a pattern before it runs follows from its parts: bounds, worst case, what calls may
    name, what agents have to answer, and how it is drawn.
    """

    place: str
    """Where it stands in the file, below the pattern: ``stages.0``, ``workers.fact.node``."""
    node: "Node"
    most: int = 1
    """Times that it is run at most."""
    least: int = 0
    """Times that it is run in every run that ends well. Of a ``group``: as often one of its parts is."""
    group: str = ""
    """Parts of one group are alternatives: each time one of them is run. ``most`` and ``least`` are the group's."""
    offers: tuple[str, ...] = ()
    """What its arguments may name as ``$name``, besides ``$goal`` and what it needs. ``*``: anything."""
    answers: Schema | None = None
    """What it has to answer. An agent in such a place gets it as its output contract, and does no other work."""
    step: str = ""
    """The longest last part of its steps' paths; ``<place>.1000`` where empty."""
    before: tuple[str, ...] = ()
    """Places of the parts whose results it gets: arrows in a drawing."""
    at_once: int | None = None
    """Times that it is run at most before its pattern may continue as new; ``most`` where absent."""
    key: str = ""
    """Under which its output is committed, where that is known before it runs: the parts that get it may need it."""

    plays: str = ""
    """What it is to the pattern, where the first word of its place does not say so."""
    again: str = ""
    """What the pattern would have to say to run it once, such as ``rounds: 0``. Without that it is run again, up to ``most``
    times, although it has done its work: what it does to the world it does each time. Empty: only for other work, or after
    a failure, and then never after an effect."""
    outer: bool = False
    """It is not written in this place as a node of its own: the places of its parts are counted from the pattern's own."""

    @property
    def role(self) -> str:
        """What it is to the pattern: the first word of its place, unless it says otherwise."""
        return self.plays or self.place.partition(".")[0]


class NodeBase(WireModel):
    """What every kind of node may say about its place in the tree. ``workflows.nodes.run_node`` sees to all of it."""

    key: Name | None = None
    """Under which its output is committed to the run's state, and its part of the path in a pipeline; its name where
    absent."""
    input: Schema | None = None
    """JSON Schema of what it is given, checked before it starts."""
    needs: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    """Keys of the run's state that it is given besides its task. Nothing else of the state reaches it."""
    context: Literal["node", "full"] = "node"
    """What of the handoff enters an agent's prompt: its task and constraints alone, or goal, decisions and summary too."""
    timeout_seconds: Seconds | None = None
    """Bound of this step: not done and not failed by then, it is ended and reported."""
    budget: BudgetSpec | None = None
    """What it and everything below it may use."""
    grants: Grants | None = None
    """The tools that may be used from here on down, each under its conditions; absent: no narrowing."""
    constraints: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    """What holds for it and everything below it."""
    critical: bool = True
    """``False``: where it fails its pattern goes on without it, and the result names what is missing."""
    fallback: "Fallback | None" = None
    """What stands in where it fails: another node, or a constant, a skip, or the same agent on another tier."""

    def parts(self) -> tuple[Part, ...]:
        """The nodes that it runs, in the order of the file; a single step has none."""
        return ()

    def __rshift__(self, other: "Node") -> "PipelineNode":
        """``a >> b``: one pipeline of all stages in a row; a pipeline that says anything of its own stays one of them.

        Raises:
            ConfigurationInvalid: what follows is no node.
        """
        from workflows.teams.kinds.pipeline import PipelineNode  # noqa: PLC0415 -- it is a node itself

        if not isinstance(other, NodeBase):
            raise ConfigurationInvalid(
                f"a stage of a pipeline is a node, not {other!r}"[:200],
                fix="chain nodes, as in agent('a') >> call('b')",
            )
        stages: list[Node] = []
        for node in (self, other):
            plain = isinstance(node, PipelineNode) and node == PipelineNode(stages=node.stages)
            stages += cast("PipelineNode", node).stages if plain else (cast("Node", node),)
        return PipelineNode(stages=tuple(stages))


class PatternBase(NodeBase):
    """A node that runs others."""

    kind: str
    name: Name
    """Unlike that of any other node or agent of the team."""
    seconds: Seconds = 3600.0
    """From its start to its end."""
    escalate: "PersonNode | None" = None
    """Who gets a step that failed for good, and what the pattern itself cannot decide: the person's answer takes its place."""

    def times(self, group: str) -> int:
        """How often the parts of a group are run at most, all of them together."""
        return max((part.most for part in self.parts() if part.group == group), default=0)

    def decides(self) -> Schema | None:
        """What the person of ``escalate`` is asked where the pattern itself cannot decide, as a JSON Schema.

        Nothing where that is known only then. A constant that stands in for the person is held to it before the run.
        """
        return None

    def has_drafts(self) -> bool:
        """Whether it ever puts something to the person of ``escalate`` that can be passed on as it is."""
        return False

    def comparisons(self) -> "Comparisons | None":
        """What it compares by an embedding model; nothing where it asks none."""
        return None


class ConstantFallback(WireModel):
    """A fixed output."""

    kind: Literal["constant"] = "constant"
    value: JsonValue = None


class SkipFallback(WireModel):
    """Nothing: the result names it as missing."""

    kind: Literal["skip"] = "skip"


class TierFallback(WireModel):
    """The same agent, on models of another tier."""

    kind: Literal["tier"] = "tier"
    tier: Tier


def record(required: dict[str, JsonValue], optional: dict[str, JsonValue] | None = None) -> Schema:
    """A closed JSON Schema of an object."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def text(description: str = "", *, longest: int = 8000, least: int = 1) -> dict[str, JsonValue]:
    """The JSON Schema of a text."""
    return {"type": "string", "minLength": least, "maxLength": longest, "description": description}


def share(description: str) -> dict[str, JsonValue]:
    """The JSON Schema of a number from 0 to 1."""
    return {"type": "number", "minimum": 0, "maximum": 1, "description": description}


def choice(names: tuple[str, ...], description: str = "") -> dict[str, JsonValue]:
    """The JSON Schema of one of these names."""
    return {"type": "string", "enum": list(names), "description": description}


def listed(items: dict[str, JsonValue], *, most: int, least: int = 0, description: str = "") -> dict[str, JsonValue]:
    """The JSON Schema of a list."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, "description": description}
