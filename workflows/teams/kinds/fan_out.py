"""Fan-out: independent branches side by side, and what is made of their answers."""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from activities.contracts.base import Name, Schema
from workflows.teams.kinds.base import Part, PatternBase, Seconds, listed, record, text

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_BRANCHES = 400
"""Branches of one fan-out: as child workflows they stay within 4,000 events of its history."""
REDUCER = "reducer"
"""The step that makes one answer of all, and its key. No branch is called so."""


def _number_or_share(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, float) and not 0 < value < 1):
        raise ValueError(
            f"{str(value).lower()} is neither a number of answers (a whole one, such as 1), nor a share of them (between 0"
            " and 1, such as 0.5), nor all"
        )
    return value


class FanOutNode(PatternBase):
    """Independent branches: declared ones, or the same node for each item of a list."""

    kind: Literal["fan_out"] = "fan_out"
    name: Name = "fan_out"
    branches: Annotated[dict[Name, "Node"], Field(max_length=32)] = {}
    """Branches by name: each gets the goal and the whole input. One of ``branches`` and ``each`` is given."""
    each: "Node | None" = None
    """Run once for every item, which is its input. A call may take ``$item``, ``$index`` (from 0), ``$goal`` and
    ``$input`` (the item too)."""
    items: Annotated[str, Field(pattern=r"^\$[A-Za-z_][A-Za-z0-9_]*$")] = "$input"
    """The list: ``$input`` (the goal, where there is no input), or a key of the state that ``needs`` declares. Of a text
    each line with something in it is an item."""
    max_branches: Annotated[int, Field(ge=1, le=MAX_BRANCHES)] = 32
    """Items at most; a longer list is refused, not cut."""
    max_parallel: Annotated[int, Field(ge=1, le=64)] = 4
    """Branches at work at a time; the others wait, in their order."""
    at_least: Annotated[
        Literal["all"] | Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)],
        BeforeValidator(_number_or_share),
    ] = "all"
    """Valid answers that are waited for: a number, a share of the branches, or all. Once they are there nothing more is
    begun, and what is still at work is ended and reported as late. ``1`` is a race: the first valid answer. With fewer
    than so many the fan-out fails; with ``all`` it ends with what there is, and is partial then. With no answer at all it
    fails always, though every branch may be left out. A race that is resumed is a new race for those that had not
    answered: they are begun again, and ended again."""
    grace_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """How long those at work may still go on once enough are there."""
    branch_seconds: Seconds | None = None
    """From the start, when every branch has to have ended: what has not by then is late. It leaves time to a reducer."""
    reduce: Literal["collect", "merge", "vote", "rank", "first"] = "collect"
    """What is made of the answers: ``collect`` them under their names (with ``each`` a list with a place for every item,
    null where there is no answer), ``merge`` objects or lists into one (of a list, each value as often as the answer that
    has it most often), ``vote`` for the most frequent (null is no vote), ``rank`` them by a number, or ``first``: the one
    that came first, as it is. 1 is 1.0. The person of ``escalate`` breaks a tied vote; a no fails the fan-out."""
    by: Name | None = None
    """The property that ``vote`` counts (the whole answer where absent) and ``rank`` sorts by (``score`` where absent)."""
    reducer: "Node | None" = None
    """Makes one answer of all, in place of ``reduce``. Its input is the list of answers, ``{branch, output}`` and with
    ``each`` ``index`` and ``item`` too. A call may take ``$goal``, ``$results`` (or ``$input``) and ``$missing``."""
    batch: Annotated[int, Field(ge=1, le=50)] = 1
    """With ``each`` an agent: so many items go into one model call, fewer where they are too long to be shown together, and
    its answer is taken apart by their ids. Items that it leaves out are asked for once more, all together. One that is too
    long by itself is cut, and the result says so."""
    answer: Schema | None = None
    """With ``batch``: JSON Schema of the answer for one item; any text where absent."""

    def wanted(self, count: int) -> int:
        """Valid answers that are waited for, of so many branches."""
        if isinstance(self.at_least, int):
            return self.at_least
        return count if self.at_least == "all" else min(count, math.ceil(self.at_least * count - 1e-9))

    def has_drafts(self) -> bool:
        """See ``PatternBase``: a tied vote has a value that comes first."""
        return self.reduce == "vote" and self.reducer is None

    @property
    def most_batches(self) -> int:
        """Calls for batches at most: for full ones, once more for what each lacks, and for those that length divides."""
        return 2 * -(-self.max_branches // self.batch)

    def parts(self) -> tuple[Part, ...]:
        """The branches, each once, and the reducer."""
        # Fewer than all may do, so that none of them is run for certain.
        sure = int(len(self.branches) == (1 if self.at_least == "all" else self.wanted(len(self.branches))))
        found = [
            Part(f"branches.{name}", node, least=sure, offers=("input",), step=name, key=node.key or name)
            for name, node in self.branches.items()
        ]
        if self.each:
            most = self.max_branches if self.batch == 1 else self.most_batches
            least = -(-self.at_least // self.batch) if isinstance(self.at_least, int) else 0
            offers: tuple[str, ...] = ("item", "index", "input")
            answers = batched(self) if self.batch > 1 else None
            found.append(Part("each", self.each, most, least, offers=offers, answers=answers, step="b400.2"))
        if self.reducer:
            before = tuple(part.place for part in found)
            offers = ("input", "results", "missing")
            key = self.reducer.key or REDUCER
            found.append(Part("reducer", self.reducer, least=1, offers=offers, step=REDUCER, before=before, key=key))
        return tuple(found)


def batched(node: FanOutNode) -> Schema:
    """What an agent answers to a batch: an answer for each item, by its id."""
    one = record(
        {"item_id": text("The item's id.", longest=64), "answer": node.answer or text("The answer for this item.")}
    )
    return record({"answers": listed(one, most=node.batch)})
