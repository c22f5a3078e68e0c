"""Which sentences answer a question: how much of it each one covers, where its words stand, and how plainly it says so."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from activities.providers.offline_prose import Sentence
from activities.providers.offline_question import TIME_WORDS, Question, is_kind, is_time, somebody
from activities.providers.offline_reading import Document, Reading
from activities.providers.offline_sentences import plain, sentences
from activities.providers.offline_words import MIN_PREFIX, root, spoken, synonyms
from activities.text import escape_control

MAX_ANSWER = 3
"""Sentences of one answer: enough for a fact and its conditions, few enough to read."""
KEEP, COVERS = 0.86, 0.88
"""Sentences that score less than this part of the best one, or cover less of the question, are left out of an answer."""
IN_ITS_PLACE = 0.65
"""Against the best sentence, one that comes in the place of those that somebody complained about."""
MIN_COVERAGE, MIN_COVERAGE_PAIRS = 0.48, 0.3
"""A sentence that covers less of the question does not answer it. Pairs of characters overlap: fewer of them are words."""
WITHOUT_NAMES, WITHOUT_FOCUS, WITHOUT_KIND = 0.55, 0.5, 0.45
"""What is left of a sentence's coverage where it lacks a name, what is asked for, or a figure that is asked for."""
IN_BODY, ALIKE, IN_CONTEXT, NEARBY, IN_PATH, IN_DOCUMENT = 1.0, 0.75, 0.65, 0.4, 0.35, 0.2
"""How much a word counts by where it stands: in the sentence; there as a synonym or a part of a longer word; in the
heading or the column names; in a sentence beside it; in the path; elsewhere in the document."""
FAR_FROM_NAMES, DEFINES, SHOWN = 0.75, 1.6, 1.1
"""The same where a name stands elsewhere in the document; what a definition gains where one is asked for; and what a
sentence with code does where the question is how."""
TITLE, UNDER_TITLE = 0.8, 0.95
"""A heading that holds so much of the question is its title, and its words then count for all below it."""
MIN_QUOTE_WORDS = 3
"""A shorter sentence is quoted with its neighbour: ``six`` alone proves nothing."""
MAX_WIDENED, MAX_LINE = 4, 300
"""Lines that are taken in, and characters of each."""
SMALL_PROMPT = 200
"""Characters of a prompt beyond its question that make it a document, where documents were searched as well."""

_TERM = re.compile(
    r"\W*(?:(?:an?|the|ein|eine|der|die|das)\s+)?([^|:=\n]{1,60}?)\s*(?:[|:=,;\t\u2013\u2014]|\s-\s|\b(?:is|are|was|were|means|ist|sind|war|bezeichnet)\b)",
    re.IGNORECASE,
)


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
    page: int = 0
    """Of a PDF."""
    claim: str = ""
    """What it says, in plain words, where that is not the quotation itself."""
    cite: str = ""
    """Its source, where that was given as it is to stay."""

    @property
    def source(self) -> str:
        """``path:line`` of its first character, ``path:pPAGE``; the tool's name for what a tool computed."""
        if self.cite or not self.cited:
            return self.cite or self.path
        return f"{self.path}:p{self.page}" if self.page else f"{self.path}:{self.line}"

    @property
    def plain(self) -> str:
        """What it says, on one line."""
        return self.claim or " ".join(self.quote.split())


@dataclass(slots=True)
class _Unit:
    evidence: Evidence
    sentence: Sentence
    document: int
    body: frozenset[str]
    context: frozenset[str]
    """Words of its heading and columns."""
    path: frozenset[str]


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
    covered = max((item.coverage for item in evidence), default=0.0)
    return [item for item in evidence if item.score >= KEEP * top and item.coverage >= COVERS * covered][:limit]


def rank(question: str, documents: Iterable[Document]) -> list[Evidence]:
    """Sentences that cover enough of the question, best first; equal ones in the order of the documents."""
    asked = Question.read(question)
    if not asked.words:
        return []
    documents = [document for document in documents if asked.within in {"", document.path}]
    units = _units(documents)
    if not units:
        return []
    matcher = _Matcher(asked, units)
    found: list[Evidence] = []
    for at, unit in enumerate(units):
        coverage, said = matcher.coverage(at)
        if coverage < matcher.least:
            continue
        length = len(unit.evidence.quote)
        leads = asked.wants_advice and unit.evidence.quote.endswith(":")  # what is to be done follows
        weight = 1.0 if leads else unit.sentence.weight
        score = (coverage + 0.4 * said + 0.1 / (1 + length / 200)) * weight
        if asked.wants_advice and "`" in unit.evidence.quote:
            score *= SHOWN
        if asked.defined:
            score *= DEFINES if defines(asked.defined, unit.evidence.quote) else 1.0
        evidence = replace(unit.evidence, score=round(score, 6), coverage=round(min(1.0, coverage), 4))
        found.append(_widened(evidence, unit.sentence, documents[unit.document]))
    return sorted(found, key=lambda item: -item.score)


