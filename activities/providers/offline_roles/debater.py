"""Debater: a position with the sentences that speak for it; and another one where others have more to show."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from activities.providers.offline_evidence import Evidence, rank
from activities.providers.offline_matching import choose
from activities.providers.offline_material import values_in
from activities.providers.offline_prompts import entries
from activities.providers.offline_reading import Document
from activities.providers.offline_roles.base import Looking, Request, options
from activities.providers.offline_sentences import plain, sentences
from activities.providers.offline_values import denies
from activities.providers.offline_words import VAGUE_WORDS, asked_words, content_roots, root, spoken
from activities.text import words

UNSURE = 0.6
"""A debater that is less sure than this listens to the others."""
SECOND_HAND = 0.9
"""What is left of somebody's confidence in the words of another."""
BY_ROLE = 0.5
"""How much a sentence gains that speaks of what the debater's own instructions name."""
NEARLY = 0.9
"""Against the best sentence on the question, one that also names what the debater looks at."""
NAMES = 0.3
"""The part of a question's words that such a sentence names."""
ONE_REASON = 0.35
"""Doubt that one sentence leaves; with each further one it is that much less."""
MAX_REASONS, MAX_REASON, MAX_POSITION, MAX_READ = 3, 500, 300, 12
_FOR_WORDS = "yes approve approved accept allow agree true keep grant ja"
_FOR = frozenset(_FOR_WORDS.split())
_AGAINST_WORDS = "no reject rejected refuse deny forbid disagree false drop nein not never"
_AGAINST = frozenset(_AGAINST_WORDS.split())
_DUTIES = frozenset(
    [
        "argue",
        "argument",
        "arguments",
        "confident",
        "debate",
        "debater",
        "input",
        "look",
        "looks",
        "one",
        "position",
        "positions",
        "reason",
        "reasons",
        "sure",
        "vote",
        "votes",
    ]
)
_OF_YOU = re.compile(r"(?:^|(?<=[.;!?] ))You [^.;!?]{1,500}")
_RESTRICTS = re.compile(
    r"(?i)\b(?:forbidden|prohibited|refused|rejected|banned|illegal|against|oppose[sd]?|objects?|dangerous|risky|too \w+|verboten|ausgeschlossen)\b"
)


@dataclass(frozen=True)
class _View:
    """What a debater holds, and why."""

    position: str
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Debater(Looking):
    """Votes from what it has read; an abstention where it has read nothing on it."""

    positions: tuple[str, ...]
    request: Request
    votes: tuple[dict[str, Any], ...]
    """What everybody said in the round before; none in the first one."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The vote, with fewer and shorter reasons."""
        view = self._convinced(self._held() or self._own(evidence))
        for count, length in ((MAX_REASONS, MAX_REASON), (1, MAX_REASON), (1, 100), (0, 0)):
            vote: dict[str, Any] = {
                "position": view.position if view else self.positions[0] if self.positions else "",
                "confidence": view.confidence if view else 0.0,
                "reasons": [_cut(reason, length) for reason in view.reasons[:count]] if view else [],
            }
            yield vote | ({"abstain": view is None} if "abstain" in self.request.fields else {})

    def _held(self) -> _View | None:
        """What it said in the round before."""
        said = self.request.before
        if not isinstance(said, dict) or said.get("abstain") or not said.get("position"):
            return None
        return _view(said)

    def _own(self, evidence: Sequence[Evidence]) -> _View | None:
        """What its reading comes to."""
        interest = interest_in(self.request.instructions)
        # What is to be decided on is asked in words that no document has: the bare ones are the second try.
        evidence = evidence or rank(" ".join(asked_words(self.request.reading.question)), self._texts)
        evidence = [*evidence, *of_interest(self.request.reading.question, interest, self._texts, evidence)]
        top = max((item.score for item in evidence), default=0.0)
        heard = sorted((_weighed(item, interest, top) for item in evidence), key=lambda item: -item.score)
        # It speaks for what it is told to look at, where the documents have anything on that.
        heard = [item for item in heard if _share(item.quote, interest)] or heard
        if not self.positions:
            if not heard:
                return None
            position = _cut(heard[0].plain, MAX_POSITION)
            return _View(position, round(min(1.0, heard[0].coverage), 2), _reasons(heard[:MAX_REASONS]))
        return self._chosen(heard[:MAX_READ])

    def _chosen(self, heard: Sequence[Evidence]) -> _View | None:
        """The declared position that most speaks for."""
        weights: defaultdict[str, float] = defaultdict(float)
        speaking: defaultdict[str, list[Evidence]] = defaultdict(list)
        question = self.request.reading.question
        also = (
            [item for position in self.positions for item in rank(position, self._texts)]
            if not _sides(self.positions)
            else []
        )
        quotes = {item.quote: item for item in [*also, *heard]}
        for item in quotes.values():
            position, weight = _stands_for(item.quote, self.positions, question)
            if position:
                weights[position] += weight * item.score
                if weight > 0:
                    speaking[position].append(item)
        top = max(self.positions, key=lambda position: weights[position])
        if weights[top] <= 0:
            return None
        second = max((weights[other] for other in self.positions if other != top), default=0.0)
        own = speaking[top]
        sure = weights[top] / (weights[top] + max(0.0, second)) * (1 - ONE_REASON / len(own))
        ordered = sorted(own, key=lambda item: -item.score)
        return _View(top, round(sure, 2), _reasons(ordered))

    @property
    def _texts(self) -> list[Document]:
        return [*self.request.reading.documents, *self.request.reading.prompt]

    def _convinced(self, view: _View | None) -> _View | None:
        """The position of the others, where this one is unsure of its own and they have more to say for theirs."""
        if view and view.confidence >= UNSURE:
            return view
        support: defaultdict[str, list[_View]] = defaultdict(list)
        for vote in self.votes:
            said = _view(vote)
            if said and not vote.get("abstain") and (not self.positions or said.position in self.positions):
                support[said.position].append(said)
        if not support:
            return view
        strength = {position: sum(said.confidence for said in views) for position, views in support.items()}
        top = max(strength, key=lambda position: strength[position])
        if view and (top == view.position or strength[top] <= max(view.confidence, strength.get(view.position, 0.0))):
            return view
        surest = max(support[top], key=lambda said: said.confidence)
        return _View(top, round(surest.confidence * SECOND_HAND, 2), surest.reasons)


