"""The exchange of a network: who gets an event, who may ask whom, what is left to do, and where it ends.

It holds no step and no clock: a deterministic book that steps are made from, and their answers written into.
"""

import json
from collections.abc import Collection, Mapping, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.events import MAX_EVENT_REPORTS, Event, EventOutcome
    from workflows.networking.memory import EventRecord, Letter, NetworkMemory, Told, Turn, Waiting
    from workflows.networking.topics import DERIVED, derived, in_order, listeners, matches
    from workflows.networking.waits import circle
    from workflows.teams.references import filled
    from workflows.teams.tree import NetworkNode

QUESTION = "question"
"""The type of events that are questions. Nobody subscribes to them: they go to whoever is asked."""
MAX_BYTES = 2 * 1024 * 1024
"""Of all events of one network: they travel beside the run's state, which has 4 MiB, in at most 8 MiB together."""
EVENT_BYTES = 400
"""What an event takes besides what it says."""
MAX_WORDS = 200
"""Characters of an event type, as its contract says: what stands in for a peer is held to it too."""
MAX_GIVEN_ID = 100
"""Characters of an id that a peer gives."""


class Exchange:
    """The events of one network, and the mailboxes of its peers."""

    def __init__(self, node: NetworkNode, memory: JsonValue = None) -> None:
        """Begin, or go on from where it stood before it continued as new."""
        self.node = node
        self.memory = NetworkMemory() if memory is None else NetworkMemory.model_validate(memory)
        self._unended: list[tuple[str, Turn]] = []
        boxes = self.memory.mailboxes.values()
        self._waiting = sum(_rank(turn) == _EVENT for box in boxes for turn in box)

    def begin(self, goal: str, given: JsonValue, path: str, now: float) -> None:
        """Send the events that the network begins with."""
        stands_for: dict[str, JsonValue] = {"goal": goal, "input": given}
        had: dict[str, int] = {}
        for number, seed in enumerate(self.node.start, 1):
            payload = filled(seed.payload, stands_for)
            event = Event(
                event_id=f"{DERIVED}{number}", event_type=seed.event_type, task_id=path, agent_id=self.node.name,
                payload=payload, timestamp=now, to=seed.to,
            )  # fmt: skip
            self._send(event, had)

    def event(self, turn: Turn) -> Event:
        """The event that a turn is about."""
        return self.memory.events[turn.letter.event_id].event

    def ready(self, busy: Collection[str]) -> list[tuple[str, Turn]]:
        """What free peers do next: what goes on before questions, and questions before events; then what was sent first."""
        free = [
            (peer, box[0])
            for peer, box in self.memory.mailboxes.items()
            if box and peer not in busy and peer not in self.memory.waiting and self.may_begin(box[0])
        ]
        return sorted(free, key=lambda one: (_rank(one[1]), one[1].letter.place))

    def take(self, peer: str) -> Turn:
        """The next turn of a peer, which begins now."""
        turn = self.memory.mailboxes[peer].pop(0)
        if _rank(turn) == _EVENT:
            self.memory.begun, self._waiting = self.memory.begun + 1, self._waiting - 1
        return turn

    def ended(self, peer: str, turn: Turn, output: JsonValue, *, step: str, now: float) -> None:
        """Note what came of a turn that ended the peer's work on its event.

        Args:
            peer: whose turn it was.
            turn: the turn.
            output: what it answered; nothing where it was left out.
            step: the path of its step.
            now: workflow time.
        """
        turn = self._sent(peer, turn, output, step=step, now=now)
        record = self.memory.events[turn.letter.event_id]
        record.handled_by.append(peer)
        record.left -= 1
        if record.left <= 0 and record.outcome is EventOutcome.WAITING:
            record.outcome = EventOutcome.HANDLED
        for asker, waiting in list(self.memory.waiting.items()):
            if waiting.question_id == turn.letter.event_id:
                del self.memory.waiting[asker]
                answer = turn.answer if turn.answer is not None else _only_events(output)
                told = Told(by=peer, question=str(record.event.payload), answer=answer)
                self._put(asker, waiting.turn.model_copy(update={"told": told}))

    def asked(self, peer: str, turn: Turn, output: dict[str, JsonValue], *, step: str, now: float) -> str:
        """Note a turn that ended with a question; why it is not asked, or nothing.

        Args:
            peer: who asks.
            turn: its turn, with its conversation.
            output: what it answered, with ``ask``.
            step: the path of its step.
            now: workflow time.
        """
        ask = output["ask"]
        asked, question = (str(ask.get("to")), str(ask.get("question"))) if isinstance(ask, dict) else ("", "")
        turn = self._sent(peer, turn, output, step=step, now=now)
        turn = turn.model_copy(update={"number": turn.number + 1})
        if refused := self._refused(peer, turn, asked):
            told = Told(by=asked, question=question, refused=refused)
            self._put(peer, turn.model_copy(update={"told": told}))
            return refused
        about = self.event(turn)
        event = Event(
            event_id=derived(about.event_id, peer, f"q{turn.number - 1}"), event_type=QUESTION, task_id=step,
            agent_id=peer, payload=question, timestamp=now, to=asked, hops=about.hops + 1, cause=about.event_id,
        )  # fmt: skip
        self.memory.events[event.event_id] = EventRecord(event=event, outcome=EventOutcome.WAITING, left=1)
        self.memory.size_bytes += _size(event)
        self.memory.begun += 1  # who asks is sure of an answer, whatever else comes in
        self.memory.waiting[peer] = Waiting(turn=turn, by=asked, question_id=event.event_id)
        place, had = len(self.memory.events), turn.letter.had
        self._put(asked, Turn(letter=Letter(event_id=event.event_id, place=place, had=had, is_question=True)))
        return ""

    def give_back(self, peer: str, turn: Turn) -> None:
        """A turn that came to nothing as the time was over: it is left to be done."""
        self._put(peer, turn)

    def leave(self, peer: str, turn: Turn) -> None:
        """A turn that was begun and never ended."""
        self._unended.append((peer, turn))

    def close(self) -> list[EventRecord]:
        """Say of what was sent and not worked on by all who got it that it stays so; these events, as they were sent."""
        box = [(peer, turn) for peer, turns in self.memory.mailboxes.items() for turn in turns]
        asking = [(peer, waiting.turn) for peer, waiting in self.memory.waiting.items()]
        for peer, turn in (*self._unended, *asking, *box):
            record = self.memory.events[turn.letter.event_id]
            record.left_with += [] if peer in record.left_with else [peer]
        for record in self.memory.events.values():
            if record.outcome is EventOutcome.WAITING:
                record.outcome = EventOutcome.UNFINISHED
        return [record for record in self.memory.events.values() if record.outcome is EventOutcome.UNFINISHED]

    def _refused(self, peer: str, turn: Turn, asked: str) -> str:
        """Why a question is not asked; empty: it is."""
        about = self.event(turn)
        if asked not in self.node.peers[peer].asks:
            return f"{peer} may not ask {asked!r}"[:200]
        path = circle({asker: waiting.by for asker, waiting in self.memory.waiting.items()}, peer, asked)
        if path:
            return f"it would close a circle of peers that wait for each other: {' waits for '.join(path)}"[:1000]
        if self.memory.begun >= self.node.max_events:
            return f"max_events={self.node.max_events} is reached"
        if about.hops + 1 >= self.node.max_hops:
            return f"max_hops={self.node.max_hops} is reached"
        if self.memory.size_bytes > MAX_BYTES:
            return "the events of the network are too large"
        return ""

    def _sent(self, peer: str, turn: Turn, output: JsonValue, *, step: str, now: float) -> Turn:
        """The turn with what it has sent and answered so far."""
        if not isinstance(output, dict):
            return turn
        events, had = output.get("events"), self._had(peer, turn)
        sent = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
        about = self.event(turn)
        for number, said in enumerate(sent, turn.sent + 1):
            given, to = said.get("event_id"), said.get("to")
            event = Event(
                event_id=_own_id(given, self.memory.events) or derived(about.event_id, peer, str(number)),
                event_type=str(said.get("event_type"))[:MAX_WORDS], task_id=step, agent_id=peer,
                payload=said.get("payload"), timestamp=now, to=to[:MAX_WORDS] if isinstance(to, str) else None,
                hops=about.hops + 1, cause=about.event_id,
            )  # fmt: skip
            self._send(event, had)
        answer = output.get("answer") if output.get("answer") is not None else turn.answer
        return turn.model_copy(update={"sent": turn.sent + len(sent), "answer": answer})

    def _send(self, event: Event, had: dict[str, int]) -> None:
        """Pass an event on to all who get it. ``had`` counts it for those sent together with it."""
        if known := self.memory.events.get(event.event_id):
            known.duplicates += 1
            return
        if self._is_goal(event):
            self._keep(event, EventOutcome.GOAL)
            self.memory.goal = self.memory.goal or event.event_id
            return
        to = self._receivers(event, had)
        if limit := self._limit(event, to):
            self.memory.dropped[limit] = self.memory.dropped.get(limit, 0) + 1
            if len(self.memory.events) < MAX_EVENT_REPORTS and self.memory.size_bytes + _size(event) <= MAX_BYTES:
                self._keep(event, EventOutcome.LIMIT)
            return
        self._keep(event, EventOutcome.WAITING if to else EventOutcome.UNDELIVERED, left=len(to))
        before = {name: count for name, count in had.items() if self.node.peers[name].group}
        for peer in to:
            had[peer] = had.get(peer, 0) + 1
            letter = Letter(event_id=event.event_id, place=len(self.memory.events), had=before)
            self._put(peer, Turn(letter=letter))

    def _receivers(self, event: Event, had: Mapping[str, int]) -> list[str]:
        if event.to is None:
            return listeners(self.node, event.event_type, event.event_id, had)
        return [event.to] if event.to in self.node.peers else []

    def _limit(self, event: Event, to: Sequence[str]) -> str:
        """What keeps an event from being passed on."""
        if to and event.hops >= self.node.max_hops:
            return "hops"
        if to and self._waiting + self.memory.begun >= self.node.max_events:
            return "events"
        return "size" if self.memory.size_bytes + _size(event) > MAX_BYTES else ""

    def _keep(self, event: Event, outcome: EventOutcome, *, left: int = 0) -> None:
        self.memory.events[event.event_id] = EventRecord(event=event, outcome=outcome, left=left)
        self.memory.size_bytes += _size(event)

    def _put(self, peer: str, turn: Turn) -> None:
        """Into a mailbox: behind what is as urgent."""
        box = self.memory.mailboxes.setdefault(peer, [])
        place = next((index for index, other in enumerate(box) if _rank(other) > _rank(turn)), len(box))
        box.insert(place, turn)
        self._waiting += _rank(turn) == _EVENT

    def may_begin(self, turn: Turn) -> bool:
        """Whether another event may be worked on. What goes on, and questions, have been counted before."""
        return _rank(turn) != _EVENT or self.memory.begun < self.node.max_events

    def _is_goal(self, event: Event) -> bool:
        return self.node.goal_event is not None and matches(self.node.goal_event, event.event_type)

    def _had(self, peer: str, turn: Turn) -> dict[str, int]:
        return {**turn.letter.had, peer: turn.letter.had.get(peer, 0) + 1}

    @property
    def goal(self) -> Event | None:
        """The event that ended it."""
        return self.memory.events[self.memory.goal].event if self.memory.goal else None

    @property
    def left(self) -> int:
        """Events that somebody was to work on and has not begun with."""
        return sum(len(box) for box in self.memory.mailboxes.values())

    @property
    def undelivered(self) -> list[Event]:
        """Events that reached nobody, by where they come from."""
        records = self.memory.events.values()
        found = [record.event for record in records if record.outcome is EventOutcome.UNDELIVERED]
        return sorted(found, key=_origin)

    def sent(self) -> list[Event]:
        """All events that peers have sent, by where they come from."""
        return sorted((record.event for record in self.memory.events.values() if record.event.cause), key=_origin)


_GOES_ON, _QUESTION, _EVENT = range(3)


def _rank(turn: Turn) -> int:
    """How urgent a turn is: others wait for peers that go on, and for answers."""
    return _GOES_ON if turn.told else _QUESTION if turn.letter.is_question else _EVENT


def _only_events(output: JsonValue) -> JsonValue:
    """What a peer answers that sends events in place of an answer."""
    return output.get("events") or None if isinstance(output, dict) else output


def _origin(event: Event) -> tuple[int, list[tuple[int, int, str]]]:
    """What sorts events by what they came of, and never by when."""
    return event.hops, in_order(event.event_id)


def _own_id(given: JsonValue, known: Collection[str]) -> str:
    """The id that a peer gives its event; empty: none, or one that only the network gives."""
    if not isinstance(given, str) or not given or len(given) > MAX_GIVEN_ID:
        return ""
    return given if given in known or not given.startswith(DERIVED) else ""


def _size(event: Event) -> int:
    return EVENT_BYTES + len(json.dumps(event.payload, ensure_ascii=False).encode("utf-8", "replace"))
