"""Events: what the peers of a network tell each other, and what became of each."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from activities.contracts.base import Line, Name, WireModel

MAX_EVENT_REPORTS = 1000
"""Events that a result lists."""


class Event(WireModel):
    """One thing that happened, said by whoever sent it."""

    event_id: Line
    """Given by its sender, or derived from the event before it and who sent it: the same in every re-run."""
    event_type: Line
    """Words with dots between; peers subscribe to patterns of them."""
    task_id: Line
    """The path of the step that sent it; the network's own of those that it begins with."""
    agent_id: Line
    """The peer that sent it; the network's name of those that it begins with."""
    payload: JsonValue = None
    timestamp: Annotated[float, Field(ge=0)]
    """Workflow time, seconds since 1970. No peer is told: nothing of time enters a request."""
    schema_version: Annotated[int, Field(ge=1)] = 1
    to: Line | None = None
    """The one peer that it is for; absent: all who listen."""
    hops: Annotated[int, Field(ge=0)] = 0
    """Events before it, each of which led to the next."""
    cause: Line = ""
    """The ``event_id`` of the event that it was sent in answer to."""

    def told(self) -> dict[str, JsonValue]:
        """All of it but its time, for calls: they are answered from their records in a re-run, at whatever time."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "timestamp"}


class EventOutcome(StrEnum):
    """What became of an event."""

    WAITING = "waiting"
    """Not all who get it have worked on it yet."""
    HANDLED = "handled"
    UNDELIVERED = "undelivered"
    """Nobody had subscribed to it, or there is no such peer."""
    GOAL = "goal"
    """It ended the network."""
    LIMIT = "limit"
    """A limit kept it from being passed on."""
    UNFINISHED = "unfinished"
    """The network has ended, and not all who got it had worked on it."""


class EventReport(WireModel):
    """One event as a result lists it: all but its payload."""

    network: Line
    """The path of the network."""
    event_id: Line
    event_type: Line
    task_id: Line
    agent_id: Line
    to: Line | None = None
    hops: int = 0
    cause: Line = ""
    timestamp: float = 0.0
    handled_by: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    """Peers that have worked on it, in this order."""
    left_with: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    """Of what is unfinished: peers that had got it, and had not ended their work on it."""
    duplicates: int = 0
    """Times that an event with its id was sent again, and dropped."""
    outcome: EventOutcome = EventOutcome.HANDLED
