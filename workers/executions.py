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


async def histories_of(client: Client, workflow_id: str, execution: str = "") -> AsyncIterator[WorkflowHistory]:
    """The histories of a run, its own first (oldest first), then those of what is nested in it, level by level.

    Args:
        client: where the run is.
        workflow_id: the run.
        execution: one of its executions by Temporal run id, with those that it continued from; the newest where empty.

    Raises:
        RPCError: there is no such run. A nested workflow whose history is gone already is passed over.
        ConfigurationInvalid: more than ``MAX_EXECUTIONS``.
    """
    chain = await run_chain(client, workflow_id, execution=execution)
    waiting = deque((workflow_id, run_id) for run_id in chain)
    seen = set(waiting)
    while waiting:
        current, run_id = waiting.popleft()
        try:
            history = await client.get_workflow_handle(current, run_id=run_id).fetch_history()
        except RPCError as error:
            if current != workflow_id and error.status is RPCStatusCode.NOT_FOUND:
                continue
            raise
        yield history
        for following in (*_continued(history), *_children(history)):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(seen) > MAX_EXECUTIONS:
            raise ConfigurationInvalid(
                f"the run {workflow_id} has more than {MAX_EXECUTIONS:,} executions",
                fix="work on its parts by their ids",
            )


async def executions_of(client: Client, workflow_id: str, execution: str = "") -> list[tuple[str, str]]:
    """The same executions by workflow id and run id."""
    found = []
    async for history in histories_of(client, workflow_id, execution):
        started = history.events[0].workflow_execution_started_event_attributes
        found.append((history.workflow_id, started.original_execution_run_id))
    return found


async def nested_executions(client: Client, workflow_id: str, execution: str = "") -> list[tuple[str, str]]:
    """What is nested in a run, each once: its workflow id, and the run id of its last execution."""
    found = dict(await executions_of(client, workflow_id, execution))
    return [(nested_id, run_id) for nested_id, run_id in found.items() if nested_id != workflow_id]


def _continued(history: WorkflowHistory) -> list[tuple[str, str]]:
    """The execution that followed. The root's are known beforehand."""
    event = history.events[-1]
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
        return []
    following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return [(history.workflow_id, following)]


def _children(history: WorkflowHistory) -> list[tuple[str, str]]:
    started = [
        event.child_workflow_execution_started_event_attributes.workflow_execution
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
    ]
    return [(child.workflow_id, child.run_id) for child in started]
