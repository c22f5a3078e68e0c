"""Which reports are kept where there are too many: plain ones go first, then the oldest.

The failure this prevents: of a long run the thousand actions that were let through are listed, and the one that was
blocked is not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.effects import EffectOutcome, EffectReport
    from activities.contracts.grants import Verdict
    from workflows.contracts import DecisionReport

_Report = TypeVar("_Report")


def kept(
    reports: Sequence[_Report], most: int, is_plain: Callable[[_Report], bool]
) -> tuple[list[_Report], list[_Report]]:
    """As many reports as there is room for, and the others; both in their order."""
    over = len(reports) - most
    if over <= 0:
        return list(reports), []
    plain_first = sorted(range(len(reports)), key=lambda index: not is_plain(reports[index]))
    left_out = set(plain_first[:over])
    rest = [report for index, report in enumerate(reports) if index in left_out]
    return [report for index, report in enumerate(reports) if index not in left_out], rest


def is_plain_decision(report: DecisionReport) -> bool:
    """Whether a monitor has let an action through as it was. What a person says is never plain."""
    return report.verdict is Verdict.PROCEED and report.by == "monitor"


def is_plain_effect(report: EffectReport) -> bool:
    """Whether an effect is done, and nothing remains to be undone."""
    return report.outcome is EffectOutcome.DONE and report.undo is None


def unlisted_decisions(by_verdict: Mapping[Verdict, int]) -> tuple[str, ...]:
    """A sentence on decisions that are not listed; none where all are."""
    if not by_verdict:
        return ()
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(by_verdict.items()))
    return (f"{sum(by_verdict.values()):,} more decisions are not listed: {told}",)
