"""Which of several described things a text speaks of: destinations of a router, executors of a plan, labels of a batch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from activities.providers.offline_words import MIN_PREFIX, content_roots, root, spoken, synonyms
from activities.text import words

NAMED, DESCRIBED, ALIKE = 1.5, 1.0, 0.7
"""What a shared word counts: of a name, of its description; and what is left of it for a synonym or a part of a word."""
ONE_WORD = 0.25
"""Doubt that one shared word leaves; with each further one it is that much less."""
NO_LIKENESS = 0.1
"""Confidence of a choice that nothing speaks for."""
MAX_NAMED = 4
"""Words that a reason names."""
_COLUMN = re.compile(r"(?:^|;)\s*[^:;\n]{1,60}:(?=\s|$)")
_TELLING = frozenset({"would", "could", "want", "wants", "need", "needs", "how", "please", "thank"})
_QUESTIONS = frozenset({"question", "questions", "ask", "asks", "asked", "asking"})
_REST = frozenset({"other", "others", "else", "rest", "none", "unknown", "unclear", "misc", "miscellaneous", "general"})


@dataclass(frozen=True)
class Choice:
    """What was chosen."""

    name: str
    confidence: float
    """From 0 to 1: how many words speak for it, and how few for the next one."""
    said: tuple[str, ...]
    """Words of the text that speak for it; none where nothing does."""


def choose(described: Mapping[str, str], text: str) -> Choice:
    """The one that shares most with a text; where none shares a word the one for the rest, or the first, with little confidence.

    Args:
        described: at least one name with its description, which may be empty.
        text: what it is about.
    """
    if len(_COLUMN.findall(text)) > 1:
        text = _COLUMN.sub("; ", text)  # the names of a row's columns stand in every row
    said = spoken(text)
    carrying = content_roots(text)
    there = {one: word for word in reversed(said) if (one := root(word)) in carrying}
    wanted = {name: _wanted(name, description) for name, description in described.items()}
    common = [root for own in wanted.values() for root in own]
    scores: dict[str, float] = {}
    shared: dict[str, list[str]] = {}
    for name, own in wanted.items():
        scores[name], shared[name] = 0.0, []
        for one, weight in own.items():
            word, likeness = _found(one, there)
            if not word or (len(described) > 1 and common.count(one) == len(described)):
                continue
            scores[name] += weight * likeness / common.count(one)
            shared[name] += [word] if word not in shared[name] else []
        for phrase in _phrases(f"{name} {described[name]}", text):
            scores[name] += DESCRIBED
            shared[name].append(phrase)
    best = max(scores, key=lambda name: scores[name])
    if not scores[best]:
        rest = [name for name, description in described.items() if is_rest(name, description)]
        return Choice(rest[0] if rest else best, NO_LIKENESS, ())
    second = max((score for name, score in scores.items() if name != best), default=0.0)
    sure = scores[best] / (scores[best] + second) * (1 - ONE_WORD / len(shared[best]))
    order = sorted(shared[best], key=lambda word: said.index(word) if word in said else len(said))
    return Choice(best, round(sure, 2), tuple(order[:MAX_NAMED]))


def because(choice: Choice) -> str:
    """Why, in one sentence."""
    if not choice.said:
        return "No word of it speaks for any of them."
    return f"It says {_listed(choice.said)}."


def _listed(said: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in said)


def _wanted(name: str, description: str) -> dict[str, float]:
    found = dict.fromkeys(sorted(content_roots(description)), DESCRIBED)
    return found | dict.fromkeys(sorted(content_roots(" ".join(words(name)))), NAMED)


def _found(one: str, there: Mapping[str, str]) -> tuple[str, float]:
    """The word of the text that stands for a root, and how well."""
    if one in there:
        return there[one], 1.0
    alike = sorted(synonyms(one) & set(there))
    if not alike and len(one) >= MIN_PREFIX:
        alike = sorted(
            other for other in there if len(other) >= MIN_PREFIX and (other.startswith(one) or one.startswith(other))
        )
    return (there[alike[0]], ALIKE) if alike else ("", 0.0)


def _phrases(described: str, text: str) -> list[str]:
    """What else they share: wishes and questions are told by words that otherwise say nothing, and by a mark."""
    told, said = words(described), words(text)
    pairs = {f"{one} {two}" for one, two in pairwise(told) if {one, two} & _TELLING}
    found = [f"{one} {two}" for one, two in pairwise(said) if f"{one} {two}" in pairs]
    marked = ["?"] if "?" in text and set(told) & _QUESTIONS else []
    return [*dict.fromkeys(found), *marked]


def is_rest(name: str, description: str) -> bool:
    """Whether something is for what belongs nowhere else."""
    return bool(_REST & {*words(name), *words(description)[:3]})
