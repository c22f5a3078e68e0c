"""What a run has done to the world, one report an effect."""

from enum import StrEnum

from activities.contracts.base import Digest, Line, Text, WireModel
from activities.contracts.profile import Effect

MAX_EFFECTS = 500
"""Effects of one workflow that are listed; a step that would make more fails."""


class EffectOutcome(StrEnum):
    """What became of an effect."""

    DONE = "done"
    UNKNOWN = "unknown"
    """It was begun, and nobody knows whether it happened."""
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


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
    """The AgentProfile under which it was called, for its compensation."""
    arguments: Text = ""
    """The call's arguments, where it can be undone."""
    result: Digest | None = None
    """The message that holds its result, where it can be undone."""
    repeated: bool = False
    """Answered from a record: an earlier run of the lineage did it."""
