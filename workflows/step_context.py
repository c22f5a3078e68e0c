"""One step about to be made: the run it is a part of, where in the tree it stands, what it is to do, who watches."""

from dataclasses import dataclass

from workflows.contracts import RunInput, Task
from workflows.progress import Board


@dataclass(frozen=True)
class StepContext:
    """What every kind of step starts from."""

    run: RunInput
    """The run of the workflow that makes the step."""
    path: str
    """Unlike that of any other step of the run, and the same in every re-run."""
    board: Board
    """Where its progress is shown."""
    task: Task | None = None
    """What to do; the run's goal where absent."""
