"""Checker of a plan: does a result speak of what its criterion names? And a judge of sameness: do two texts say the same?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_criteria import read_criterion
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_material import as_value, plain_text
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_roles.base import Request
from activities.providers.offline_words import content_roots, root, spoken, synonyms

MET = 0.5
"""The part of a criterion's words that a result has to speak of, where nothing of it can be counted or looked up."""
SAME = 0.7
"""The part of all words that two texts share which say the same."""


@dataclass(frozen=True)
class Verdict:
    """Looks for the criterion's words."""

    names: tuple[str, str]
    """The fields for the verdict and for the reason; the second one may be empty."""
    criterion: str
    result: str
    searches: bool = False

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """Met or not, and why."""
        del evidence
        met, why = judged(self.criterion, self.result)
        verdict, reason = self.names
        if reason:
            yield {verdict: met, reason: why[:1000]}
        yield {verdict: met}


@dataclass(frozen=True)
class Sameness:
    """Compares words and figures."""

    name: str
    texts: tuple[str, str]
    searches: bool = False

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """Whether they are the same."""
        del evidence
        one, other = ({root(word) for word in spoken(said)} & content_roots(said) for said in self.texts)
        figures = {word for said in self.texts for word in spoken(said) if any(map(str.isdigit, word))}
        shared = {word for word in figures if all(word in spoken(said) for said in self.texts)}
        yield {self.name: figures == shared and len(one & other) >= SAME * max(1, len(one | other))}


def recognise(request: Request) -> Verdict | Sameness | None:
    """A verdict on a result by a criterion; or whether two texts are the same."""
    kinds = {name: field.get("type") for name, field in request.fields.items()}
    sections = request.sections
    if set(kinds) == {"same"} and kinds["same"] == "boolean":
        given = as_value(sections.given)
        texts = given if isinstance(given, list) else list(given.values()) if isinstance(given, dict) else []
        texts = texts or [part.body for part in sections.parts]
        pair = [plain_text(text) for text in texts[:2]]
        return Sameness("same", (pair[0], pair[1])) if len(pair) == 2 else None
    verdict = next((name for name, kind in kinds.items() if kind == "boolean"), "")
    reason = next((name for name, kind in kinds.items() if kind == "string"), "")
    if verdict != "met" or set(kinds) - {verdict, reason}:
        return None
    result = sections.under("result", "results", "output") or sections.given
    return Verdict((verdict, reason), sections.under("success", "criterion", "criteria"), plain_text(as_value(result)))


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
