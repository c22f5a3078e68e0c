"""Who makes one text of what others did: a judge of votes, a manager of results, an editor of branches."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_evidence import Evidence
from activities.providers.offline_material import evidence_in, values_in
from activities.providers.offline_prompts import entries
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_roles.base import Blind, Request
from activities.providers.offline_sections import listed

MAX_QUOTED = 8
MAX_POSITION = 500
_LACKS = ("missing", "lack", "lacks", "gaps")
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
    votes = list(entries(values_in(material), "position"))
    decided = _DECIDED.search(request.prompt)
    position = decided[1][:MAX_POSITION] if decided else _strongest(votes)
    others = [str(vote["position"]) for vote in votes if not vote.get("abstain")]
    minority = tuple(other[:MAX_POSITION] for other in dict.fromkeys(others) if other and other != position)
    return Summariser(request.goal, material, tuple(listed(missing)) if missing else (), position, minority)


def _strongest(votes: Sequence[dict[str, Any]]) -> str:
    """The position that most are for; of equal ones the surest."""
    held: dict[str, list[float]] = {}
    for vote in votes:
        confidence = vote.get("confidence")
        if vote["position"] and not vote.get("abstain"):
            held.setdefault(str(vote["position"]), []).append(
                float(confidence) if isinstance(confidence, int | float) else 0.0
            )
    return max(held, key=lambda position: (len(held[position]), sum(held[position])), default="")[:MAX_POSITION]
