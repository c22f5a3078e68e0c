"""Peer of a network: answers an event with the events that its instructions name, and with what it found.

``On question.* send `fact.found` with what the documents say; where they say nothing, send `fact.missing`.`` A peer sends
no event that its instructions do not name; where they name none it sends nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from activities.providers.offline_evidence import Evidence, best
from activities.providers.offline_material import as_value, evidence_in, plain_text, values_in
from activities.providers.offline_planner import parts
from activities.providers.offline_prompts import entries
from activities.providers.offline_reading import NOTHING, Document, kept
from activities.providers.offline_roles.base import Looking, Request, fields_of, items_of, options
from activities.providers.offline_sections import take_apart

MAX_PAYLOAD = 4_000
MAX_EVENTS = 16
_TYPE = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+"
_MARKED = re.compile(rf"`({_TYPE}|[A-Za-z][\w-]*)`|(?<![\w/@])({_TYPE})(?![\w/(])")
_SENDS = re.compile(
    r"(?i)\b(?:send|sends|emit|emits|publish|publishes|answer with|reply with|report|reports|raise|raises|pass on as)\b"
)
_WHEN = re.compile(
    r"(?i)\b(?:on|when|whenever|for|if|where|get|gets|receive|receives|hear|hears of|of|from)\b[^`]{0,60}?$"
)
_NOTHING = re.compile(
    r"(?i)\b(?:nothing|no (?:document|answer|passage|source)s?|not (?:found|there|answered)|(?:do|does) not|cannot|none|otherwise|else|missing)\b"
)
_EACH = re.compile(
    r"(?i)\b(?:for|one|each|every)\b[^.;]{0,30}\b(?:each|every|per)\b|\b(?:each|every) (?:part|question|one)\b"
)
_CLAUSE = re.compile(r"[.;](?=\s|$)|\n\s*\n|\n(?=\s*[-*])|,\s+(?=(?:and|or|but|otherwise|else|where|if)\b)")
_EVENT = re.compile(r"\n\nEvent: (\S+)")
_IS_QUESTION = re.compile(r"\n\n\S{1,100} asks you a question and waits for the answer\.")
_BY = re.compile(r"(?m)^(\S{1,100}) answers your question\.")
_ASKED = re.compile(r"\n\nYou have asked \S{1,100}: ")
_ASKS = re.compile(r"(?i)\bask(?:s|ing)?\b")
_PASSES_ON = re.compile(
    r"(?i)\bwith (?:the (?:question|event|message|task)|what (?:was (?:found|said|asked)|came in|you (?:were|got)))\b"
)
_FILE = re.compile(r"(?i)\.(?:md|txt|csv|json|ya?ml|py|html?|pdf|docx?|toml|ini|cfg)$")


@dataclass(frozen=True)
class _Sending:
    """One event that the instructions name."""

    event_type: str
    on: str
    """The event type, or the pattern, that it answers; any where empty."""
    absent: bool
    """It is for where nothing was found."""
    each: bool
    """One for each part of what came in."""
    to: str
    passes_on: bool
    """It says what came in, and not what was found."""


@dataclass(frozen=True)
class Peer(Looking):
    """Works on one event."""

    request: Request
    name: str
    recipients: tuple[str, ...]
    asked: tuple[str, ...]
    """Peers that it may ask."""
    event: dict[str, Any]
    answer: str
    """What came back on a question; nothing where none was asked."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The events, and perhaps a question first; shorter and fewer ones where they are too long."""
        if "answer" in self.request.fields and _IS_QUESTION.search(self.request.prompt):
            told = self._found(evidence) or NOTHING
            yield from ({self.name: [], "answer": told[:length]} for length in (MAX_PAYLOAD, 1000, 80))
        question = self._question()
        if question:
            yield {self.name: [], "ask": question}
        found = self._found(evidence)
        for count, length in ((MAX_EVENTS, MAX_PAYLOAD), (4, 1000), (1, 400), (1, 80)):
            yield {self.name: self._events(found, length)[:count]}
        yield {self.name: []}

    def _found(self, evidence: Sequence[Evidence]) -> str:
        """What it has to say on the event; empty where that is nothing."""
        said = self._said
        material = self.answer or said
        if self.request.finds:
            if quoted := list(kept(said)):  # what came in are quotations: those that stand where they say are held
                return _paragraphs([_as_evidence(one) for one in quoted if self._stands(one)])
            return _paragraphs(best(list(evidence))) or (
                _paragraphs(evidence_in(said, self.answer, 3, self._by)) if self.answer else ""
            )
        if any(True for _ in kept(material)) or not self.answer:
            return "" if material.strip() == NOTHING else material.strip()
        return _paragraphs(evidence_in(said, material, 3, self._by)) or material.strip()

    def _events(self, found: str, length: int) -> list[dict[str, Any]]:
        own = str(self.event.get("event_type") or "")
        named = list(sendings(self.request.instructions, self.recipients))
        fitting = [one for one in named if not one.on or not own or fits(one.on, own)]
        fitting = (
            [one for one in fitting if one.absent == (not found)] if any(one.absent for one in fitting) else fitting
        )
        events: list[dict[str, Any]] = []
        for one in fitting:
            payloads = parts(self._said) if one.each else [(self._said if one.passes_on else found) or NOTHING]
            for payload in payloads:
                event = {"event_type": one.event_type, "payload": payload[:length]}
                events.append(event | ({"to": one.to} if one.to else {}))
        return events

    def _question(self) -> dict[str, str] | None:
        """Whom it asks, where its instructions say so and it has not asked yet."""
        if (
            not self.asked
            or self.answer
            or self.request.before is not None
            or not _ASKS.search(self.request.instructions)
        ):
            return None
        to = next(
            (
                name
                for name in self.asked
                if re.search(rf"(?i)\bask[^.\n]{{0,40}}\b{re.escape(name)}\b", self.request.instructions)
            ),
            "",
        )
        return {"to": to or self.asked[0], "question": self._said[:MAX_PAYLOAD]} if self._said else None

    def _stands(self, quotation: Document) -> bool:
        """Whether a quotation stands word for word in the document that it names, as far as that was read."""
        said = " ".join(quotation.text.split())
        read = (one.text for one in self.request.reading.documents if one.path == quotation.path)
        return any(said in " ".join(text.split()) for text in read)

    @property
    def _by(self) -> str:
        """Who has answered."""
        found = _BY.search(self.request.latest) or _BY.search(self.request.prompt)
        return found[1] if found else "input"

    @property
    def _said(self) -> str:
        payload = self.event.get("payload")
        return payload if isinstance(payload, str) else plain_text(payload) if payload is not None else ""


