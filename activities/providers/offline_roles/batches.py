"""Batches: each item is answered as it would be alone, and its answer goes under its id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.contracts.base import Schema
from activities.contracts.messages import UserMessage
from activities.providers.offline_evidence import Evidence, best, gather
from activities.providers.offline_material import plain_text, values_in
from activities.providers.offline_prompts import objects
from activities.providers.offline_reading import read
from activities.providers.offline_remarks import without_instruction
from activities.providers.offline_roles.base import Blind, Request, items_of
from activities.providers.offline_schema import Material, fill
from activities.providers.offline_sections import described

MAX_ITEMS = 100
_PLACES = frozenset({"source", "citation", "path", "file", "line", "page"})


@dataclass(frozen=True)
class Batch(Blind):
    """Answers one item after the other."""

    name: str
    request: Request
    schema: Schema
    """Of the answer for one item."""
    items: tuple[tuple[str, str], ...]
    """Ids and texts."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The answers, fewer where they are too long: the rest is asked for again."""
        del evidence
        given = [{"item_id": name, "answer": self._one(text)} for name, text in self.items]
        for count in (len(given), len(given) // 2, len(given) // 4, 1):
            yield {self.name: given[:count]}

    def _one(self, text: str) -> Any:
        told = {**described(self.request.instructions), **described(self.request.prompt)}
        reading = read([UserMessage(text=f"{self.request.goal}\n\nInput:\n{text}")])
        found = best(gather(reading)) or [Evidence(text, "input", 1, cite="input")]
        said = without_instruction(text)
        return fill(self.schema, Material(reading.question, text, tuple(found), said=said, told=told, given=text))


def recognise(request: Request) -> Batch | None:
    """A list of answers with the ids of their items."""
    for name, field in request.fields.items():
        inner = items_of(field)
        if set(inner) == {"item_id", "answer"}:
            return Batch(name, request, inner["answer"], tuple(items_in(request)))
    return None


def items_in(request: Request) -> Iterator[tuple[str, str]]:
    """The items of a prompt: objects with an id. Asked once more, only those that are asked for then."""
    seen: set[str] = set()
    text = request.latest if any("item_id" in each for each in objects(request.latest)) else request.prompt
    for each in _with_ids(values_in(text)):
        name = str(each["item_id"])
        if name not in seen and len(seen) < MAX_ITEMS:
            seen.add(name)
            item = each.get("item", {key: value for key, value in each.items() if key != "item_id"})
            if isinstance(item, dict):  # where it stands says nothing of it
                item = {key: value for key, value in item.items() if key not in _PLACES} or item
            yield name, plain_text(item)


def _with_ids(value: Any) -> Iterator[dict[str, Any]]:
    stack = [value]
    for _ in range(10_000):
        if not stack:
            return
        part = stack.pop()
        if isinstance(part, dict) and isinstance(part.get("item_id"), str | int):
            yield part
        elif isinstance(part, dict):
            stack += reversed(list(part.values()))
        elif isinstance(part, list):
            stack += reversed(part)