def recognise(request: Request) -> Debater | None:
    """A position with confidence and reasons, and perhaps an abstention."""
    fields = request.fields
    if not {"position", "confidence", "reasons"} <= set(fields) or set(fields) - {
        "position",
        "confidence",
        "reasons",
        "abstain",
    }:
        return None
    said = values_in(request.latest) if request.latest else []
    votes = tuple(vote for vote in entries(said, "position") if isinstance(vote.get("confidence"), int | float))
    return Debater(tuple(options(fields["position"])), request, votes)


def interest_in(instructions: str) -> set[str]:
    """The roots of what a debater is told to look at: what its instructions say of ``you``."""
    own = " ".join(_OF_YOU.findall(" ".join(instructions.split())))
    return content_roots(" ".join(word for word in spoken(own) if word not in VAGUE_WORDS | _DUTIES))


def of_interest(
    question: str, interest: set[str], texts: Sequence[Document], known: Sequence[Evidence]
) -> list[Evidence]:
    """Sentences that name something of the question and something of what a debater looks at, beside those known."""
    asked = {root(word) for word in asked_words(question) if word not in VAGUE_WORDS} - interest
    quotes = {item.quote for item in known}
    top = max((item.score for item in known), default=1.0)
    found: dict[str, Evidence] = {}
    for document in texts:
        for sentence in sentences(document.text, document.path, document.columns):
            quote = document.text[sentence.start : sentence.end]
            said = {root(word) for word in spoken(quote)}
            if len(said & asked) >= NAMES * len(asked) > 0 and said & interest and quote not in quotes:
                line = document.line + document.text.count("\n", 0, sentence.start)
                covered = round(len(said & asked) / len(asked), 2)
                item = Evidence(quote, document.path, line, NEARLY * top, covered, page=document.page)
                found.setdefault(quote, replace(item, claim=plain(quote, sentence.columns)))
    return list(found.values())[:MAX_READ]


def _sides(positions: Sequence[str]) -> tuple[str, str] | None:
    """The position for it and the one against it, where they are that."""
    pro = [position for position in positions if set(words(position)[:1]) & _FOR]
    con = [position for position in positions if set(words(position)[:1]) & _AGAINST]
    return (pro[0], con[0]) if len(pro) == len(con) == 1 else None


def _stands_for(quote: str, positions: Sequence[str], question: str) -> tuple[str, float]:
    """The position that a sentence speaks for; with a negative weight the one that it speaks against."""
    if sides := _sides(positions):
        denied = denies(quote) or bool(_RESTRICTS.search(quote))
        return sides[1] if denied != denies(question) else sides[0], 1.0
    choice = choose(dict.fromkeys(positions, ""), quote)
    if not choice.said:
        return "", 0.0
    against = any(
        re.search(
            rf"(?i)\b(?:not|never|no|without|cannot|\w+n['\u2019]t)\b(?:\W+\w+){{0,3}}\W+{re.escape(word)}\b", quote
        )
        for word in choice.said
    )
    return choice.name, -choice.confidence if against else choice.confidence


def _view(vote: dict[str, Any]) -> _View | None:
    confidence, reasons = vote.get("confidence"), vote.get("reasons")
    if not isinstance(confidence, int | float) or not str(vote.get("position") or "").strip():
        return None
    said = tuple(str(reason) for reason in reasons) if isinstance(reasons, list) else ()
    return _View(str(vote["position"]), float(confidence), said)


def _weighed(item: Evidence, interest: set[str], top: float) -> Evidence:
    share = _share(item.quote, interest)
    return replace(item, score=max(item.score, NEARLY * top) * (1 + BY_ROLE * share)) if share else item


def _share(quote: str, interest: set[str]) -> float:
    """How much of a sentence is about what somebody is interested in, at most 1: two words are enough."""
    return min(1.0, len({root(word) for word in spoken(quote)} & interest) / 2)


def _reasons(items: Sequence[Evidence]) -> tuple[str, ...]:
    return tuple(f'"{" ".join(item.quote.split())}" ({item.source})' for item in items[:MAX_REASONS])


def _cut(said: str, length: int) -> str:
    return said if len(said) <= length else said[: max(0, length - 1)].rpartition(" ")[0] + "…"
