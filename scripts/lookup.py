"""Finds a run by its id, or says which ids there are."""

import difflib

from temporalio.client import WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from scripts.session import Session
from workers.admission import check_run_id
from workers.runs import RunHandle
from workflows.contracts import RunResult

KNOWN = 200
"""Executions of runs, the newest first, among which a mistyped id is looked for."""


async def find_run(session: Session, run_id: str) -> tuple[RunHandle, WorkflowExecutionDescription]:
    """A run's handle and description.

    Raises:
        ConfigurationInvalid: there is none; the fix names the nearest ids.
    """
    check_run_id(run_id)
    handle = session.client.get_workflow_handle(run_id, result_type=RunResult)
    try:
        return handle, await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    listed = session.client.list_workflows("ParentWorkflowId IS NULL", limit=KNOWN)  # what is nested is no run
    known = list(dict.fromkeys([run.id async for run in listed]))  # each re-run of one is listed
    near = difflib.get_close_matches(run_id, known, n=1)
    newest = f"the newest are: {', '.join(known[:5])}" if known else "there are none yet: see `ostinato run --help`"
    raise ConfigurationInvalid(f"there is no run {run_id!r}", fix=f"did you mean {near[0]!r}?" if near else newest)


def is_running(description: WorkflowExecutionDescription) -> bool:
    """Whether the run has not ended: it runs, or is paused."""
    return description.close_time is None
