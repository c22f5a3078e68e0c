"""What a run has done to the world, and what was undone of it: as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from activities.contracts.effects import EffectOutcome, EffectReport

MAX_SHOWN = 50
"""Effects that are listed one by one."""


def effect_objects(done: Sequence[EffectReport]) -> list[dict[str, Any]]:
    """The effects as JSON, in their order."""
    return [
        {
            "tool": report.tool,
            "step": report.step,
            "call": report.ordinal,
            "effect": report.effect.value,
            "outcome": report.outcome.value,
            "compensation": report.compensation,
            "reason": report.reason,
            "repeated": report.repeated,
        }
        for report in done
    ]


def effect_lines(done: Sequence[EffectReport]) -> Iterator[str]:
    """A line each."""
    for report in done[:MAX_SHOWN]:
        how = report.outcome.value.replace("_", " ")
        by = f" by {report.compensation}" if report.outcome is EffectOutcome.COMPENSATED else ""
        earlier = ", in an earlier run of the lineage" if report.repeated else ""
        why = f": {report.reason}" if report.reason else ""
        yield f"effect {report.tool} in {report.step} {report.ordinal} ({report.effect.value}{earlier}): {how}{by}{why}"
    if len(done) > MAX_SHOWN:
        yield f"and {len(done) - MAX_SHOWN} more effects"
