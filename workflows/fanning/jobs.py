"""The steps that fill a fan-out's slots: one each, or one for several where items go in batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import LimitExceeded
    from workflows.fanning.batches import packed
    from workflows.fanning.slots import Slot
    from workflows.teams.tree import FanOutNode


@dataclass(frozen=True)
class Job:
    """One step, and the slots that it fills: several where items go in batches."""

    place: str
    step: str
    slots: tuple[Slot, ...]


def jobs_of(node: FanOutNode, slots: Sequence[Slot]) -> list[Job]:
    """The steps that fill the slots, in their order.

    Raises:
        LimitExceeded: the items are so long that they take more batches than its bounds allow for.
    """
    if node.each is None:
        return [Job(f"branches.{slot.name}", slot.name, (slot,)) for slot in slots]
    if node.batch == 1:
        return [Job("each", slot.name, (slot,)) for slot in slots]
    batches = packed(slots, node.batch)
    if len(batches) > node.most_batches:
        raise LimitExceeded(
            f"the items of {node.name!r} are so long that they take {len(batches)} batches, and {node.most_batches} are the"
            " most",
            fix=f"lower batch of {node.name!r}, or give it shorter items",
        )
    return [Job("each", f"b{number}", batch) for number, batch in enumerate(batches, start=1)]
