"""Single values for a place in a schema: candidates, best first. The caller takes the first that fits."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from activities.outputs import first_match
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_labels import closest
from activities.providers.offline_matching import choose, is_rest
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_remarks import sentence_for
from activities.providers.offline_writer import title_of
from activities.text import stem, stems, words

_QUOTES = frozenset({"quote", "quotation", "excerpt", "passage", "snippet", "verbatim"})
_SOURCES = frozenset({"source", "citation", "reference", "cite", "location"})
_PATHS = frozenset({"file", "path", "filename", "document"})
_QUESTIONS = frozenset({"question", "query"})
_ANSWERS = frozenset(
    {"answer", "summary", "text", "response", "result", "conclusion", "explanation", "reason", "finding"}
)
_TITLES = frozenset({"title", "headline", "heading"})
_DEGREES = frozenset({"confidence", "score", "probability", "relevance", "certainty"})
_ABSENCES = frozenset({"missing", "error", "errors", "warning", "warnings", "unanswered", "unknown", "unknowns"})
_FOUND = frozenset(
    {"found", "answered", "answerable", "supported", "present", "known", "exists", "relevant", "available"}
)
_NEGATED = re.compile(r"(?i)\b(?:not|never|no|cannot|nothing|none|without|isn't|doesn't|won't|can't)\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?!\.?\d)")
_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPOKEN_DATE = re.compile(r"\b(?:(\d{1,2})\.? ([A-Z][a-z]{2,8})|([A-Z][a-z]{2,8}) (\d{1,2}),?) (\d{4})\b")
_PLACEHOLDERS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "unknown@example.invalid",
    "uri": "about:blank",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "ipv4": "127.0.0.1",
    "ipv6": "::",
    "hostname": "example.invalid",
}
"""What stands where a format is required and nothing was found."""


@dataclass(frozen=True)
class Slot:
    """A place in a schema, and what there is to fill it with."""

    name: str
    description: str
    question: str
    subject: str
    evidence: tuple[Evidence, ...]
    siblings: frozenset[str] = frozenset()
    subtask_id: str = ""
    said: str = ""
    """The task in whose words free text is written, where no documents can be found; empty elsewhere."""
    labels: tuple[str, ...] = ()
    """Labels that were chosen beside it."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What the instructions say of labels, where they describe them."""
    given: str = ""
    """What is to be labelled, where that is not the whole message."""
    variant: int = 0
    """Counts up where several different values are needed and there is evidence for none."""

    @property
    def words(self) -> frozenset[str]:
        """The words of the name."""
        return frozenset(words(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name)))

    @property
    def is_absence(self) -> bool:
        """Whether the name asks for what was not found."""
        return bool(self.words & _ABSENCES)

    @property
    def is_quote(self) -> bool:
        """Whether a verbatim quotation belongs here."""
        beside = any(set(words(name)) & _SOURCES for name in self.siblings)
        quoted = any(set(words(name)) & _QUOTES for name in self.siblings)
        return bool(self.words & _QUOTES) or ("text" in self.words and beside and not quoted)


def strings(schema: dict[str, Any], slot: Slot) -> Iterator[str]:
    """Strings by what the name says, cut or padded to the schema's lengths; then whatever could fit a pattern."""
    if isinstance(schema.get("format"), str) and schema["format"] in _PLACEHOLDERS:
        yield from _formatted(schema["format"], slot)
        return
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1 << 20))
    texts = list(_texts(slot))
    for text in texts:
        yield _sized(text, least, most)
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        yield from (found for text in [*texts, slot.question] if (found := first_match(pattern, text)))
        yield from ("", "0", "a", "A", "0000", "none", "1970-01-01")


def numbers(schema: dict[str, Any], slot: Slot, *, whole: bool) -> Iterator[int | float]:
    """Numbers of the evidence, the one nearest to the name's and the question's words first; then what the bounds allow."""
    if slot.evidence and "line" in slot.words:
        yield slot.evidence[0].line
    if slot.words & _DEGREES:
        degree = round(slot.evidence[0].coverage, 2) if slot.evidence else 0
        yield round(degree) if whole else degree
    for number in _numbers_near(slot):
        if number.is_integer() or not whole:
            yield int(number) if number.is_integer() else number
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf", 1)
    yield slot.variant * step
    for start in (low, high, 0):
        if start is not None and math.isfinite(start):
            base = math.ceil(start / step)
            yield from ((base + move + slot.variant) * step for move in (0, 1, -1))
            yield int(start) if whole else start
    if low is not None and high is not None:
        yield (low + high) // 2 if whole else low + (high - low) * (slot.variant + 1) / (slot.variant + 2)


