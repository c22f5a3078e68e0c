"""Which sentences answer the question: BM25, and how much of the question each one covers."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from activities.providers.offline_reading import Document, Reading
from activities.providers.offline_sentences import Sentence, sentences
from activities.text import content_words, escape_control, stems
from activities.tools.search import TextIndex

MAX_ANSWER = 3
"""Sentences of one answer: enough for a fact and its conditions, few enough to read."""
KEEP = 0.65
"""Sentences that score less than this part of the best one are left out of an answer."""
FIGURE_BONUS = 0.2
"""For sentences with a number, where the question asks how many or how long."""
SMALL_PROMPT = 200
"""Characters of a prompt beyond its question that make it a document, where documents were searched as well."""

_ASKS_FIGURE = re.compile(r"(?i)\bhow (?:long|many|much|often|far|tall|big|large|old|fast|wide|deep)\b")
_FIGURE = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence, verbatim."""

    quote: str
    path: str
    line: int
    score: float = 1.0
    coverage: float = 1.0
    """The part of the question's words that it holds, rare words counting more: 0 to 1."""
    cited: bool = True
    """``False`` for what a tool computed."""

    @property
    def source(self) -> str:
        """``path:line`` of its first character; the tool's name for what a tool computed."""
        return f"{self.path}:{self.line}" if self.cited else self.path

    @property
    def plain(self) -> str:
        """The sentence on one line."""
        return " ".join(self.quote.split())


def gather(reading: Reading) -> list[Evidence]:
    """All sentences that fit, best first: of documents, or of the prompt where no document has one."""
    found = _without(rank(reading.question, reading.documents), reading.complaints)
    size = sum(len(document.text) for document in reading.prompt)
    if not found and (size >= SMALL_PROMPT or not reading.calls):
        found = _without(rank(reading.question, reading.prompt), reading.complaints)
    facts = [Evidence(fact.text, fact.path, fact.line, cited=False) for fact in reading.facts]
    return facts + found


def best(evidence: list[Evidence], limit: int = MAX_ANSWER) -> list[Evidence]:
    """The part of the evidence that belongs into an answer."""
    top = max((item.score for item in evidence), default=0.0)
    return [item for item in evidence if item.score >= KEEP * top][:limit]


def rank(question: str, documents: Iterable[Document]) -> list[Evidence]:
    """Sentences that share enough words with the question, best first; equal ones in the order of the documents."""
    asked = content_words(question) if stems(question) else []
    units = _units(documents)
    if not asked or not units:
        return []
    index = TextIndex((f"{unit.path} {sentence.heading}", unit.quote) for unit, sentence in units)
    body = {word: index.rows(word, "body") for word in asked}
    anywhere = {word: body[word] | index.rows(word, "context") for word in asked}
    weights = {word: math.log(1 + len(units) / (1 + len(anywhere[word]))) + 0.1 for word in asked}
    total = sum(weights.values())
    scores = index.search(asked, len(units))
    top = max((score for _, score in scores), default=0.0)
    needed = _needed(asked)
    bonus = FIGURE_BONUS if _ASKS_FIGURE.search(question) else 0.0
    found: list[Evidence] = []
    for row, score in scores:
        matched = [word for word in asked if row in anywhere[word]]
        if len(matched) < needed or not any(row in body[word] for word in asked):
            continue
        unit, sentence = units[row]
        coverage = round(sum(weights[word] for word in matched) / total, 4)
        figure = bonus if _FIGURE.search(unit.quote) else 0.0
        value = (coverage + 0.5 * (score / top if top > 0 else 0.0) + figure) * sentence.weight
        found.append(Evidence(unit.quote, unit.path, unit.line, round(value, 6), coverage))
    return sorted(found, key=lambda item: -item.score)


def _needed(asked: list[str]) -> int:
    """Words that a sentence has to share: one is chance, unless it is all there is; in a long question two are."""
    if sum(not word.isascii() and len(word) == 2 for word in asked) * 2 > len(asked):
        return 1 if len(asked) <= 4 else 2  # pairs of characters overlap: a word that is not shared breaks two of them
    return 1 if len(asked) == 1 else 2 if len(asked) <= 7 else 3


def _units(documents: Iterable[Document]) -> list[tuple[Evidence, Sentence]]:
    units: dict[tuple[str, int, str], tuple[Evidence, Sentence]] = {}
    for document in documents:
        line, counted = document.line, 0
        for sentence in sentences(document.text):
            line, counted = line + document.text.count("\n", counted, sentence.start), sentence.start
            quote = document.text[sentence.start : sentence.end]
            units.setdefault((document.path, line, quote), (Evidence(quote, document.path, line), sentence))
    return list(units.values())


def _without(evidence: list[Evidence], complaints: str) -> list[Evidence]:
    """What nobody complained about: a correction names the source or the beginning of the quotation."""
    if not complaints:
        return evidence
    return [item for item in evidence if not _named(item, complaints)]


def _named(item: Evidence, complaints: str) -> bool:
    beginning = item.quote[:60]
    if len(beginning) >= 15 and (beginning in complaints or escape_control(beginning, 60).rstrip("…") in complaints):
        return True
    place = re.escape(escape_control(item.source, 200))
    return bool(re.search(rf"(?<![\w/.-]){place}(?!\d)", complaints))
