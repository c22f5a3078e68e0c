"""``ostinato show RUN --events``: what the peers of a run's networks have told each other, as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from activities.contracts.events import EventOutcome, EventReport

_SAID = {
    EventOutcome.WAITING: "waiting",
    EventOutcome.UNDELIVERED: "nobody listens",
    EventOutcome.GOAL: "ended the network",
    EventOutcome.LIMIT: "not passed on: a limit was reached",
    EventOutcome.UNFINISHED: "not worked on",
}


def event_objects(reports: Sequence[EventReport]) -> list[dict[str, Any]]:
    """The events as JSON, all keys spelt out; times in seconds since 1970."""
    return [{name: _plain(getattr(report, name)) for name in EventReport.model_fields} for report in reports]


def event_lines(reports: Sequence[EventReport]) -> Iterator[str]:
    """A line each, and a sum."""
    for report in reports:
        to = ", ".join(report.handled_by) or report.to or "-"
        said = f", {_SAID[report.outcome]}" if report.outcome in _SAID else ""
        said += f" by {', '.join(report.left_with)}" if report.left_with else ""
        again = f", sent again {report.duplicates} times" if report.duplicates else ""
        yield f"event {report.event_id} {report.event_type}: {report.agent_id} -> {to}{said}{again}"
    lost = sum(report.outcome is EventOutcome.UNDELIVERED for report in reports)
    left = sum(report.outcome is EventOutcome.UNFINISHED for report in reports)
    yield f"{len(reports):,} events, {lost:,} reached nobody" + (f", {left:,} not worked on" if left else "")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
