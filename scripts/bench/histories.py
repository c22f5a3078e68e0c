"""Reading costs out of finished histories: events, bytes and the server's own clock."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED


@dataclass(frozen=True)
class StepCost:
    """What one sequential step costs, averaged over a run from its first to its last schedule event.

    So what a run costs once (its input, its result) is no part of it.
    """

    events: float
    bytes: float
    p50_ms: float
    """From one step's schedule event to the next one's, by the server's clock."""


def step_cost(events: Sequence[HistoryEvent]) -> StepCost:
    """The cost of a step in one history with at least two of them."""
    places = _scheduled(events)
    first, last, count = places[0], places[-1], len(places) - 1
    times = [events[place].event_time.ToNanoseconds() / 1e6 for place in places]
    return StepCost(
        events=(last - first) / count,
        bytes=sum(event.ByteSize() for event in events[first:last]) / count,
        p50_ms=statistics.median(later - earlier for earlier, later in pairwise(times)),
    )


def bytes_of_turns(events: Sequence[HistoryEvent], first: int, last: int) -> int:
    """History bytes of the turns ``first`` to ``last``, counted from 1; a turn is one model call and one tool call."""
    places = _scheduled(events)
    return sum(event.ByteSize() for event in events[places[2 * first - 2] : places[2 * last]])


def input_bytes(events: Sequence[HistoryEvent]) -> list[int]:
    """The size of each activity's input, in the order of the steps."""
    inputs = [events[place].activity_task_scheduled_event_attributes.input for place in _scheduled(events)]
    return [sum(len(payload.data) for payload in each.payloads) for each in inputs]


def _scheduled(events: Sequence[HistoryEvent]) -> list[int]:
    return [place for place, event in enumerate(events) if event.event_type == SCHEDULED]
