"""What a fan-out works on: a slot for each answer that there may be."""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.errors import ContractViolated, LimitExceeded
    from workflows.pattern_work import PatternWork
    from workflows.teams.tree import FanOutNode

INPUT = "input"
"""The name of what it was given itself."""


@dataclass(frozen=True)
class Slot:
    """One answer that is wanted: of a declared branch, or for an item."""

    name: str
    """Unlike that of any other of the fan-out, and the same in every re-run."""
    index: int | None = None
    """Of its item, from 0."""
    item: JsonValue = None


def slots_of(work: PatternWork[FanOutNode]) -> list[Slot]:
    """The slots of a fan-out, in the order of its branches or items.

    Raises:
        ContractViolated: there is no list of items, or fewer than have to be answered.
        LimitExceeded: there are more items than it takes.
    """
    node = work.node
    if node.each is None:
        return [Slot(name) for name in node.branches]
    items = _items(work)
    if len(items) > node.max_branches:
        raise LimitExceeded(
            f"the fan-out {node.name!r} is given {len(items):,} items, and takes {node.max_branches}",
            fix=f"raise max_branches of {node.name!r}, or give it a part of the list at a time",
        )
    if isinstance(node.at_least, int) and len(items) < node.at_least:
        raise ContractViolated(
            f"the fan-out {node.name!r} wants at least {node.at_least} answers, and is given {len(items)} items",
            fix="give it a longer list, or lower at_least (a share fits any length)",
        )
    return [Slot(f"i{index + 1}", index, item) for index, item in enumerate(items)]


def over_goal(work: PatternWork[FanOutNode]) -> bool:
    """Whether the items are the lines of the goal: then nobody is told the whole of it."""
    return work.node.each is not None and work.node.items[1:] == INPUT and work.given is None


def _items(work: PatternWork[FanOutNode]) -> list[JsonValue]:
    given = work.goal if over_goal(work) else work.frame.task.inputs.get(work.node.items[1:])
    if isinstance(given, str):
        return [line.strip() for line in given.splitlines() if line.strip()]
    if isinstance(given, list):
        return given
    what = "an object" if isinstance(given, dict) else "nothing" if given is None else "one value"
    raise ContractViolated(
        f"the fan-out {work.node.name!r} goes over the items of {work.node.items}, which is {what}",
        fix="give it a list, or a text with an item on each line",
    )
