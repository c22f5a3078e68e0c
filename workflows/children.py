"""Waits for a nested workflow, and says so where it is this workflow that stops it.

A nested workflow that is stopped by its parent hands its effects up with its result. One whose parent is gone has to
undo them itself, and nothing but the reason of its cancellation tells the two apart. Where its parent goes on without it,
such as when others were faster, the parent has to know what it has used: then it ends as failed, with its result.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.workflow import ChildWorkflowHandle

BY_PARENT = "ostinato: stopped by its parent"
"""The reason of a cancellation that comes from the workflow above. Pinned: it enters history."""
LEFT = "ostinato: its parent goes on without it"
"""The same where only this part of the work is ended. Pinned: it enters history."""


async def to_its_result(child: ChildWorkflowHandle[Any, Any], goes_on: Callable[[], bool]) -> Any:
    """The result of a nested workflow; where this one is stopped meanwhile, so is that, and it is waited for.

    Args:
        child: the nested workflow.
        goes_on: whether the work goes on where only this part of it is stopped.

    Raises:
        ChildWorkflowError: it failed, or was stopped.
    """
    try:
        return await asyncio.shield(child)
    except asyncio.CancelledError:
        child.cancel(LEFT if goes_on() and workflow.cancellation_reason() in {None, LEFT} else BY_PARENT)
        return await child


def stopped_by_parent() -> bool:
    """Whether this workflow was stopped by the one above, which waits for its result."""
    return workflow.cancellation_reason() in {BY_PARENT, LEFT}


def is_left() -> bool:
    """Whether the parent goes on without this workflow."""
    return workflow.cancellation_reason() == LEFT


def was_ended() -> bool:
    """Whether the pattern has ended the step that is being made: its task was cancelled, and the run goes on."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
