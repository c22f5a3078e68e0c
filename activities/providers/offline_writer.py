"""The offline model as a writer: it chooses among findings, and changes neither a quotation nor its source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from activities.contracts.base import Schema
from activities.providers.offline_planner import parts
from activities.providers.offline_prompts import entries, objects, reports
from activities.providers.offline_question import Question
from activities.providers.offline_words import content_roots, root, synonyms

MAX_CLAIMS = 12
"""Claims of one brief. Who wants more reads the documents."""
MAX_EACH = 3
"""Claims on one part of the question."""
MAX_TITLE = 180
FAR_BELOW = 0.6
"""A finding that holds less than this part of what the best one holds of the question is left out."""
ALIKE = 0.9
"""Two findings that share this part of the shorter one's words say the same."""
_CLAIM = re.compile(r"(?i)\bclaim (\d{1,3})\b")


@dataclass(frozen=True)
class Finding:
    """What a worker found."""

    claim: str
    quote: str
    source: str
    part: str
    """The subtask that it answers."""
    place: int
    """Its number among the findings of its subtask: a worker's best comes first."""

    @property
    def roots(self) -> set[str]:
        """The words of what it says."""
        return content_roots(self.quote)


def claim_items(schema: Schema) -> str:
    """The property that holds claims: a list of objects with a claim, a quote and a source; empty where there is none."""
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        items = part.get("items") if isinstance(part, dict) else None
        inner = items.get("properties") if isinstance(items, dict) else None
        if isinstance(inner, dict) and {"claim", "quote", "source"} <= set(inner):
            return str(name)
    return ""


def findings(material: str) -> list[Finding]:
    """The findings in the results of subtasks, in their order."""
    results = list(reports(material)) or list(objects(material))
    found: list[Finding] = []
    for result in results:
        output = result.get("output", result)
        if isinstance(output, dict) and output.get("found") is False:
            continue
        part = str(result.get("task") or "")
        for place, entry in enumerate(entries(output, "quote", "source")):
            claim = entry.get("claim")
            said = claim if isinstance(claim, str) and claim.strip() else " ".join(entry["quote"].split())
            found.append(Finding(said, entry["quote"], entry["source"], part, place))
    return found


def choose(goal: str, given: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """The findings that answer the goal, in the order of its parts, and those that are held back for corrections."""
    asked = parts(goal)
    chosen: list[Finding] = []
    spare: list[Finding] = []
    for question in dict.fromkeys(Question.read(finding.part).text for finding in given):
        own = [finding for finding in given if Question.read(finding.part).text == question]
        own = [finding for finding in own if question or _answers(finding, goal, asked)]
        covered = {id(finding): _covered(finding, question or goal) for finding in own}
        least = FAR_BELOW * max(covered.values(), default=0.0)
        taken = 0
        for finding in sorted(own, key=lambda finding: finding.place):
            if any(_same(finding, other) for other in chosen):
                continue
            if taken < MAX_EACH and len(chosen) < MAX_CLAIMS and covered[id(finding)] >= least:
                chosen.append(finding)
                taken += 1
            else:
                spare.append(finding)
    return chosen, spare


def unanswered(goal: str, material: str, chosen: Sequence[Finding]) -> list[str]:
    """The parts of a goal on which no claim is: what was asked as a subtask and found nothing.

    A passage that answers two parts is one claim, under the first of them: the other one is answered, too.
    """
    answered = {
        Question.read(finding.part).text
        for finding in findings(material)
        if any(_same(finding, other) for other in chosen)
    }
    asked = [Question.read(str(report.get("task") or "")).text for report in reports(material)]
    left = [part for part in dict.fromkeys(asked) if part and part not in answered]
    return left if chosen and left != [goal] else []


def corrected(
    before: Sequence[Any], complaints: str, chosen: Sequence[Finding], spare: Sequence[Finding]
) -> list[Finding]:
    """The findings without those that somebody complained about; of the same part another one in their place.

    Args:
        before: the claims of the answer that the complaints number.
        complaints: what was said about it.
        chosen: the findings that would be chosen.
        spare: those that were not.
    """
    bad = {
        str(before[int(number) - 1].get("quote"))
        for number in _CLAIM.findall(complaints)
        if 0 < int(number) <= len(before) and isinstance(before[int(number) - 1], dict)
    }
    kept = [finding for finding in chosen if finding.quote not in bad and finding.quote[:60] not in complaints]
    for lost in (finding for finding in chosen if finding not in kept):
        for other in spare:
            if (
                other.part == lost.part
                and other not in kept
                and other.quote[:60] not in complaints
                and other.quote not in bad
            ):
                kept.append(other)
                break
    return kept


def title_of(goal: str) -> str:
    """The goal as a title, without its mark."""
    said = " ".join(goal.split())
    title = said if len(said) <= MAX_TITLE else said[:MAX_TITLE].rpartition(" ")[0] + "…"
    return title.rstrip("?.! ") or "Brief"


def _covered(finding: Finding, question: str) -> float:
    """The part of a question's words that a finding holds."""
    words = Question.read(question).words
    said = content_roots(f"{finding.quote} {finding.claim}")
    held = sum(weight for word, weight in words.items() if root(word) in said or synonyms(word) & said)
    return held / (sum(words.values()) or 1.0)


def _answers(finding: Finding, part: str, asked: Sequence[str]) -> bool:
    """Whether a finding shares a word with what was asked: a worker that found something else is not believed."""
    said = content_roots(f"{finding.quote} {finding.claim} {finding.source}")
    for question in (part, *asked):
        words = Question.read(question).words
        if not words:
            return True
        wanted = content_roots(" ".join(words)) | {other for word in words for other in synonyms(word)}
        if any(
            one == other or (len(one) >= 4 and other.startswith(one)) or (len(other) >= 4 and one.startswith(other))
            for one in wanted
            for other in said
        ):
            return True
    return False


def _same(one: Finding, other: Finding) -> bool:
    if one.quote in other.quote or other.quote in one.quote:
        return True
    mine, theirs = one.roots, other.roots
    figures = {word for word in mine ^ theirs if any(map(str.isdigit, word))}
    return (
        not figures
        and len(mine & theirs) >= ALIKE * max(1, min(len(mine), len(theirs)))
        and len(mine & theirs) >= 0.5 * max(len(mine), len(theirs))
    )
