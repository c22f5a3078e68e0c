"""Reading costs out of finished histories: events, bytes and the server's own clock."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
CONTINUED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
CHILD = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
WORKFLOW_TASKS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    }
)


@dataclass(frozen=True)
class StepCost:
    """What one sequential step costs, averaged over a run from its first to its last schedule event.

    So what a run costs once (its input, its result) is no part of it.
    """

    events: float
    bytes: float
    p50_ms: float
    """From one step's schedule event to the next one's, by the server's clock."""
    each_ms: tuple[float, ...] = ()
    """The same of every step."""


@dataclass(frozen=True)
class Whole:
    """What a whole run costs, with all of its children."""

    events: int
    own_events: int
    """Those that are no workflow tasks. How many of these there are depends on which answers come together."""
    children: int
    """Workflows below the root."""
    bytes: int
    bytes_of_work: int
    """From the first activity or child on: without the input, which the team and the goal make as long as they are."""


def step_cost(events: Sequence[HistoryEvent]) -> StepCost:
    """The cost of a step in one history with at least two of them."""
    places = _scheduled(events)
    first, last, count = places[0], places[-1], len(places) - 1
    times = [events[place].event_time.ToNanoseconds() / 1e6 for place in places]
    each = tuple(later - earlier for earlier, later in pairwise(times))
    return StepCost(
        events=(last - first) / count,
        bytes=sum(event.ByteSize() for event in events[first:last]) / count,
        p50_ms=statistics.median(each),
        each_ms=each,
    )


def whole(histories: Sequence[Sequence[HistoryEvent]]) -> Whole:
    """The sum over a run's histories, the root's and its children's."""
    first = [
        next(place for place, event in enumerate(each) if event.event_type in (SCHEDULED, CHILD)) for each in histories
    ]
    every = [event.event_type for each in histories for event in each]
    return Whole(
        events=len(every),
        own_events=sum(kind not in WORKFLOW_TASKS for kind in every),
        children=every.count(CHILD),
        bytes=sum(event.ByteSize() for each in histories for event in each),
        # A child's input is part of the work: nobody would send it if there were no child.
        bytes_of_work=sum(
            event.ByteSize()
            for index, (each, place) in enumerate(zip(histories, first, strict=True))
            for event in (each if index else each[place:])
        ),
    )


def bytes_of_turns(events: Sequence[HistoryEvent], first: int, last: int) -> int:
    """History bytes of the turns ``first`` to ``last``, counted from 1; a turn is one model call and one tool call."""
    places = _scheduled(events)
    return sum(event.ByteSize() for event in events[places[2 * first - 2] : places[2 * last]])


def seconds_of_turns(events: Sequence[HistoryEvent], first: int, last: int) -> float:
    """How long they took, by the server's clock, from the first one's model call on."""
    places = _scheduled(events)
    begun, ended = (events[places[turn]].event_time.ToNanoseconds() for turn in (2 * first - 2, 2 * last))
    return (ended - begun) / 1e9


def input_bytes(events: Sequence[HistoryEvent]) -> list[int]:
    """The size of each activity's input, in the order of the steps."""
    inputs = [events[place].activity_task_scheduled_event_attributes.input for place in _scheduled(events)]
    return [sum(len(payload.data) for payload in each.payloads) for each in inputs]


def _scheduled(events: Sequence[HistoryEvent]) -> list[int]:
    return [place for place, event in enumerate(events) if event.event_type == SCHEDULED]
