"""A supervisor's time: as a whole, or by phases, each with an end of its own.

A phase that runs out goes on with what it has: the planning with the whole goal as one subtask, the work with the
subtasks that are done, the synthesis with the results as they are. What a phase does not need goes to those after it,
because only its end is fixed.
"""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.deadlines import earliest
    from workflows.frame import Frame
    from workflows.teams.tree import SupervisorNode

ROUNDS_SHARE = 0.8
"""Of the time of a nested supervisor, or of whoever else makes one whole of parts, for those parts, people's included; the
rest is for the whole."""


@dataclass(frozen=True)
class PhaseClock:
    """When the phases of one supervisor end: workflow time, seconds since 1970."""

    planning: float
    """The first decomposition."""
    workers: float
    """All rounds."""
    synthesis: float | None
    """Everything; nothing: no bound but that of its steps."""
    phased: bool = False
    """Whether a phase that runs out goes on with what it has, and nothing is waited for longer than its end."""
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How long the phases are, for messages."""

    @classmethod
    def of(cls, frame: Frame, node: SupervisorNode) -> "PhaseClock":
        """The phases of a supervisor, from its start."""
        now, end = frame.started_at, frame.deadline
        own = None if end is None else max(0.0, end - now)
        if node.phases is None:
            seconds = node.seconds if own is None else min(node.seconds, own * ROUNDS_SHARE)
            return cls(now + seconds, now + seconds, end, seconds=(seconds, seconds, own or 0.0))
        phases = node.phases
        # Where a nested one is given less than it plans with, each phase gets its share.
        share = 1.0 if own is None else min(1.0, own / phases.total)
        planning, workers, synthesis = (share * phase for phase in (phases.planning, phases.workers, phases.synthesis))
        first = now + planning
        return cls(
            first, first + workers, earliest(first + workers + synthesis, end), True, (planning, workers, synthesis)
        )

    @classmethod
    def sharing(cls, began: float, end: float) -> "PhaseClock":
        """The time of somebody who has it as a whole, from its start to its end."""
        own = max(0.0, end - began)
        rounds = own * ROUNDS_SHARE
        return cls(began + rounds, began + rounds, end, seconds=(rounds, rounds, own))

    def ran_out(self, end: float | None) -> bool:
        """Whether a phase is over, and what it has is to do."""
        return self.phased and end is not None and workflow.time() >= end