def denies(said: str) -> bool:
    """Whether a sentence denies something."""
    return bool(_NEGATED.search(said))


def booleans(slot: Slot) -> Iterator[bool]:
    """Whether there is evidence, and, for a question with yes or no, whether it denies."""
    there = bool(slot.evidence)
    if slot.is_absence or (slot.words & {"not", "no"} and slot.words & _FOUND):
        there = not there
    elif there and not slot.words & _FOUND and not slot.words & {"has", "is"} & _FOUND:
        there = not _NEGATED.search(slot.evidence[0].quote)
    yield there
    yield not there


def labels(values: list[Any], slot: Slot) -> Iterator[Any]:
    """The label most like question and evidence; then all others."""
    spoken = [value for value in values if isinstance(value, str)]
    if None in values and not slot.evidence:
        yield None
    if len(told := {label: slot.told.get(label, "") for label in spoken}) > 1 and any(told.values()):
        choice = choose(told, slot.given or slot.subject)
        if choice.said or is_rest(choice.name, told[choice.name]):
            yield choice.name
    if spoken:
        text = " ".join([slot.subject, *(item.plain for item in slot.evidence[:1])])
        if {label.lower() for label in spoken} >= {"yes", "no"}:
            denies = not slot.evidence or bool(_NEGATED.search(slot.evidence[0].quote))
            yield next(label for label in spoken if label.lower() == ("no" if denies else "yes"))
        yield closest(spoken, text, known=bool(slot.evidence))
    yield from values


def _texts(slot: Slot) -> Iterator[str]:
    best = slot.evidence[0] if slot.evidence else None
    named = slot.words
    if named >= {"subtask", "id"} and slot.subtask_id:
        yield slot.subtask_id
    if named & _QUESTIONS:
        yield slot.question
    if named & _TITLES:
        yield title_of(slot.question)
    quoted = any(set(words(name)) & _QUOTES for name in slot.siblings)
    if slot.said and not quoted and not named & (_QUOTES | _SOURCES | _PATHS):
        yield sentence_for(slot.name, slot.labels, slot.said)
    if best is None:
        yield NOTHING if not slot.variant else f"{NOTHING} ({slot.variant})"
        return
    if slot.is_quote:
        yield best.quote
    elif named & _SOURCES:
        yield best.source
    elif named & _PATHS:
        yield best.path
    elif not named or named & _ANSWERS:
        yield " ".join(f"{' '.join(item.quote.split())} ({item.source})" for item in slot.evidence)
    wanted = stems(f"{slot.name} {slot.description}")
    yield max(slot.evidence, key=lambda item: len(wanted & stems(item.quote))).plain
    yield best.source


def _sized(text: str, least: int, most: int) -> str:
    if len(text) > most:
        cut = text[:most]
        text = cut[: cut.rfind(" ")] if " " in cut[least + 1 :] else cut
    while 0 < len(text) < least:
        text = f"{text} {text}"[: max(least, len(text) + 1)]
    return text


def _formatted(name: str, slot: Slot) -> Iterator[str]:
    if name == "date":
        for item in slot.evidence:
            yield from _dates(item.quote)
    yield _PLACEHOLDERS[name]


def _dates(text: str) -> Iterator[str]:
    for found in _DATE.finditer(text):
        yield found[0]
    for found in _SPOKEN_DATE.finditer(text):
        month = (found[2] or found[3])[:3].lower()
        if month in _MONTHS:
            yield f"{found[5]}-{_MONTHS.index(month) + 1:02d}-{int(found[1] or found[4]):02d}"


def _numbers_near(slot: Slot) -> list[float]:
    """Numbers in the evidence by their distance to a word that was asked for."""
    wanted = stems(f"{slot.name} {slot.description}") or stems(slot.question)
    asked = wanted | stems(slot.question)
    found: list[tuple[bool, int, int, float]] = []
    for order, item in enumerate(slot.evidence):
        places = [at.start() for at in re.finditer(r"[^\W_]+", item.quote) if stem(at[0].lower()) in asked]
        if not places and item.cited:
            continue
        named = bool(wanted & stems(item.quote))
        for at in _NUMBER.finditer(_DATE.sub(lambda date: " " * len(date[0]), item.quote)):
            distance = min((abs(at.start() - place) for place in places), default=0)
            found.append((not named, order, distance, float(at[0].replace(",", ""))))
    return [number for *_, number in sorted(found, key=lambda entry: entry[:3])]
