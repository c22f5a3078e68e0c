"""Editor: which criteria a draft fulfils, as far as they can be looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_criteria import Check
from activities.providers.offline_criteria_words import MAX_CRITERIA, read_criterion, read_problem
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_material import as_value, plain_text
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_roles.base import CUTS, Blind, Request
from activities.providers.offline_sections import listed

SAYS_NOTHING = "It says nothing on what was asked."


@dataclass(frozen=True)
class Editor(Blind):
    """Counts the criteria that hold. One that no program can look at is not held against a draft."""

    criteria: tuple[str, ...]
    draft: str

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The judgement, with fewer and fewer problems."""
        del evidence
        problems = self.problems()
        judged = [said for said in self.criteria if read_criterion(said)]
        failed = sum(any(not check.holds(self.draft) for check in read_criterion(said)) for said in judged)
        empty = problems[:1] == [SAYS_NOTHING]
        score = 0.0 if empty else round(1 - failed / len(judged), 2) if judged else 1.0
        for count in CUTS:
            yield {"accepted": not problems, "score": score, "problems": problems[:count]}

    def problems(self) -> list[str]:
        """What is wrong, one sentence each."""
        if self.draft.strip() in {"", NOTHING}:
            return [SAYS_NOTHING]
        checks = (check for said in self.criteria for check in read_criterion(said))
        return [check.problem(self.draft)[:1000] for check in checks if not check.holds(self.draft)][:20]


def recognise(request: Request) -> Editor | None:
    """A judgement of a draft: accepted, a score, problems."""
    if set(request.fields) != {"accepted", "score", "problems"}:
        return None
    sections = request.sections
    shown = next((part.body for part in sections.parts if "draft" in part.words), None)
    draft = sections.given if shown is None else shown
    return Editor(criteria_of(request), plain_text(as_value(draft)))


def criteria_of(request: Request) -> tuple[str, ...]:
    """The criteria that a prompt lists; else those in a list of the instructions."""
    said = request.sections.under("criteria", "criterion", "fulfil")
    if said:
        return tuple(listed(said)[:MAX_CRITERIA])
    lines = (line.strip() for line in request.instructions.split("\n"))
    return tuple(line[2:].strip() for line in lines if line.startswith(("- ", "* ")))[:MAX_CRITERIA]


def checks_of(problems: Sequence[str], criteria: Sequence[str]) -> tuple[Check, ...]:
    """All that problems and criteria ask for, each thing once."""
    wanted = [check for said in problems for check in read_problem(said)]
    wanted += [check for said in criteria for check in read_criterion(said)]
    return tuple(dict.fromkeys(wanted))
