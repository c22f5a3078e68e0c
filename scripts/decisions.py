"""What gates and people said to the proposed actions of a run, as text and as JSON."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from workflows.contracts import DecisionReport

MAX_LINES = 50


def decision_objects(reports: Sequence[DecisionReport]) -> list[dict[str, Any]]:
    """The decisions as JSON, in the order in which they were made. Every key is always there."""
    return [
        {
            "step": one.step,
            "call": one.ordinal,
            "tool": one.tool,
            "verdict": one.verdict.value,
            "by": one.by,
            "reason": one.reason,
            "rule": one.rule,
            "arguments": one.arguments,
        }
        for one in reports
    ]


def decision_lines(reports: Sequence[DecisionReport], replaced: Collection[str] = ()) -> Iterator[str]:
    """One line each, the last ones where there are many. ``replaced`` are steps whose output was then set by a rewind."""
    if len(reports) > MAX_LINES:
        yield f"{len(reports) - MAX_LINES} earlier decisions are in --json"
    for one in reports[-MAX_LINES:]:
        where = f"{one.step} {one.ordinal}".rstrip()
        rule = f" ({one.rule})" if one.rule else ""
        why = f": {one.reason}" if one.reason else ""
        to = f" to {one.arguments}" if one.arguments else ""
        then = "; what it came to was set anew (--set)" if one.step in replaced else ""
        yield f"decision {where}: {one.tool}: {one.verdict.value}{to} by {one.by or 'the gate'}{rule}{why}{then}"
