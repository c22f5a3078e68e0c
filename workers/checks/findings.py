"""What a check says, and the team as the checks see it: every node with its place in the file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from activities.tools.base import Tool
from workflows.contracts import NodePlan
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, Node, Part, TeamSpec, TierFallback, inner_nodes, node_name

At = tuple[str, ...]
"""A place in a team file: the fields and positions from the top."""


class Weight(StrEnum):
    """What follows from a finding."""

    BROKEN = "broken"
    """It cannot work: no run is admitted."""
    ERROR = "error"
    """Nobody can have meant it: ``ostinato check`` and ``ostinato run`` refuse it. What runs in spite of it does no harm."""
    WARNING = "warning"
    """Worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    at: At
    message: str
    """One sentence."""
    fix: str
    weight: Weight = Weight.BROKEN


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Place:
    """One node of a team, where it stands."""

    at: At
    node: Node
    parts: tuple[str, ...]
    """The longest path that a step of it has: what the keys of its records begin with."""
    above: "Place | None" = None
    role: str = "root"
    """What it is to the node above: ``stages``, ``workers``, ``planner``, ``fallback`` and so on."""
    part: Part | None = None
    """What the pattern above makes of it; nothing of a root, a fallback, and of who it escalates to."""

    @property
    def is_same(self) -> bool:
        """Whether it is written elsewhere: the node above it on another tier, whom a manager escalates to."""
        if self.above is None:
            return False
        same = isinstance(self.above.node.fallback, TierFallback) if self.role == "fallback" else self.above.is_outer
        return same and self.role in {"fallback", "escalate"}

    @property
    def is_outer(self) -> bool:
        """Whether the places of its parts are counted from the pattern above it."""
        return self.part is not None and self.part.outer

    @property
    def base(self) -> At:
        """Where the places of its parts are counted from."""
        return self.above.base if self.is_outer and self.above else self.at

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"the {self.node.kind} {node_name(self.node)!r}"

    @property
    def chain(self) -> "Iterator[Place]":
        """The places above it, nearest first."""
        place = self.above
        while place:
            yield place
            place = place.above


@dataclass(frozen=True)
class TeamView:
    """A team and what is known of where it will run."""

    team: TeamSpec
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """The deployment's tools, by name."""
    knows_tools: bool = False
    """Whether ``tools`` are all that there are."""
    plans: Mapping[str, NodePlan] = field(default_factory=dict)
    tool_seconds: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every node, in the order of the file."""
        return tuple(_places(self.team, Place(("root",), self.team.root, (node_name(self.team.root),))))

    @cached_property
    def agents_in_tree(self) -> dict[str, list[Place]]:
        """The places of each agent that the tree names."""
        found: dict[str, list[Place]] = {}
        for place in self.places:
            if isinstance(place.node, AgentNode):
                found.setdefault(place.node.agent, []).append(place)
        return found

    def tools_of(self, node: Node) -> tuple[str, ...]:
        """The tools that one node itself may call."""
        if isinstance(node, AgentNode):
            return self.team.agents[node.agent].tools if node.agent in self.team.agents else ()
        return (node.tool,) if node.kind == "call" else ()


Check = Callable[[TeamView], Findings]


def _places(team: TeamSpec, place: Place) -> Iterator[Place]:
    node, parts = place.node, place.parts
    others = owners(team, node.agent)[1:] if isinstance(node, AgentNode) else ()
    yield replace(place, parts=(*parts, "to", max(others, key=len))) if others else place
    of = {part.place: part for part in node.parts()}
    longest = max((_path(part) for part in of.values()), key=len, default="")
    for where, inner in inner_nodes(node):
        below, part = tuple(where.split(".")), of.get(where)
        # What a step's path gets on the way to a node: the longest that it may be.
        path = _path(part) if part else f"{longest}/escalate.person" if where == "escalate" else where
        at, role = (*place.base, *below), part.role if part else where
        yield from _places(team, Place(at, inner, (*parts, *path.split("/")), place, role, part))


def _path(part: Part) -> str:
    return part.step or f"{part.role}.1000"
