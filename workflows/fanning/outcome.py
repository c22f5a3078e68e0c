"""What the branches of a fan-out come to: an answer for each slot, or a loss and its reason."""

from collections.abc import Iterator, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.fanning.reducers import Answer
    from workflows.fanning.slots import Slot

MAX_REASONS = 40
"""Reasons that are told one by one; whoever was lost for yet another is named all the same."""
MAX_REASON = 500
MAX_NAMES = 400
"""Characters of the names in one sentence; more of them make more sentences."""


class Outcome:
    """The answers, and what is missing."""

    def __init__(self, slots: Sequence[Slot], wanted: int, *, races: bool) -> None:
        """``wanted``: answers that are waited for; ``races``: these few will do."""
        self.slots, self.wanted, self.races = slots, wanted, races
        self._found: dict[str, JsonValue] = {}
        self.lost: dict[str, str] = {}
        """Slots without an answer, and why."""

    def found(self, name: str, output: JsonValue) -> None:
        """Keep an answer."""
        self._found[name] = output
        self.lost.pop(name, None)

    def lose(self, name: str, why: str) -> None:
        """Note that there is no answer, where there is none."""
        if name not in self._found:
            self.lost.setdefault(name, why)

    @property
    def answers(self) -> list[Answer]:
        """The answers that are there, in the order of the branches."""
        return [
            Answer(slot.name, self._found[slot.name], slot.index, slot.item)
            for slot in self.slots
            if slot.name in self._found
        ]

    @property
    def first(self) -> str:
        """Who answered first; empty: nobody has."""
        return next(iter(self._found), "")

    @property
    def is_enough(self) -> bool:
        """Whether as many answers are there as are waited for."""
        return len(self._found) >= self.wanted

    @property
    def is_hopeless(self) -> bool:
        """Whether so many are lost that not enough are left."""
        return len(self.slots) - len(self.lost) < self.wanted

    @property
    def count(self) -> str:
        """How many answers there are, for messages."""
        return f"{len(self._found)} of {len(self.slots)} branches answered"

    def losses(self) -> Iterator[str]:
        """A sentence on everybody who was lost, by name; those with the same reason together."""
        groups: dict[str, list[str]] = {}
        for slot in self.slots:
            if slot.name in self.lost:
                why = self.lost[slot.name][:MAX_REASON]
                if why not in groups and len(groups) >= MAX_REASONS:
                    why = "it failed for yet another reason"
                groups.setdefault(why, []).append(slot.name)
        for why, names in groups.items():
            for some in _lines(names):
                yield f"{'branches' if ',' in some else 'branch'} {some}: {why}"


def _lines(names: Sequence[str]) -> Iterator[str]:
    line = ""
    for name in names:
        if line and len(line) + len(name) > MAX_NAMES:
            yield line
            line = ""
        line = f"{line}, {name}" if line else name
    if line:
        yield line
