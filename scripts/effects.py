"""What a run has done to the world, and what was undone of it: as text and as JSON."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from activities.contracts.effects import EffectOutcome, EffectReport

MAX_SHOWN = 50
"""Effects that are listed one by one."""
MAX_SAID = 80
"""Characters of arguments and of a result in a line."""


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
            "arguments": report.arguments,
            "result": report.result,
            "request_id": report.request_id,
            "at": _at(report) or None,
            "repeated": report.repeated,
            "earlier": report.earlier,
        }
        for report in done
    ]


def effect_lines(done: Sequence[EffectReport]) -> Iterator[str]:
    """A line each."""
    for report in done[:MAX_SHOWN]:
        how = report.outcome.value.replace("_", " ")
        by = f" by {report.compensation}" if report.outcome is EffectOutcome.COMPENSATED else ""
        whose = f", {report.undo.run_id}" if report.undo else ""
        earlier = f", in an earlier run of the lineage{whose}" if report.repeated else ""
        earlier = ", by an earlier execution, not again" if report.earlier else earlier
        why = f": {report.reason}" if report.reason else ""
        yield f"effect {report.tool} in {report.step} {report.ordinal} ({report.effect.value}{earlier}): {how}{by}{why}{_call(report)}"
    if len(done) > MAX_SHOWN:
        yield f"and {len(done) - MAX_SHOWN} more effects"


def _call(report: EffectReport) -> str:
    """What was called, when, and what came of it: as much as is known."""
    known = {
        "called with": _short(report.arguments),
        "answered": _short(report.result),
        "at": _at(report),
        "request id": report.request_id,
    }
    return "".join(f"; {name} {value}" for name, value in known.items() if value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SAID else f"{line[: MAX_SAID - 1]}…"


def _at(report: EffectReport) -> str:
    return datetime.fromtimestamp(report.at, UTC).isoformat(timespec="seconds") if report.at else ""
