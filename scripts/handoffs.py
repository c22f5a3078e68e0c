"""``ostinato show RUN --handoffs``: how each step came to its owner, as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from activities.contracts.handoffs import HandoffReport

NOBODY = "the caller"
"""The sender where a run's first owner got it from whoever started the run."""


def handoff_objects(reports: Sequence[HandoffReport]) -> list[dict[str, Any]]:
    """The handoffs as JSON; times in milliseconds, sizes in bytes."""
    return [
        {
            "step": report.step,
            "sender": report.sender,
            "receiver": report.receiver,
            "version": report.version,
            "milliseconds": report.milliseconds,
            "bytes": report.size_bytes,
            "declared": report.declared,
            "present": report.present,
            "cut": list(report.cut),
            "unanswered": report.unanswered,
            "asked_again": report.asked_again,
            "rejected": report.rejected.model_dump(mode="json") if report.rejected else None,
        }
        for report in reports
    ]


def handoff_lines(reports: Sequence[HandoffReport]) -> Iterator[str]:
    """A line each, and a sum."""
    for report in reports:
        complete = f", {report.present} of {report.declared} keys" if report.declared else ""
        again = f", asked {report.asked_again} times for what it had" if report.asked_again else ""
        cut = f", {', '.join(report.cut)} cut" if report.cut else ""
        taken = "sent, and ended unanswered" if report.unanswered else "taken"
        how = f"rejected ({report.rejected.reason.value}): {report.rejected.message}" if report.rejected else taken
        cost = f" in {report.milliseconds} ms, {report.size_bytes:,} bytes" if report.size_bytes else ""
        yield (
            f"handoff {report.step}: {report.sender or NOBODY} -> {report.receiver}, state {report.version}: "
            f"{how}{cost}{complete}{cut}{again}"
        )
    rejected = sum(report.rejected is not None for report in reports)
    yield f"{len(reports)} handoffs, {rejected} rejected"
