"""``ostinato delete``: a run with all that is kept of it."""

import functools
import shutil
from collections.abc import Iterable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from scripts.lookup import find_run, is_running
from scripts.results import result_folder
from scripts.session import open_existing, quiet, until
from scripts.terminal import COMPLETE, FAILED, Json, Output
from workers.executions import executions_of
from workers.settings import Settings, load_settings

GONE_SECONDS = 90.0
"""The server deletes a history when it has checkpointed the run's end, which it does every 30 seconds or so."""


async def delete(run: str, /, *, as_json: Json = False) -> int:
    """Delete an ended run: its history, everything that it has in the object store, and its saved result.

    Args:
        run: The run's id.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    async with open_existing(settings, output) as session:
        store, executions = session.deployment.store, list[tuple[str, str]]()
        try:
            _, description = await find_run(session, run)
        except ConfigurationInvalid:
            # A deletion that was cut short, or a history past its retention, leaves the rest: that can go.
            if not await store.delete_lineage(run) and not result_folder(settings, run).exists():
                raise
        else:
            if is_running(description):
                raise ConfigurationInvalid(f"the run {run} has not ended", fix=f"ostinato stop {run}, then delete it")
            executions = await executions_of(session.client, run)
        await request_deletion(session.client, executions)
        objects = await store.delete_lineage(run)
        remove_result(settings, run)
        try:
            for execution in executions:
                await until(functools.partial(_is_gone, session.client, *execution), GONE_SECONDS)
        except TimeoutError:
            output.error(f"the server has not deleted the history of {run} yet", "run the command again in a minute")
            return FAILED
        output.text(f"deleted run {run}")
        output.object({"run_id": run, "workflow_id": run, "deleted": True, "objects": objects})
    return COMPLETE


async def request_deletion(client: Client, executions: Iterable[tuple[str, str]]) -> None:
    """Have the server delete histories, each by workflow id and run id. One that is gone already is no error."""
    for workflow_id, run_id in executions:
        execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
        try:
            await client.workflow_service.delete_workflow_execution(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


def remove_result(settings: Settings, run: str) -> None:
    """Remove the files that a run's result was saved in, on this machine."""
    shutil.rmtree(result_folder(settings, run), ignore_errors=True)


async def _is_gone(client: Client, workflow_id: str, run_id: str) -> bool:
    try:
        await client.get_workflow_handle(workflow_id, run_id=run_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True
        raise
    return False