class _Matcher:
    """How well each unit fits the question."""

    def __init__(self, question: Question, units: list[_Unit]) -> None:
        self._question, self._units = question, units
        vocabulary = {word for unit in units for word in unit.body | unit.context | unit.path}
        self._forms = {word: _forms(word, vocabulary) for word in question.words}
        counts: defaultdict[str, int] = defaultdict(int)
        whole: defaultdict[str, set[str]] = defaultdict(set)
        for unit in units:
            for word, (same, alike) in self._forms.items():
                if (same | alike) & (unit.body | unit.context | unit.path):
                    counts[word] += 1
            whole[unit.evidence.path] |= unit.body
        self._whole = whole
        size = len(units)
        self._weights = {
            word: weight * (math.log(1 + size / (1 + counts[word])) + 0.5) for word, weight in question.words.items()
        }
        self._total = sum(self._weights.values())
        self.least = MIN_COVERAGE_PAIRS if _in_pairs(list(question.words)) else MIN_COVERAGE
        self._needed = _needed([word for word, weight in question.words.items() if weight >= 1.0])

    def coverage(self, at: int) -> tuple[float, float]:
        """The part of the question that a sentence covers with what is around it, and by itself."""
        found = {word: self._match(word, at) for word in self._weights}
        strong = [word for word, weight in self._question.words.items() if weight >= 1.0] or list(found)
        names = [word for word in found if root(word) in self._question.names]
        if sum(found[word] >= (IN_PATH if word in names else IN_DOCUMENT) for word in strong) < min(
            self._needed, len(strong)
        ):
            return 0.0, 0.0
        own = sum(self._weights[word] * found[word] for word in found if found[word] >= ALIKE) / self._total
        if not own:
            return 0.0, 0.0
        total = sum(self._weights[word] * found[word] for word in found) / self._total
        unit = self._units[at]
        if names:
            least = min(found[word] for word in names)
            total *= WITHOUT_NAMES if least == 0 else FAR_FROM_NAMES if least <= IN_DOCUMENT else 1.0
        if self._question.identifiers:
            said = f"{unit.evidence.quote} {unit.sentence.heading} {unit.evidence.path}".lower()
            total *= 1.0 if any(name in said for name in self._question.identifiers) else WITHOUT_NAMES
        focus = self._question.focus
        if focus and (found[focus] < NEARBY or (found[focus] == ALIKE and self._lacks_somebody(unit))):
            total *= WITHOUT_FOCUS
        if not self._question.suits(unit.evidence.quote):
            total *= WITHOUT_KIND
        return total, own

    def _lacks_somebody(self, unit: _Unit) -> bool:
        """Whether somebody is asked for, and a sentence names nobody."""
        return self._question.asks_who and not somebody(unit.evidence.quote) - self._question.names

    def _match(self, word: str, at: int) -> float:
        unit = self._units[at]
        same, alike = self._forms[word]
        if same & unit.body:
            return IN_BODY
        if alike & unit.body:
            return ALIKE
        if is_kind(word, unit.evidence.quote):
            return ALIKE
        if same & unit.context:
            return UNDER_TITLE if self._is_title(unit) else IN_CONTEXT
        if alike & unit.context:
            return IN_CONTEXT * ALIKE
        beside = [
            self._units[other].body
            for other in (at - 1, at + 1)
            if 0 <= other < len(self._units)
            and self._units[other].document == unit.document
            and self._units[other].sentence.block == unit.sentence.block
        ]
        if (same | alike) & unit.path:
            return IN_PATH
        if (
            word == self._question.focus
            and word in TIME_WORDS
            and not self._question.wants_figure
            and is_time(unit.evidence.quote)
        ):
            return ALIKE
        if any(same & body for body in beside):
            return NEARBY
        return IN_DOCUMENT if same & self._whole[unit.evidence.path] else 0.0

    def _is_title(self, unit: _Unit) -> bool:
        """Whether a heading says what the question says: what stands below it is the answer."""
        said = sum(self._weights[word] for word, (same, _) in self._forms.items() if same & unit.context)
        return said >= TITLE * self._total


