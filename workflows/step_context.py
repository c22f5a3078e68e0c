"""One step about to be made: the workflow that makes it, where in the tree it stands, what it is to do."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temporalio import workflow

if TYPE_CHECKING:
    from workflows.frame import Frame

with workflow.unsafe.imports_passed_through():
    from activities.contracts.steps import StepKey
    from workflows.budget import Account
    from workflows.contracts import RunInput, RunResult, Task
    from workflows.progress import Board


@dataclass(frozen=True)
class StepContext:
    """What every kind of step starts from."""

    frame: "Frame"
    """The workflow that makes the step."""
    path: str
    """Unlike that of any other step of the run, and the same in every re-run."""
    task: Task | None = None
    """What to do; the run's goal where absent."""
    account: Account | None = None
    """What it draws on; the workflow's where absent."""
    paused: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered while a person is asked: that is nobody's own time."""
    accept: Callable[["RunResult"], "RunResult"] = lambda result: result
    """What its pattern makes of whoever did it: where that is a failure, the fallback stands in."""
    partial: bool = False
    """Whether its budget lets what it has come to stand for a result."""
    commits: bool = True
    """``False``: its pattern commits the output, once it has looked at it."""

    @property
    def run(self) -> RunInput:
        """The input of the workflow that makes the step."""
        return self.frame.run

    @property
    def board(self) -> Board:
        """Where its progress is shown."""
        return self.frame.board

    @property
    def punctual(self) -> bool:
        """Whether a call without effects that is under way at the deadline is left to itself."""
        return self.task is not None and self.task.punctual

    @property
    def funds(self) -> Account:
        """What it draws on."""
        return self.account or self.frame.account

    def key(self, ordinal: str, *, once: str = "") -> StepKey:
        """The key of one call. ``once`` names a tool that is called at most once: its records are renewed by name only."""
        generation = self.run.generation_of(self.path, once)
        return StepKey(scope_id=self.run.scope_id, path=self.path, step=ordinal, generation=generation)

    @property
    def rerun(self) -> int:
        """The number of this run among the lineage's re-runs; 0: it is the first."""
        return self.run.rewind.number if self.run.rewind else 0

    @property
    def failed_before(self) -> bool:
        """Whether the run that this one goes on from has failed in this step."""
        rewind = self.run.rewind
        return rewind is not None and self.path in rewind.failed
