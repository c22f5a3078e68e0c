"""What a run has done to the world, one report an effect, and what is needed to undo it."""

from enum import StrEnum

from activities.contracts.base import Digest, Line, RunId, Text, WireModel
from activities.contracts.profile import Effect
from activities.contracts.steps import StepKey

MAX_EFFECTS = 500
"""Effects that the steps of one workflow may make; a step that would make more fails before it does."""
MAX_PREVIEW = 200
"""Characters of arguments and results that a report holds."""
MAX_LISTED_EFFECTS = 4 * MAX_EFFECTS
"""Effects that one result lists, those of nested workflows included."""


class EffectOutcome(StrEnum):
    """What became of an effect."""

    DONE = "done"
    UNKNOWN = "unknown"
    """It was begun, and nobody knows whether it happened."""
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"
    KEPT = "kept"
    """It was not undone, because another run of the lineage goes on from it and has not failed."""


class Undo(WireModel):
    """All that a compensation has to know of the effect that it undoes: one blob, written before the effect's record."""

    key: StepKey
    """The call that had the effect."""
    record: Line
    """The name of its record: a compensated effect answers from it no more."""
    arguments: Text = "{}"
    """The call's arguments as JSON."""
    result: Text = ""
    """The tool's result, its start where it is longer."""


class UndoRef(WireModel):
    """Where to find it, of constant size."""

    digest: Digest
    run_id: RunId
    """The run that had the effect: another run of the lineage, answered from its record, leaves it alone."""


class EffectReport(WireModel):
    """One call of a tool that has effects."""

    tool: Line
    step: Line
    """The path of the step that called it."""
    ordinal: Line
    """The call inside the step, such as ``t3.c0``."""
    effect: Effect
    outcome: EffectOutcome = EffectOutcome.DONE
    compensation: Line = ""
    """The tool that undoes it; empty where there is none."""
    reason: Line = ""
    """Why it is unknown, or could not be undone."""
    profile: Digest | None = None
    """The AgentProfile under which it was called, where it can be undone."""
    undo: UndoRef | None = None
    """What its compensation is told, where it can be undone."""
    repeated: bool = False
    """Answered from a record: an earlier run of the lineage did it."""
    request_id: Line = ""
    """What its tool was given to tell it from all others; empty where its call left no answer."""
    arguments: Line = ""
    """The start of what its tool was called with, as JSON."""
    result: Line = ""
    """The start of what the tool answered."""
    earlier: bool = False
    """An earlier execution of this run made it, and this one has not come to it again."""
    at: float = 0.0
    """Workflow time at which its call ended, seconds since 1970."""
