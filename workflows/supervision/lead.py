"""What the parts of a supervision share: the pattern at work, how it supervises, and its time."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ConfigurationInvalid
    from workflows.contracts import RunResult
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.phases import PhaseClock
    from workflows.supervision.subtasks import Subtask
    from workflows.teams.tree import CallNode, SupervisorNode

_SUBTASK = re.compile(r"s(\d+)-(\d+)")


def _as_it_is(place: str) -> str:
    return place


@dataclass(frozen=True)
class Lead:
    """Who supervises: a supervisor, or one tier of a hierarchy."""

    work: PatternWork[Any]
    node: SupervisorNode
    """How it supervises."""
    clock: PhaseClock
    place: Callable[[str], str] = _as_it_is
    """Where in the pattern a part of the supervisor stands."""
    tells_goal: bool = True
    """Whether workers are told what their subtask is good for."""

    def ask(self, prompt: str, end: float | None, **fields: Any) -> Ask:
        """What a step is to do that has to end with its phase."""
        # A nested one, and one with phases, keeps time for what comes after.
        bound = None if self.clock.synthesis is None else end
        return Ask(prompt=prompt, until=end, person_until=bound, punctual=self.clock.phased, **fields)

    def check_any(self, subtasks: Sequence[Subtask]) -> None:
        """Refuse to make one whole of nothing. A tool can say that there is nothing; an agent would make something up.

        Raises:
            PartFailed: every subtask was given up; with the first one's last failure.
        """
        if isinstance(self.node.synthesis, CallNode) or any(subtask.done_by for subtask in subtasks) or not subtasks:
            return
        for subtask in subtasks:
            if subtask.tries:
                raise PartFailed(subtask.tries[-1])
        raise ConfigurationInvalid(
            "no subtask was begun in time", fix=f"give the {self.work.node.kind} {self.work.node.name!r} more seconds"
        )

    def check_budget(self, subtasks: Sequence[Subtask]) -> None:
        """Refuse to go on where this node's own budget gave out, and is to fail then. A worker's own limits are not meant.

        Raises:
            PartFailed: with the failure of a subtask that the budget did not pay, or not all of.
        """
        self.work.check_budget((f"the subtask {one.subtask_id}", one.tries[-1]) for one in subtasks if one.tries)


@contextmanager
def told_by_subtask(work: PatternWork[Any]) -> Iterator[None]:
    """Inside, steps end in any order; after it, they are told as people look for them: plans, subtasks, the whole."""
    try:
        yield
    finally:
        work.results.sort(key=lambda result: _rank(result, work.frame.path))


def _rank(result: RunResult, path: str) -> tuple[int, ...]:
    """Where a step is told. What has no steps of its own says nothing, wherever it stands."""
    part = result.steps[0].step.removeprefix(f"{path}/").partition("/")[0] if result.steps else ""
    if found := _SUBTASK.fullmatch(part):
        return (1, int(found[1]), int(found[2]))
    return (0,) if part.startswith(("plan-", "split-")) else (2,)
