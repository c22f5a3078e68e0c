"""Items that share a call: as many as its prompt shows whole, and the answer to them, taken apart by their ids."""

from collections.abc import Callable, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.cutting import Shown, cut
    from workflows.fanning.reducers import canonical
    from workflows.fanning.slots import Slot
    from workflows.stages import MAX_SHOWN, as_shown

_MARK = 200
"""Characters of the sentence that a cut item ends with, and of its id: more than they ever are."""


def packed(slots: Sequence[Slot], most: int) -> list[tuple[Slot, ...]]:
    """Items in batches of at most so many, in their order; only as many together as a prompt shows whole."""
    batches: list[tuple[Slot, ...]] = []
    batch: list[Slot] = []
    room = MAX_SHOWN
    for slot in slots:
        size = len(as_shown(entry(slot)[0])) + 2  # what separates it from the next
        if batch and (len(batch) == most or size > room):
            batches.append(tuple(batch))
            batch, room = [], MAX_SHOWN
        batch.append(slot)
        room -= size
    return [*batches, tuple(batch)] if batch else batches


def entry(slot: Slot) -> tuple[JsonValue, tuple[str, ...]]:
    """An item as its batch has it, and what of it was cut: one that no prompt shows whole."""
    whole: JsonValue = {"item_id": slot.name, "item": slot.item}
    if len(as_shown(whole)) + 2 <= MAX_SHOWN:
        return whole, ()
    text, shown = as_shown(slot.item), Shown("")
    for longer in (1, 2, 6):  # times that a text may be longer as JSON: at worst every character is six there
        shown = cut(text, (MAX_SHOWN - _MARK) // longer, f"item {slot.name}")
        if len(as_shown({"item": str(shown)})) + _MARK // 2 <= MAX_SHOWN:
            break
    return {"item_id": slot.name, "item": str(shown)}, shown.cuts


def items_of(
    output: JsonValue, slots: Sequence[Slot], unfit: Callable[[JsonValue], str] = lambda _: ""
) -> tuple[dict[str, JsonValue], list[str]]:
    """The answers by their slots' names, in the order of the slots, and what is worth knowing of the others.

    An id that is answered twice, and differently, is answered not at all: nobody can say which one holds.

    Args:
        output: what was answered: ``{"answers": [{"item_id": ..., "answer": ...}]}``.
        slots: what was asked for.
        unfit: why nothing can be made of an answer; empty: it fits.
    """
    wanted = {slot.name for slot in slots}
    found: dict[str, JsonValue] = {}
    unknown: list[str] = []
    twice: list[str] = []
    useless: dict[str, str] = {}
    for name, answer in _pairs(output):
        if name not in wanted:
            unknown.append(name[:64])
        elif name in found and canonical(found[name]) != canonical(answer):
            twice.append(name)
        elif why := unfit(answer):
            useless[name] = why
        else:
            found[name] = answer
    remarks = [f"{name}: {why}" for name, why in useless.items()]
    if unknown:
        remarks.append(f"it answers what was not asked: {_listed(unknown)}")
    if twice:
        remarks.append(f"it answers twice, and differently: {_listed(twice)}")
    sure = {slot.name: found[slot.name] for slot in slots if slot.name in found and slot.name not in twice}
    return sure, remarks


def _pairs(output: JsonValue) -> list[tuple[str, JsonValue]]:
    listed = output.get("answers") if isinstance(output, dict) else None
    every = listed if isinstance(listed, list) else []
    return [(str(one.get("item_id")), one.get("answer")) for one in every if isinstance(one, dict)]


def _listed(names: Sequence[str]) -> str:
    several = list(dict.fromkeys(names))
    more = f" and {len(several) - 8} more" if len(several) > 8 else ""
    return f"{', '.join(several[:8])}{more}"
