"""Hierarchy: a planner, managers below it, workers below them."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Name, Text, WireModel
from workflows.teams.kinds.base import Part, PatternBase
from workflows.teams.kinds.supervisor import MAX_SUBTASKS, SupervisorNode, WorkerSpec

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_TIERS = 5
"""Tiers above the workers."""


class TierSpec(WireModel):
    """One tier: who splits what comes from above, and who sums up what comes from below."""

    name: Name
    """What the tier above assigns work to."""
    planner: Name
    """An agent. Its output contract is given by who is below: managers of the next tier, or workers."""
    summary: "Node | None" = None
    """Makes of the results what goes up. A call may take ``$goal``, ``$input``, ``$results`` and ``$missing``.
    Absent: the list of results goes up as it is."""
    description: Text = ""
    """What it is there for; the tier above reads it."""
    max_subtasks: Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] = 4
    """Assignments to the tier below, of each manager."""
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    attempts: Annotated[int, Field(ge=1, le=5)] = 1
    """Attempts of one assignment, where this is not the top."""


class HierarchyNode(PatternBase):
    """Tiers above each other: each splits its task, passes its parts down, and sends a summary up."""

    kind: Literal["hierarchy"] = "hierarchy"
    name: Name = "hierarchy"
    tiers: Annotated[tuple[TierSpec, ...], Field(min_length=1, max_length=MAX_TIERS)]
    """The top first. What a tier is told is its own part, not the goal of those above."""
    workers: Annotated[dict[Name, WorkerSpec], Field(min_length=1, max_length=32)]
    """Who works below the last tier."""
    max_depth: Annotated[int, Field(ge=1, le=10)] = 3
    """Tiers above each other at most, those of hierarchies among the workers included: a deeper tree is refused."""

    @property
    def top(self) -> SupervisorNode:
        """The first tier, as the supervisor that it is: of managers, or of the workers."""
        first, *others = self.tiers
        workers = self.workers
        if others:
            manager = HierarchyNode(
                name=others[0].name,
                tiers=tuple(others),
                workers=self.workers,
                seconds=self.seconds,
                max_depth=self.max_depth,
                escalate=self.escalate,
            )
            spec = WorkerSpec(
                node=manager,
                description=others[0].description,
                timeout_seconds=self.seconds,
                attempts=others[0].attempts,
            )
            workers = {others[0].name: spec}
        return SupervisorNode(
            name=self.name,
            planner=first.planner,
            workers=workers,
            max_subtasks=first.max_subtasks,
            max_parallel=first.max_parallel,
            synthesis=first.summary,
            seconds=self.seconds,
            escalate=self.escalate,
        )

    def parts(self) -> tuple[Part, ...]:
        """Those of its top tier: the next tier is a hierarchy of its own."""
        return self.top.parts()
