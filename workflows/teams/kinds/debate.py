"""Debate: independent answers, rounds of arguments, votes, a judge."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Line, Name, Schema
from activities.contracts.similarity import Similarity
from workflows.teams.kinds.base import Part, PatternBase, Share, choice, listed, record, share, text
from workflows.teams.kinds.sameness import Comparisons, sameness

if TYPE_CHECKING:
    from workflows.teams.tree import Node


_ANY: Schema = {**text("The position that holds.", longest=2000), "pattern": r"\S"}


class DebateNode(PatternBase):
    """Several answer one question, argue, and vote; a judge makes one answer of it.

    What it makes: ``{answer, position, agreement, votes, minority, rounds, decided_by}``.
    """

    kind: Literal["debate"] = "debate"
    name: Name = "debate"
    debaters: Annotated[dict[Name, "Node"], Field(min_length=2, max_length=9)]
    """Each answers with a vote: ``{position, confidence, reasons, abstain}``. In the first round none sees another's. A call
    may take ``$goal``, ``$input``, ``$round`` and ``$votes`` (of the round before, with all reasons)."""
    positions: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    """The positions that there are to choose from; any text where empty."""
    rounds: Annotated[int, Field(ge=0, le=5)] = 1
    """Rounds of arguments after the first answers: everybody reads all votes with their reasons, and votes again."""
    agreement: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Share of the votes that were not abstentions for one position, from which on nothing more is argued."""
    quorum: Annotated[int, Field(ge=1, le=9)] = 1
    """Votes that are not abstentions, below which a round agrees on nothing, and the last one decides nothing."""
    max_disagreement: Share = 1.0
    """Share of the votes against the strongest position after the last round, above which ``escalate`` decides, or the
    debate fails without it."""
    similar: Similarity = Similarity()
    """When two positions that are free texts count as one."""
    comparer: "Node | None" = None
    """Says in place of ``similar`` which of them do: answers ``{groups}``. A call may take ``$texts``."""
    judge: "Node | None" = None
    """Makes the answer. A call may take ``$goal``, ``$input``, ``$votes``, ``$rounds``, ``$position`` and ``$minority``.
    Absent: the answer is the position itself."""

    def has_drafts(self) -> bool:
        """See ``PatternBase``."""
        return True

    def parts(self) -> tuple[Part, ...]:
        """Every debater in every round, the comparer, and the judge."""
        places = tuple(f"debaters.{name}" for name in self.debaters)
        most, offers = 1 + self.rounds, ("input", "round", "votes")
        found = [
            Part(place, node, most, 1, "", offers, vote(self), f"r6-{name}", again="rounds: 0")
            for place, (name, node) in zip(places, self.debaters.items(), strict=True)
        ]
        if self.comparer:
            compared = ("input", "texts")
            found.append(
                Part(
                    "comparer", self.comparer, most, 0, "", compared, sameness(), "compare-6", places, again="rounds: 0"
                )
            )
        if self.judge:
            judged = ("input", "votes", "rounds", "position", "minority")
            found.append(Part("judge", self.judge, 1, 1, offers=judged, step="judge", before=places))
        return tuple(found)

    def decides(self) -> Schema:
        """The position that holds."""
        return choice(self.positions, "The position that holds.") if self.positions else _ANY

    def comparisons(self) -> Comparisons | None:
        """Of all positions of a round, where they are free texts."""
        return (
            None if self.positions or self.comparer else Comparisons(self.similar, 1 + self.rounds, len(self.debaters))
        )


def vote(node: DebateNode) -> Schema:
    """What a debater answers."""
    position: JsonValue = (
        choice(node.positions) if node.positions else text("Your answer, as short as it can be.", longest=2000, least=0)
    )
    reason = text(longest=1000)
    return record(
        {
            "position": position,
            "confidence": share("How sure you are: 0 not at all, 1 certain."),
            "reasons": listed(reason, most=8, description="Why, the strongest first."),
        },
        {"abstain": {"type": "boolean", "description": "True where you have no position; it then counts for none."}},
    )


def outcome() -> Schema:
    """What a debate makes."""
    entries: dict[str, JsonValue] = {"type": "array", "items": {"type": "object"}}
    held: dict[str, JsonValue] = {
        "answer": {},
        "position": {"type": "string"},
        "agreement": share("Share of the votes cast for the strongest position."),
        "votes": entries,
        "minority": entries,
        "rounds": entries,
        "decided_by": choice(("agreement", "votes", "person", "fallback")),
    }
    return record(held)
