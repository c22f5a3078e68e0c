"""What gates and people said to the proposed actions of a run, and what its patterns decided, as text and as JSON."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from activities.contracts.grants import Verdict
from activities.contracts.monitors import ActionKind
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
            "action": one.action.value if one.action else None,
            "monitor": one.monitor,
            "score": one.score,
            "correction": one.correction,
        }
        for one in reports
    ]


def decision_lines(reports: Sequence[DecisionReport], replaced: Collection[str] = ()) -> Iterator[str]:
    """One line each, the last ones where there are many. What monitors let through is counted.

    Args:
        reports: the decisions.
        replaced: steps whose output was then set by a rewind.
    """
    told = [one for one in reports if one.by != "monitor" or one.verdict is not Verdict.PROCEED]
    if through := len(reports) - len(told):
        yield f"monitors let {through} actions through as they were (--json lists them)"
    reports = told
    if len(reports) > MAX_LINES:
        yield f"{len(reports) - MAX_LINES} earlier decisions are in --json"
    for one in reports[-MAX_LINES:]:
        where = f"{one.step} {one.ordinal}".rstrip()
        by = f"{one.by} {one.monitor}" if one.by == "monitor" else one.by or "the gate"
        score = f", score {one.score:g}" if one.score is not None else ""
        rule = f" ({one.rule}{score})" if one.rule else ""
        why = f": {one.reason}" if one.reason else ""
        to = f" to {one.arguments}" if one.arguments else ""
        then = "; what it came to was set anew (--set)" if one.step in replaced else ""
        yield f"decision {where}: {_about(one)}: {one.verdict.value}{to} by {by}{rule}{why}{then}"


def log_lines(log: Sequence[str]) -> Iterator[str]:
    """What the patterns of a run decided, one line each, the last ones where there are many."""
    if len(log) > MAX_LINES:
        yield f"{len(log) - MAX_LINES} earlier lines of the decision log are in --json"
    yield from (f"decided: {line}" for line in log[-MAX_LINES:])


def _about(one: DecisionReport) -> str:
    match one.action:
        case ActionKind.HANDOFF:
            return f"handoff to {one.tool}"
        case ActionKind.ANSWER:
            return "the answer"
        case _:
            return one.tool
