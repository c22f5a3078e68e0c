"""Subtasks, and what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunResult
    from workflows.teams.tree import SubtaskSpec


@dataclass
class Subtask:
    """One subtask and what became of it."""

    subtask_id: str
    spec: SubtaskSpec
    tries: list[RunResult] = field(default_factory=list)
    """Every attempt's result, the last one's last."""
    done_by: str = ""
    """The worker type that did it, or the person who was asked; empty where it was given up."""
    reason: str = ""
    """Why it was given up."""
    tried: list[str] = field(default_factory=list)
    """The worker types that failed of it, attempt by attempt."""

    @property
    def output(self) -> JsonValue:
        """What came of it."""
        return self.tries[-1].output if self.done_by else None

    def failed(self, worker_type: str, result: RunResult) -> None:
        """Note an attempt that failed."""
        self.tries.append(result)
        self.tried.append(worker_type)
        self.reason = result.failure.message if result.failure else "it failed"

    def attempts(self) -> tuple[str, ...]:
        """What came of all attempts but the last one, and who got it then, a sentence each."""
        lines: list[str] = []
        for number, (before, worker_type) in enumerate(pairwise(self.tried), 1):
            failure = self.tries[number - 1].failure
            lines.append(f"attempt {number}, {before}: {failure.message if failure else 'it failed'}"[:1000])
            if before != worker_type:
                lines.append(f"it was re-routed to {worker_type} then")
        return tuple(lines)

    def done(self, by: str, result: RunResult) -> None:
        """Note that it is done."""
        self.tries.append(result)
        self.done_by, self.reason = by, ""

    def refused(self, failed: RunResult, said: RunResult) -> None:
        """Note that a person who was asked has not done it either: ``failed`` is what they were asked about."""
        self.tries[-1] = said
        if said.failure and said is not failed:
            self.reason = said.failure.message

    def whole(self) -> dict[str, JsonValue]:
        """The same with what the worker was given, for calls."""
        return {**self.report(), "input": self.spec.input}

    def report(self) -> dict[str, JsonValue]:
        """The result as planners and the synthesis see it."""
        known: dict[str, JsonValue] = {"subtask_id": self.subtask_id, "type": self.spec.type, "task": self.spec.task}
        if not self.done_by:
            return {**known, "status": "given_up", "reason": self.reason}
        return {**known, "status": self.tries[-1].status.value, "done_by": self.done_by, "output": self.output}

    def missing(self) -> str:
        """What a reader of the whole has to know of a subtask that was given up; empty where it was done."""
        return (
            ""
            if self.done_by
            else f"subtask {self.subtask_id} ({self.spec.type}: {self.spec.task[:200]}): {self.reason}"[:1000]
        )


def what_is_there(subtasks: Iterable[Subtask]) -> JsonValue:
    """All results, should the run fail now; nothing where no subtask was done."""
    subtasks = tuple(subtasks)
    return [dict(subtask.whole()) for subtask in subtasks] if any(subtask.done_by for subtask in subtasks) else None


def given_up(subtasks: Iterable[Subtask]) -> list[str]:
    """What is missing of these, one sentence each."""
    return [line for subtask in subtasks if (line := subtask.missing())]
