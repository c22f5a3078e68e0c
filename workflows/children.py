"""Waits for a nested workflow, and says so where it is this workflow that stops it.

A nested workflow that is stopped by its parent hands its effects up with its result. One whose parent is gone has to
undo them itself, and nothing but the reason of its cancellation tells the two apart.
"""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.workflow import ChildWorkflowHandle

BY_PARENT = "ostinato: stopped by its parent"
"""The reason of a cancellation that comes from the workflow above. Pinned: it enters history."""


async def to_its_result(child: ChildWorkflowHandle[Any, Any]) -> Any:
    """The result of a nested workflow; where this one is stopped meanwhile, so is that, and it is waited for.

    Raises:
        ChildWorkflowError: it failed, or was stopped.
    """
    try:
        return await asyncio.shield(child)
    except asyncio.CancelledError:
        child.cancel(BY_PARENT)
        return await child


def stopped_by_parent() -> bool:
    """Whether this workflow was stopped by the one above, which waits for its result."""
    return workflow.cancellation_reason() == BY_PARENT