def _forms(word: str, vocabulary: set[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The roots that are the word, and those that are like it: synonyms, and longer or shorter words of the same stem."""
    own = root(word)
    alike = set(synonyms(word)) & vocabulary
    if len(own) >= MIN_PREFIX:
        alike |= {other for other in vocabulary if other.startswith(own) or own in other[-len(own) :]}
        alike |= {
            other for other in vocabulary if len(other) >= MIN_PREFIX and (own.startswith(other) or own.endswith(other))
        }
    return frozenset({own}), frozenset(alike - {own})


def _needed(asked: list[str]) -> int:
    """Words that a sentence has to share: one is chance, unless it is all there is; in a long question two are."""
    if _in_pairs(asked):
        return 1 if len(asked) <= 4 else 2  # pairs of characters overlap: a word that is not shared breaks two of them
    return 1 if len(asked) <= 1 else 2 if len(asked) <= 7 else 3


def defines(term: frozenset[str], quote: str) -> bool:
    """Whether a sentence begins with a term and goes on to say what it is: a glossary's row, ``a term is ...``."""
    head = _TERM.match(quote)
    said = [root(word) for word in spoken(head[1])] if head else []
    return bool(said) and term <= set(said) and len(said) <= len(term) + 2


def _in_pairs(asked: list[str]) -> bool:
    return sum(not word.isascii() and len(word) == 2 for word in asked) * 2 > len(asked)


def _units(documents: list[Document]) -> list[_Unit]:
    units: dict[tuple[str, int, int, str], _Unit] = {}
    for number, document in enumerate(documents):
        line, counted = document.line, 0
        path = frozenset(root(word) for word in spoken(document.path))
        for sentence in sentences(document.text, document.path, document.columns):
            line, counted = line + document.text.count("\n", counted, sentence.start), sentence.start
            quote = document.text[sentence.start : sentence.end]
            key = (document.path, document.page, line, quote)
            if key in units and len(units[key].sentence.heading) >= len(sentence.heading):
                continue  # the same again; a longer part of the document knows more of what stands above it
            evidence = Evidence(quote, document.path, line, page=document.page)
            context = frozenset(map(root, spoken(f"{sentence.heading} {sentence.columns}")))
            units[key] = _Unit(evidence, sentence, number, frozenset(map(root, spoken(quote))), context, path)
    return list(units.values())


def _widened(evidence: Evidence, sentence: Sentence, document: Document) -> Evidence:
    """With a claim in plain words; and with the line before it, or those after it, where the quotation is too short."""
    claim = plain(evidence.quote, sentence.columns)
    text, start, end = document.text, sentence.start, sentence.end
    for _ in range(MAX_WIDENED):
        if len(spoken(text[start:end])) >= MIN_QUOTE_WORDS or document.page:
            break
        line = text.rfind("\n", 0, start) + 1
        before = text.rfind("\n", 0, max(0, line - 1)) + 1
        if line and line - before < MAX_LINE and text[before:line].strip():
            start = before + len(text[before:line]) - len(text[before:line].lstrip())
        elif end < len(text):
            stop = text.find("\n", end + 1)
            end = min(stop if stop >= 0 else len(text), end + MAX_LINE)
    first = evidence.line - text.count("\n", start, sentence.start)
    return replace(evidence, quote=text[start:end].rstrip(), line=first, claim=claim)


def _without(evidence: list[Evidence], complaints: str) -> list[Evidence]:
    """What nobody complained about: a correction names the source or the beginning of the quotation."""
    if not complaints:
        return evidence
    top = max((item.score for item in evidence), default=0.0)
    # What is far worse than what was complained about is no answer in its place.
    return [item for item in evidence if not _named(item, complaints) and item.score >= IN_ITS_PLACE * top]


def _named(item: Evidence, complaints: str) -> bool:
    beginning = item.quote[:60]
    if len(beginning) >= 15 and (beginning in complaints or escape_control(beginning, 60).rstrip("…") in complaints):
        return True
    place = re.escape(escape_control(item.source, 200))
    return bool(re.search(rf"(?<![\w/.-]){place}(?!\d)", complaints))