def recognise(request: Request) -> Peer | None:
    """A list of events with types; perhaps a question, or the answer to one."""
    for name, field in request.fields.items():
        inner = items_of(field)
        if "event_type" in inner and set(request.fields) <= {name, "ask", "answer"}:
            ask = fields_of(request.fields.get("ask", {}))
            return Peer(
                request, name, tuple(options(inner.get("to", {}))), tuple(options(ask.get("to", {}))),
                event_of(request.prompt), _answer(request),
            )  # fmt: skip
    return None


def event_of(prompt: str) -> dict[str, Any]:
    """The event that a prompt hands over."""
    sections = take_apart(prompt)
    found = next(entries(values_in(prompt), "event_type"), None) if not sections.given else None
    kind = _EVENT.search(prompt)
    return found or {
        "event_type": kind[1] if kind else "",
        "payload": as_value(sections.given) if sections.given else "",
    }


def _answer(request: Request) -> str:
    """What came back on its question; empty where it asked none, or there is none."""
    if request.latest != request.opened and request.before is not None:
        return take_apart(request.latest).given
    head = request.prompt.partition("\n\nInput:\n")[0]
    return head.rpartition("\n\nAnswer:\n")[2].strip() if _ASKED.search(head) and "\n\nAnswer:\n" in head else ""


def sendings(instructions: str, recipients: Sequence[str] = ()) -> Iterator[_Sending]:
    """The events that instructions name, in their order."""
    on = ""
    for clause in _CLAUSE.split(instructions):
        sends = _SENDS.search(clause)
        for found in _MARKED.finditer(clause):
            kind = found[1] or found[2]
            before = clause[: found.start()]
            if _FILE.search(kind):
                continue
            if (not sends or found.start() < sends.start()) and _WHEN.search(before.rstrip("`")):
                on = kind
            elif sends and found.start() > sends.start():
                to = next(
                    (name for name in recipients if re.search(rf"(?i)\bto (?:the )?`?{re.escape(name)}\b", clause)), ""
                )
                yield _Sending(
                    kind,
                    on,
                    bool(_NOTHING.search(clause)),
                    bool(_EACH.search(clause)),
                    to,
                    bool(_PASSES_ON.search(clause)),
                )


def fits(pattern: str, event_type: str) -> bool:
    """Whether an event's type is what a pattern names."""
    return fnmatchcase(event_type, pattern)


def _as_evidence(quotation: Document) -> Evidence:
    return Evidence(quotation.text, quotation.path, quotation.line, page=quotation.page)


def _paragraphs(items: Sequence[Evidence]) -> str:
    return "\n\n".join(f'"{item.quote}" ({item.source})' for item in items)
