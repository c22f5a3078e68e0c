"""Checker of a plan: does a result speak of what its criterion names? And a comparer: which texts say the same?"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_criteria_words import read_criterion
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_material import as_value, plain_text
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_roles.base import Blind, Request
from activities.providers.offline_values import denies
from activities.providers.offline_words import content_roots, root, spoken, synonyms

MET = 0.5
"""The part of a criterion's words that a result has to speak of, where nothing of it can be counted or looked up."""
SAME = 0.7
"""The part of all words that two texts share which say the same."""
_HONEST = re.compile(r"(?i)\b(?:do|does) not answer\b[^.]{0,80}\b(?:honest|fulfil|fulfils|met|success|counts)\b")
_NUMBERED = re.compile(r"\n\n\d{1,2}\. ")


@dataclass(frozen=True)
class Verdict(Blind):
    """Looks for the criterion's words."""

    names: tuple[str, str]
    """The fields for the verdict and for the reason; the second one may be empty."""
    criterion: str
    result: str
    takes_nothing: bool
    """A result that says that there is no answer counts."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """Met or not, and why."""
        del evidence
        met, why = judged(self.criterion, self.result)
        if self.takes_nothing and self.result.strip() == NOTHING:
            met, why = True, "The result says that there is no answer."
        verdict, reason = self.names
        if reason:
            yield {verdict: met, reason: why[:1000]}
        yield {verdict: met}


@dataclass(frozen=True)
class Comparer(Blind):
    """Compares words and figures: what differs in a figure is another answer."""

    name: str
    texts: tuple[str, ...]

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The numbers of the texts that say the same, in groups."""
        del evidence
        groups: list[list[int]] = []
        for at, text in enumerate(self.texts):
            own = next((group for group in groups if alike(self.texts[group[0] - 1], text)), None)
            if own is None:
                groups.append([at + 1])
            else:
                own.append(at + 1)
        yield {self.name: groups}


def recognise(request: Request) -> Verdict | Comparer | None:
    """A verdict on a result by a criterion; or which texts say the same."""
    kinds = {name: field.get("type") for name, field in request.fields.items()}
    sections = request.sections
    if set(kinds) == {"groups"}:
        numbered = _NUMBERED.split(f"\n\n{sections.under('answers', 'texts')}")
        return Comparer("groups", tuple(text.strip() for text in numbered[1:]))
    verdict = next((name for name, kind in kinds.items() if kind == "boolean"), "")
    reason = next((name for name, kind in kinds.items() if kind == "string"), "")
    if verdict != "met" or set(kinds) - {verdict, reason}:
        return None
    result = sections.given or sections.under("result", "results", "output")
    honest = bool(_HONEST.search(" ".join(request.instructions.split())))
    criterion = sections.under("success", "criterion", "criteria")
    return Verdict((verdict, reason), criterion, plain_text(as_value(result)), honest)


def alike(one: str, other: str) -> bool:
    """Whether two texts say the same."""
    mine, theirs = content_roots(one), content_roots(other)
    figures = {word for word in {*spoken(one)} ^ {*spoken(other)} if any(map(str.isdigit, word))}
    denied = denies(one) != denies(other)
    return not figures and not denied and len(mine & theirs) >= SAME * max(1, len(mine | theirs))


def judged(criterion: str, result: str) -> tuple[bool, str]:
    """Whether a result fulfils a criterion, and why."""
    if result.strip() in {"", NOTHING}:
        return False, "The result says nothing."
    if checks := read_criterion(criterion):
        problems = [check.problem(result) for check in checks if not check.holds(result)]
        return not problems, problems[0] if problems else f"It holds what was asked for: {criterion}"
    wanted, there = content_roots(criterion), {root(word) for word in spoken(result)}
    lacking = sorted(one for one in wanted if one not in there and not synonyms(one) & there)
    if wanted and len(lacking) > (1 - MET) * len(wanted):
        words = [word for word in spoken(criterion) if root(word) in lacking]
        return False, f"The result does not speak of {', '.join(dict.fromkeys(words))}."
    return True, "The result speaks of what the criterion names."
