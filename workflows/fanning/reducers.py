"""What is made of the answers of branches: pure functions, whose order is that of the branches and never that of arrival.

A tie, a conflict and an answer that does not fit are told: nothing is dropped in silence, and nothing is made up.
"""

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

Reduce = Literal["collect", "merge", "vote", "rank", "first"]
SCORE = "score"
"""The property that ``rank`` sorts by where none is named."""
MAX_CONFLICTS = 20
"""Conflicts of one merge that are told one by one."""


@dataclass(frozen=True)
class Answer:
    """The answer of one branch."""

    branch: str
    output: JsonValue
    index: int | None = None
    """Of its item, from 0; nothing of a declared branch."""
    item: JsonValue = None

    def shown(self) -> dict[str, JsonValue]:
        """The answer as a reducer's node sees it."""
        of = {} if self.index is None else {"index": self.index, "item": self.item}
        return {"branch": self.branch, **of, "output": self.output}


@dataclass(frozen=True)
class Reduced:
    """One answer made of all."""

    output: JsonValue
    remarks: tuple[str, ...] = ()
    """What was decided on the way: ties and conflicts."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Branch to why its answer is not in it."""
    tied: tuple[JsonValue, ...] = ()
    """Of a vote that nobody has won: the values that have equally many votes."""


def unfit(reduce: Reduce, by: str | None, output: JsonValue) -> str:
    """Why an answer is none that can be reduced so; empty: it is one."""
    match reduce:
        case "merge" if not isinstance(output, dict | list):
            return "its answer is neither an object nor a list, so it cannot be merged"
        case "vote" if by is None and output is None:
            return "its answer is null, which is no vote"
        case "vote" if by and (not isinstance(output, dict) or by not in output):
            return f"its answer has no {by!r} to be counted"
        case "rank" if _number(output, by) is None:
            return f"its answer has no number {by or SCORE!r} to be ranked by"
    return ""


def reduced(
    reduce: Reduce, answers: Sequence[Answer], *, by: str | None = None, places: int | None = None, first: str = ""
) -> Reduced:
    """One answer of all.

    Args:
        reduce: how.
        answers: those that fit, in the order of the branches.
        by: the property that counts.
        places: of a fan-out over items, how many items there are.
        first: the branch that answered first.
    """
    match reduce:
        case "collect":
            return Reduced(collected(answers, places))
        case "merge":
            return merged(answers)
        case "vote":
            return voted(answers, by)
        case "rank":
            return Reduced(ranked(answers, by))
        case "first":
            return Reduced(next((answer.output for answer in answers if answer.branch == first), None))


def collected(answers: Sequence[Answer], places: int | None = None) -> JsonValue:
    """The answers by name; with ``places`` a list that has a place for every item, null where there is no answer."""
    if places is None:
        return {answer.branch: answer.output for answer in answers}
    found = {answer.index: answer.output for answer in answers}
    return [found.get(index) for index in range(places)]


def merged(answers: Sequence[Answer]) -> Reduced:
    """Objects into one object, or lists into one list; the first answer says which.

    Objects within objects are merged too. A list has each value as often as the answer that says it most often, in the order
    in which they come. Where two say different things under one name, the earlier branch's stands.
    """
    if not answers:
        return Reduced(None)
    kind = type(answers[0].output)
    unused = {
        answer.branch: f"its answer is {_what(answer.output)}, and that of {answers[0].branch!r} is {_what(answers[0].output)}"
        for answer in answers
        if type(answer.output) is not kind
    }
    fitting = [answer for answer in answers if answer.branch not in unused]
    conflicts: list[str] = []
    whole = fitting[0].output
    for answer in fitting[1:]:
        whole = _merge(whole, answer.output, answer.branch, "", conflicts)
    told = conflicts[:MAX_CONFLICTS]
    if len(conflicts) > len(told):
        told.append(f"{len(conflicts) - len(told)} more conflicts were settled in the same way")
    return Reduced(whole, tuple(told), unused)


def voted(answers: Sequence[Answer], by: str | None = None) -> Reduced:
    """The most frequent value: ``{winner, votes, of, tied, tally}``. Of equally frequent ones the first in order wins.

    Texts that differ in case and white space alone are one value. A null is no vote: it is not counted.
    """
    tally: dict[str, list[Answer]] = {}
    cast = [answer for answer in answers if _value(answer.output, by) is not None]
    for answer in cast:
        tally.setdefault(_ballot(_value(answer.output, by)), []).append(answer)
    counted = sorted(tally.values(), key=len, reverse=True)  # stable: ties keep the order of the branches
    listed: list[JsonValue] = [
        {
            "value": _value(voters[0].output, by),
            "votes": len(voters),
            "branches": [voter.branch for voter in voters],
        }
        for voters in counted
    ]
    most = len(counted[0]) if counted else 0
    tied = tuple(_value(voters[0].output, by) for voters in counted if len(voters) == most)
    output: JsonValue = {
        "winner": tied[0] if tied else None,
        "votes": most,
        "of": len(cast),
        "tied": len(tied) > 1,
        "tally": listed,
    }
    if len(tied) < 2:
        return Reduced(output, unused={} if cast else {answer.branch: "it gave no vote" for answer in answers})
    values = ", ".join(_short(value) for value in tied[:8])
    return Reduced(output, (f"the vote is tied between {values}: the first in the order of branches stands",), {}, tied)


def ranked(answers: Sequence[Answer], by: str | None = None) -> JsonValue:
    """The answers by their number, the highest first, as ``{branch, score, output}``; ties keep the order of the branches."""
    scored = [(score, answer) for answer in answers if (score := _number(answer.output, by)) is not None]
    return [
        {"branch": answer.branch, "score": score, "output": answer.output}
        for score, answer in sorted(scored, key=lambda one: one[0], reverse=True)
    ]


def canonical(value: JsonValue) -> str:
    """A text that two values share where they are the same: 1 is 1.0 and not true, and an accent is one however composed."""
    return unicodedata.normalize("NFC", json.dumps(_plain(value), sort_keys=True, ensure_ascii=False))


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _merge(one: JsonValue, other: JsonValue, branch: str, at: str, conflicts: list[str]) -> JsonValue:
    if isinstance(one, dict) and isinstance(other, dict):
        whole = dict(one)
        for name, value in other.items():
            whole[name] = _merge(one[name], value, branch, f"{at}.{name}", conflicts) if name in one else value
        return whole
    if isinstance(one, list) and isinstance(other, list):
        there = Counter(map(canonical, one))
        there.subtract(said := [canonical(value) for value in other])
        # Below zero: so many of these are more than are there, and the last ones are new.
        more: list[JsonValue] = []
        for name, value in zip(reversed(said), reversed(other), strict=True):
            if there[name] < 0:
                there[name] += 1
                more.append(value)
        return [*one, *reversed(more)]
    if canonical(one) != canonical(other):
        conflicts.append(
            f"{branch!r} says {_short(other)} of {at.lstrip('.')!r}, where {_short(one)} was there before and stands"
        )
    return one


def _value(output: JsonValue, by: str | None) -> JsonValue:
    return output.get(by) if by and isinstance(output, dict) else output


def _number(output: JsonValue, by: str | None) -> float | None:
    """What an answer is ranked by: a property of it, or the answer itself where none is named."""
    value = output.get(by or SCORE) if isinstance(output, dict) else output if by is None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _ballot(value: JsonValue) -> str:
    return canonical(" ".join(value.split()).casefold() if isinstance(value, str) else value)


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _what(value: JsonValue) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "neither"
