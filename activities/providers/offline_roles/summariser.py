"""Who makes one text of what others did: a judge of votes, a manager of results, an editor of branches."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from activities.providers.offline_evidence import Evidence
from activities.providers.offline_material import evidence_in, leaves, plain_text, values_in
from activities.providers.offline_prompts import entries
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_roles.base import Blind, Request
from activities.providers.offline_sections import listed

MAX_QUOTED = 8
MAX_POSITION = 500
_LACKS = ("missing", "lack", "lacks", "gaps")
_ALONE = re.compile(r"(?i)\bevents? (?:of )?`?([\w-]+(?:\.[\w*-]+)+)`? (?:alone|only)\b")
_LACKING = re.compile(r"(?i)\b(?:missing|doubt\w*|empty|failed|unknown|nothing|none|open|unanswered|refused)\b")
_DECIDED = re.compile(r"\n\nIt was debated\. Position: ([^\n]*)")
_HANDED = ("results", "votes", "branches", "events", "findings", "outputs", "answers")


@dataclass(frozen=True)
class Summariser(Blind):
    """Quotes the best of it under each other, and says what is missing."""

    goal: str
    material: str
    missing: tuple[str, ...]
    position: str
    """The one that votes were for."""
    minority: tuple[str, ...]

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The text, and shorter ones."""
        del evidence
        found = evidence_in(self.goal, self.material, MAX_QUOTED)
        for count in (MAX_QUOTED, 3, 1):
            yield "\n\n".join(self._said(found[:count])) or NOTHING
        yield NOTHING

    def _said(self, found: Sequence[Evidence]) -> Iterator[str]:
        if self.position:
            yield self.position
        for item in found:
            if item.plain != self.position:
                yield f'"{item.quote}" ({item.source})'
        yield from (f"Against it: {other}" for other in self.minority)
        if self.missing:
            yield "\n".join(["Missing:", *(f"- {line}" for line in self.missing)])


def recognise(request: Request) -> Summariser | None:
    """Free text from results, votes or events that the prompt hands over."""
    if request.schema is not None or request.finds:
        return None
    sections = request.sections
    material = sections.given if sections.given.startswith(("{", "[")) else sections.under(*_HANDED, but=_LACKS)
    if not material:
        return None
    missing = sections.under(*_LACKS)
    gaps = tuple(listed(missing)) if missing else ()
    if events := list(entries(values_in(material), "event_type")):
        telling, gaps = _of_events(events, request.instructions, gaps)
        material = json.dumps(telling, ensure_ascii=False)
    silent = (name for name, said in leaves(values_in(material)) if said.strip() == NOTHING and name)
    gaps = (*gaps, *(f"{name}: {NOTHING}" for name in dict.fromkeys(silent)))
    decided = _DECIDED.search(request.prompt)
    votes = [vote for vote in entries(values_in(material), "position") if not vote.get("abstain")]
    position = decided[1][:MAX_POSITION] if decided else _strongest(votes)
    against = list(entries(values_in(request.prompt.partition("\n\nMinority:\n")[2]), "position")) if decided else []
    others = against if decided else [vote for vote in votes if vote["position"] != position]
    behind = [vote for vote in votes if vote not in others]
    if behind:
        material = json.dumps(behind, ensure_ascii=False)
    return Summariser(request.goal, material, gaps, position, tuple(dict.fromkeys(map(_against, others))))


def _of_events(
    events: list[dict[str, Any]], instructions: str, gaps: tuple[str, ...]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The events that are answered from, and what others leave open: those named as the only ones, else all that found."""
    only = _ALONE.search(instructions)
    lacking = [event for event in events if _LACKING.search(event["event_type"])]
    telling = [
        event for event in events if event not in lacking and (not only or fnmatchcase(event["event_type"], only[1]))
    ]
    left = (plain_text(event.get("payload"))[:MAX_POSITION] for event in lacking)
    return telling, (*gaps, *dict.fromkeys(said for said in left if said and said != NOTHING))


def _against(vote: dict[str, Any]) -> str:
    """What a vote of the minority says, with its first reason."""
    reasons = vote.get("reasons")
    first = str(reasons[0]) if isinstance(reasons, list) and reasons else ""
    return f"{vote['position']}{f', as {first}' if first else ''}"[:MAX_POSITION]


def _strongest(votes: Sequence[dict[str, Any]]) -> str:
    """The position that most are for; of equal ones the surest."""
    held: dict[str, list[float]] = {}
    for vote in votes:
        confidence = vote.get("confidence")
        if vote["position"]:
            held.setdefault(str(vote["position"]), []).append(
                float(confidence) if isinstance(confidence, int | float) else 0.0
            )
    return max(held, key=lambda position: (len(held[position]), sum(held[position])), default="")[:MAX_POSITION]
