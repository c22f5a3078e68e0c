"""Where a network stands, all of it: what it takes along when it continues as new.

Nothing else is needed to go on. A peer that waits for an answer is data too, its conversation a reference: a network is
drained as soon as no step is under way, whoever waits for whom.
"""

from typing import Annotated

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict, Field, JsonValue

    from activities.contracts.base import Line, Name, Text, WireModel
    from activities.contracts.events import MAX_EVENT_REPORTS, Event, EventOutcome, EventReport
    from activities.contracts.messages import ThreadRef


class Letter(WireModel):
    """An event on its way to a peer."""

    event_id: Line
    place: int = 0
    """Of the event among all, as they were sent."""
    had: dict[Name, int] = {}
    """Members of groups to the events that each has had, of those that led to this one."""
    is_question: bool = False
    """It is asked of one peer, and another waits for the answer."""


class Told(WireModel):
    """What became of a question."""

    by: Line
    """Who was asked."""
    question: Text
    answer: JsonValue = None
    refused: Line = ""
    """Why it was not asked."""


class Turn(WireModel):
    """What a peer does next: it begins to work on an event, or goes on with an answer."""

    letter: Letter
    number: Annotated[int, Field(ge=1)] = 1
    """Of the peer's turns on this event: one more than the questions that it has asked about it."""
    sent: int = 0
    """Events that it has sent about it."""
    answer: JsonValue = None
    """What it has answered so far, where the event is a question."""
    thread: ThreadRef | None = None
    """Its conversation about this event."""
    told: Told | None = None
    """What it goes on with."""


class Waiting(WireModel):
    """A peer that waits for an answer."""

    turn: Turn
    """The turn that it goes on with."""
    by: Name
    """Who is asked."""
    question_id: Line


class EventRecord(BaseModel):
    """An event that was sent, and what has become of it so far."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    event: Event
    outcome: EventOutcome
    handled_by: list[Name] = []
    duplicates: int = 0
    left: int = 0
    """Peers that have not ended their work on it."""
    left_with: list[Name] = []
    """Who they are, once the network has ended."""

    def report(self, network: str) -> EventReport:
        """The event as a result lists it."""
        known = {name: getattr(self.event, name) for name in EventReport.model_fields if hasattr(self.event, name)}
        return EventReport(
            network=network,
            handled_by=tuple(self.handled_by),
            left_with=tuple(self.left_with),
            duplicates=self.duplicates,
            outcome=self.outcome,
            **known,
        )


class NetworkMemory(BaseModel):
    """The state of one network. Mailboxes hold no more than may still be worked on, and events no more than their size."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    mailboxes: dict[Name, list[Turn]] = {}
    """What each peer does next, in this order."""
    waiting: dict[Name, Waiting] = {}
    """Peers that wait for an answer."""
    events: dict[str, EventRecord] = {}
    """Every event that was sent, by its id, in the order in which they were."""
    begun: int = 0
    """Events that peers work on or have worked on, questions included."""
    size_bytes: int = 0
    """Of all events that are kept."""
    dropped: dict[str, int] = {}
    """Limit to the events that it kept from being passed on."""
    goal: str = ""
    """The id of the event that ended it."""

    def reports(self, network: str) -> list[EventReport]:
        """The event log: the first events."""
        return [record.report(network) for record in list(self.events.values())[:MAX_EVENT_REPORTS]]
