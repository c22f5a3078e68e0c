"""One step about to be made: the workflow that makes it, where in the tree it stands, what it is to do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from temporalio import workflow

if TYPE_CHECKING:
    from workflows.frame import Frame

with workflow.unsafe.imports_passed_through():
    from activities.contracts.steps import StepKey
    from workflows.budget import Account
    from workflows.contracts import RunInput, Task
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

    @property
    def run(self) -> RunInput:
        """The input of the workflow that makes the step."""
        return self.frame.run

    @property
    def board(self) -> Board:
        """Where its progress is shown."""
        return self.frame.board

    @property
    def funds(self) -> Account:
        """What it draws on."""
        return self.account or self.frame.account

    def key(self, ordinal: str, *, once: bool = False) -> StepKey:
        """The key of one call. What is called at most once keeps its generation, unless its repetition is allowed."""
        generation = 0 if once else self.run.generation_of(self.path)
        return StepKey(scope_id=self.run.scope_id, path=self.path, step=ordinal, generation=generation)
