"""What all reviews in one workflow task may look at together.

A worker gives a workflow task up that computes for 2 seconds, and tries it again for ever: so after a pause of the worker,
when many steps end at once, some of their reviews wait for the next task.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.matching import MAX_EFFORT

if TYPE_CHECKING:
    from workflows.frame import Frame

MAX_LOOKED = MAX_EFFORT
"""Looks after which no review begins in the same task: so at most twice as many are made in it, 0.8 s."""


class Looked:
    """What the reviews of one workflow have looked at in the present task."""

    def __init__(self) -> None:
        self._task, self._looks = -1, 0

    @property
    def is_full(self) -> bool:
        """Whether the next review has to wait for another task."""
        return self._looks >= MAX_LOOKED and self._task == workflow.info().get_current_history_length()

    def spend(self, looks: int) -> None:
        """Count what a review has looked at."""
        now = workflow.info().get_current_history_length()
        self._looks = looks + (self._looks if now == self._task else 0)
        self._task = now


async def given_time(frame: "Frame") -> None:
    """Wait until there is time for a review: at once, but where other reviews have had it all.

    Raises:
        CancelledError: the run was stopped.
    """
    while frame.looked.is_full:
        await workflow.sleep(timedelta(milliseconds=1), summary="reviews take their time")
