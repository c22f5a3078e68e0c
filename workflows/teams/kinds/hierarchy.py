"""Hierarchy: a planner, managers below it, workers below them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Name, Text, WireModel
from workflows.teams.kinds.base import NodeBase, Part, PatternBase
from workflows.teams.kinds.supervisor import MAX_SUBTASKS, SupervisorNode, WorkerSpec

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_TIERS = 5
"""Tiers of one hierarchy, above its workers."""
MAX_DEPTH = 10
"""Tiers above each other, those of hierarchies among the workers included."""


class TierSpec(WireModel):
    """One tier: who splits what comes from above, and who sums up what comes from below."""

    name: Name
    """Below the top the name of its managers: what the tier above assigns work to. Unlike that of any other node."""
    planner: Name
    """An agent. Its output contract is given by who is below: managers of the next tier, or workers."""
    summary: "Node | None" = None
    """Makes of the results what goes up. A call may take ``$goal`` (of the run), ``$input``, ``$results`` and ``$missing``.
    Absent: the list of results goes up as it is."""
    description: Text = ""
    """What its managers can do; the tier above reads it."""
    max_subtasks: Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] = 4
    """Assignments to the tier below, of each manager."""
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    """Of them at a time."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 1
    """Attempts of one assignment to its managers; the top has one."""


class HierarchyNode(PatternBase):
    """Tiers above each other: each splits its task, passes its parts down, and sends a summary up."""

    kind: Literal["hierarchy"] = "hierarchy"
    name: Name = "hierarchy"
    tiers: Annotated[tuple[TierSpec, ...], Field(min_length=1, max_length=MAX_TIERS)]
    """The top first. What a tier is told is its own part, not the goal of those above."""
    workers: Annotated[dict[Name, WorkerSpec], Field(min_length=1, max_length=32)]
    """Who works below the last tier."""
    max_depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] = 3
    """Tiers above each other at most, those of hierarchies among the workers included: a deeper tree is refused."""
    above: Annotated[int, Field(ge=0, lt=MAX_TIERS)] = 0
    """Tiers above it in the same hierarchy: of a manager, which the platform makes. A team file leaves it away."""

    @property
    def top(self) -> SupervisorNode:
        """The first tier, as the supervisor that it is: of managers, or of the workers."""
        first = self.tiers[0]
        return SupervisorNode(
            name=self.name,
            planner=first.planner,
            workers=self._below(),
            max_subtasks=first.max_subtasks,
            max_parallel=first.max_parallel,
            synthesis=first.summary,
            seconds=self.seconds,
            escalate=self.escalate,
        )

    def _below(self) -> dict[str, WorkerSpec]:
        """Who gets the assignments of the first tier."""
        _, *others = self.tiers
        if not others:
            return self.workers
        manager = self.model_copy(
            update={
                **{name: field.default for name, field in NodeBase.model_fields.items()},
                "name": others[0].name,
                "tiers": tuple(others),
                "above": self.above + 1,
            }
        )
        spec = WorkerSpec(
            node=manager,
            description=others[0].description,
            timeout_seconds=self.seconds,
            attempts=others[0].attempts,
        )
        return {others[0].name: spec}

    def place_of(self, place: str) -> str:
        """Where a part of the first tier stands in the file: below the hierarchy that has been written there."""
        match place.split("."):
            case ["planner"]:
                return f"tiers.{self.above}.planner"
            case ["synthesis"]:
                return f"tiers.{self.above}.summary"
            case ["workers", *_] if len(self.tiers) > 1:
                return f"tiers.{self.above + 1}"
        return place

    def parts(self) -> tuple[Part, ...]:
        """Those of its first tier. The next one is a hierarchy of its own, whose parts stand beside it in the file."""
        plays = {"planner": "planner", "synthesis": "summary"}
        if len(self.tiers) > 1:
            plays["workers"] = "manager"
        return tuple(
            replace(
                part,
                place=self.place_of(part.place),
                before=tuple(map(self.place_of, part.before)),
                plays=plays.get(part.role, ""),
                outer=plays.get(part.role) == "manager",
            )
            for part in self.top.parts()
        )

    def times(self, group: str) -> int:
        """Attempts of assignments, whoever makes them."""
        return self.top.times(group)


def tiers_in(node: "Node") -> int:
    """Tiers above each other in a tree. What stands in for a node stands beside it, not below."""
    below = max((tiers_in(part.node) for part in node.parts()), default=0)
    beside = tiers_in(node.fallback) if isinstance(node.fallback, NodeBase) else 0
    return max(below + isinstance(node, HierarchyNode), beside)
