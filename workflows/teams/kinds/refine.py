"""Refine: a writer and an editor take turns until the criteria hold."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Line, Name, Schema, Text, WireModel
from activities.contracts.similarity import Similarity
from workflows.teams.kinds.base import Part, PatternBase, Share, Tier, listed, record, share, text
from workflows.teams.kinds.sameness import Comparisons, sameness
from workflows.teams.kinds.single import AgentNode

if TYPE_CHECKING:
    from workflows.teams.tree import Node


STUCK_AFTER = 3
"""Drafts in a row that are compared."""


class Shift(WireModel):
    """What changes about a writer that does not get on: at least one of these."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    persona: Annotated[Text, Field(max_length=4000)] = ""
    """A narrower role, told on top of its instructions."""
    tier: Tier | None = None

    def of(self, writer: AgentNode) -> AgentNode:
        """The writer after the shift."""
        given = {name: value for name, value in self.__dict__.items() if value not in (None, "")}
        return writer.model_copy(update=given)


class RefineNode(PatternBase):
    """A draft goes back and forth until an editor accepts it. What it makes is that draft, as the writer made it."""

    kind: Literal["refine"] = "refine"
    name: Name = "refine"
    writer: "Node"
    """A call may take ``$goal``, ``$input``, ``$draft`` (the last), ``$problems``, ``$criteria`` and ``$iteration``."""
    editor: "Node"
    """Answers ``{accepted, score, problems}``. A call may take ``$goal``, ``$input``, ``$draft``, ``$criteria`` and
    ``$iteration``."""
    criteria: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    """What a draft has to fulfil; writer and editor are told."""
    accept_score: Share | None = None
    """A score from which on a draft is accepted, whatever else the editor says."""
    iterations: Annotated[int, Field(ge=1, le=20)] = 4
    """Drafts at most."""
    at_cap: Literal["best", "fail"] = "best"
    """What comes of drafts none of which was accepted: the one with the best score as a partial result, or a failure.
    The person of ``escalate`` is asked before, and given the best draft; not where the time is over."""
    stuck: Similarity | None = Similarity(threshold=0.98)
    """When three drafts in a row count as the same: the writer is stuck then, and shifts, or the iterations end. ``null``:
    nobody looks."""
    comparer: "Node | None" = None
    """Says in place of ``stuck`` whether they do: answers ``{groups}``. A call may take ``$texts``."""
    shift_after: Annotated[int, Field(ge=1, le=20)] = 3
    """Drafts of one writer that were not accepted, after which it shifts."""
    shifts: Annotated[tuple[Shift, ...], Field(max_length=5)] = ()
    """One after the other, each of the writer as it is above; of a writer that is an agent."""

    @property
    def looks_stuck(self) -> bool:
        """Whether drafts are compared at all."""
        return self.iterations > STUCK_AFTER and (self.stuck is not None or self.comparer is not None)

    def writers(self) -> tuple["Node", ...]:
        """The writer, and what the shifts make of it."""
        writer = self.writer
        return (writer, *(shift.of(writer) for shift in self.shifts)) if isinstance(writer, AgentNode) else (writer,)

    def has_drafts(self) -> bool:
        """See ``PatternBase``."""
        return True

    def parts(self) -> tuple[Part, ...]:
        """The writer, as it is and as it shifts, the editor, and the comparer."""
        writer, *shifted = self.writers()
        offers = ("input", "draft", "problems", "criteria", "iteration")
        group = "writers" if shifted else ""
        most, again = self.iterations, "iterations: 1"
        found = [Part("writer", writer, most, 1, group, offers, step="draft-20", again=again)]
        for index, node in enumerate(shifted):
            found.append(Part(f"shifts.{index}", node, most, 1, group, offers, step="draft-20", again=again))
        reviewed, before = ("input", "draft", "criteria", "iteration"), tuple(part.place for part in found)
        judged = judgement()
        found.append(Part("editor", self.editor, most, 1, "", reviewed, judged, "review-20", before, again=again))
        if self.comparer:
            most, compared = max(1, self.iterations - STUCK_AFTER), ("input", "texts")
            found.append(
                Part("comparer", self.comparer, most, 0, "", compared, sameness(), "compare-20", before, again=again)
            )
        return tuple(found)

    def comparisons(self) -> Comparisons | None:
        """Of three drafts, before each that might be the fourth of one writer."""
        if self.stuck is None or self.comparer or not self.looks_stuck:
            return None
        return Comparisons(self.stuck, self.iterations - STUCK_AFTER, STUCK_AFTER)


def judgement() -> Schema:
    """What an editor answers."""
    return record(
        {
            "accepted": {"type": "boolean", "description": "Whether the draft fulfils every criterion."},
            "score": share("How good it is: 0 useless, 1 perfect."),
            "problems": listed(text(longest=1000), most=20, description="What has to change, one sentence each."),
        }
    )
