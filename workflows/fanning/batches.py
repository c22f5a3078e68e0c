"""The answer to a batch, taken apart by the ids of its items."""

import json
from collections.abc import Callable, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.fanning.slots import Slot


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
        elif name in found and _canonical(found[name]) != _canonical(answer):
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


def _canonical(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
