"""All executions of a run: those that continued as new, and those of the workflows nested in it.

Read from the histories themselves: the server's index of workflows lags behind, and what it does not show yet would be
left behind by a deletion or missing in an export.
"""

from collections import deque
from collections.abc import AsyncIterator

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from workers.runs import run_chain

MAX_EXECUTIONS = 10_000
"""Executions of one run: a supervisor of 200 subtasks whose workers are supervisors of 50."""


async def histories_of(client: Client, workflow_id: str) -> AsyncIterator[WorkflowHistory]:
    """The histories of a run, its own first (oldest first), then those of what is nested in it, level by level.

    Raises:
        RPCError: there is no such run. A nested workflow whose history is gone already is passed over.
        ConfigurationInvalid: more than ``MAX_EXECUTIONS``.
    """
    waiting, seen = deque([workflow_id]), {workflow_id}
    count = 0
    while waiting:
        current = waiting.popleft()
        try:
            chain = await run_chain(client, current)
        except RPCError as error:
            if current != workflow_id and error.status is RPCStatusCode.NOT_FOUND:
                continue
            raise
        for run_id in chain:
            count += 1
            if count > MAX_EXECUTIONS:
                raise ConfigurationInvalid(
                    f"the run {workflow_id} has more than {MAX_EXECUTIONS:,} executions",
                    fix="work on its parts by their ids",
                )
            history = await client.get_workflow_handle(current, run_id=run_id).fetch_history()
            yield history
            for child in _children(history):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)


async def executions_of(client: Client, workflow_id: str) -> list[tuple[str, str]]:
    """The same executions by workflow id and run id."""
    found = []
    async for history in histories_of(client, workflow_id):
        started = history.events[0].workflow_execution_started_event_attributes
        found.append((history.workflow_id, started.original_execution_run_id))
    return found


def _children(history: WorkflowHistory) -> list[str]:
    return [
        event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
    ]
