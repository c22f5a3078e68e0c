"""Votes: what each debater said in a round, how they fall into positions, and how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, JsonValue

from activities.contracts.base import Line, Text, WireModel
from activities.contracts.messages import ThreadRef


class Said(WireModel):
    """What a debater answers."""

    position: Text
    confidence: Annotated[float, Field(ge=0, le=1)]
    reasons: tuple[Text, ...] = ()
    abstain: bool = False


class Vote(WireModel):
    """One debater's vote in one round."""

    debater: str
    position: str = ""
    """As it was said; empty: none."""
    confidence: float = 0.0
    reasons: tuple[str, ...] = ()
    failed: Line = ""
    """Why there is none, where the debater failed or was left out."""
    thread: ThreadRef | None = None
    """The conversation in which the same debater may go on."""

    @property
    def abstains(self) -> bool:
        """Whether it is for no position."""
        return not self.position

    def shown(self) -> dict[str, JsonValue]:
        """The vote as debaters, judges and readers of the result see it."""
        named: dict[str, JsonValue] = {"debater": self.debater}
        if self.failed:
            return {**named, "abstain": True, "failed": self.failed}
        if self.abstains:
            return {**named, "abstain": True, "reasons": list(self.reasons)}
        return {**named, "position": self.position, "confidence": self.confidence, "reasons": list(self.reasons)}


@dataclass(frozen=True)
class Camp:
    """Votes for one position."""

    votes: tuple[Vote, ...]

    @property
    def position(self) -> str:
        """As the surest of them says it; of the equally sure the first."""
        return max(self.votes, key=lambda vote: vote.confidence).position

    @property
    def strength(self) -> tuple[int, float]:
        """Votes, and how sure they are together: that decides between as many."""
        return len(self.votes), round(sum(vote.confidence for vote in self.votes), 9)


class Round:
    """The votes of one round, in the order of the debaters, and the camps that they make."""

    def __init__(self, number: int, votes: Sequence[Vote], groups: Sequence[Sequence[int]]) -> None:
        """``groups``: places of the votes for a position that say the same."""
        self.number, self.votes = number, tuple(votes)
        self.groups = [list(group) for group in groups]
        self.camps = sorted(
            (Camp(tuple(self.votes[index] for index in group)) for group in groups),
            key=lambda camp: camp.strength,
            reverse=True,  # it is stable: of equally strong ones the first debater's comes first
        )

    @property
    def cast(self) -> int:
        """Votes that were not abstentions."""
        return sum(len(camp.votes) for camp in self.camps)

    @property
    def agreement(self) -> float:
        """Share of the votes cast for the strongest position; 0 where there is none."""
        return len(self.camps[0].votes) / self.cast if self.camps else 0.0

    @property
    def position(self) -> str:
        """The strongest one; empty where there is none."""
        return self.camps[0].position if self.camps else ""

    @property
    def is_tied(self) -> bool:
        """Whether another position has as many votes as the strongest."""
        return len(self.camps) > 1 and len(self.camps[0].votes) == len(self.camps[1].votes)

    def against(self, position: str) -> list[Vote]:
        """The votes that are not for this position, which may be a person's own."""
        wanted = _plain(position)
        own = next((camp for camp in self.camps if any(_plain(vote.position) == wanted for vote in camp.votes)), None)
        return [vote for vote in self.votes if not vote.abstains and not (own and vote in own.votes)]

    def shown(self) -> dict[str, JsonValue]:
        """The round in short: who was for what."""
        return {
            "round": self.number,
            "agreement": round(self.agreement, 4),
            "positions": {vote.debater: vote.position or None for vote in self.votes},
        }


def _plain(position: str) -> str:
    return " ".join(position.split()).casefold()
