"""Fan-out: independent branches side by side, and what is made of their answers."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Name, Schema
from workflows.teams.kinds.base import Part, PatternBase, listed, record, text

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_BRANCHES = 400
"""Branches of one fan-out: as child workflows they stay within 4,000 events of its history."""


class FanOutNode(PatternBase):
    """Independent branches: declared ones, or the same node for each item of a list."""

    kind: Literal["fan_out"] = "fan_out"
    name: Name = "fan_out"
    branches: Annotated[dict[Name, "Node"], Field(max_length=32)] = {}
    """Branches by name: each gets the goal and the whole input. One of ``branches`` and ``each`` is given."""
    each: "Node | None" = None
    """Run once for every item. A call may take ``$item``, ``$index`` (from 0), ``$goal`` and ``$input``."""
    items: Annotated[str, Field(pattern=r"^\$[A-Za-z_][A-Za-z0-9_]*$")] = "$input"
    """The list: ``$input``, or a key of the state that ``needs`` declares. A text is one item a line."""
    max_branches: Annotated[int, Field(ge=1, le=MAX_BRANCHES)] = 32
    """Items at most; a longer list is refused, not cut."""
    max_parallel: Annotated[int, Field(ge=1, le=64)] = 4
    at_least: Literal["all"] | Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] = "all"
    """Valid answers that are waited for: a number, a share of the branches, or all. Once they are there, the branches that
    are still at work are cancelled and reported as late. ``1`` is a race: the first valid answer. With fewer than so many
    the fan-out fails; with ``all`` it ends with what there is, if anything."""
    grace_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """How long the others may still go on once enough are there."""
    reduce: Literal["collect", "merge", "vote", "rank"] = "collect"
    """What is made of the answers: ``collect`` them under their names (a list with ``each``), ``merge`` objects and lists
    into one, ``vote`` for the most frequent, or ``rank`` them by a number."""
    by: Name | None = None
    """The property that ``vote`` counts (the whole answer where absent) and ``rank`` sorts by (``score`` where absent)."""
    reducer: "Node | None" = None
    """Makes one answer of all, in place of ``reduce``. A call may take ``$goal``, ``$input``, ``$results`` and ``$missing``."""
    batch: Annotated[int, Field(ge=1, le=50)] = 1
    """With ``each`` an agent: so many items go into one model call, and its answer is taken apart by their ids."""
    answer: Schema | None = None
    """With ``batch``: JSON Schema of the answer for one item; any text where absent."""

    def parts(self) -> tuple[Part, ...]:
        """The branches, each once, and the reducer."""
        found = [
            Part(f"branches.{name}", node, least=0, offers=("input",), step=name)
            for name, node in self.branches.items()
        ]
        if self.each:
            # A batch that was answered in part is asked once more for the rest.
            most = self.max_branches if self.batch == 1 else 2 * -(-self.max_branches // self.batch)
            offers: tuple[str, ...] = ("item", "index", "input", "items")
            answers = batched(self) if self.batch > 1 else None
            found.append(Part("each", self.each, most, 0, offers=offers, answers=answers, step="b400.2"))
        if self.reducer:
            before = tuple(part.place for part in found)
            offers = ("input", "results", "missing")
            found.append(Part("reducer", self.reducer, least=1, offers=offers, step="reducer", before=before))
        return tuple(found)


def batched(node: FanOutNode) -> Schema:
    """What an agent answers to a batch: an answer for each item, by its id."""
    one = record(
        {"item_id": text("The item's id.", longest=64), "answer": node.answer or text("The answer for this item.")}
    )
    return record({"answers": listed(one, most=node.batch)})
