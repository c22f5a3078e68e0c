"""``ostinato delete``: a run with all that is kept of it."""

import functools
import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from scripts.lookup import find_run, is_running
from scripts.results import result_folder
from scripts.session import Session, open_existing, quiet, until
from scripts.terminal import COMPLETE, FAILED, Json, Output
from workers.admission import check_run_id
from workers.executions import executions_of
from workers.lineages import MAX_RERUNS, members_of
from workers.runs import read_input
from workers.settings import Settings, load_settings

GONE_SECONDS = 90.0
"""The server deletes a history when it has checkpointed the run's end, which it does every 30 seconds or so."""


async def delete(
    run: str, /, *, lineage: Annotated[bool, Parameter(negative="")] = False, as_json: Json = False
) -> int:
    """Delete an ended run: its history, everything that it has in the object store, and its saved result.

    A run that others were forked from, or that is a fork itself, shares its records with them: they are deleted together.

    Args:
        run: The run's id.
        lineage: Delete all runs of its lineage with it.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    async with open_existing(settings, output) as session:
        store, executions = session.deployment.store, list[tuple[str, str]]()
        check_run_id(run)
        scope_id, members = await _lineage_of(session, run)
        others = [member for member in members if member != run and await _is_there(session.client, member)]
        if others and not lineage:
            raise ConfigurationInvalid(
                f"the run {run} shares its records with {', '.join(others[:5])}",
                fix=f"ostinato delete {run} --lineage deletes all of them",
            )
        if not await _is_there(session.client, run) and not await _is_left(session, scope_id, run):
            await find_run(session, run)  # says which there are
        # Whatever has not ended is found before anything is deleted.
        for member in (run, *others):
            executions += await ended_executions(session, member)
        await request_deletion(session.client, executions)
        objects = 0
        for member in dict.fromkeys((scope_id, *members)):
            objects += await store.delete_lineage(member)
            remove_result(settings, member)
        try:
            for execution in executions:
                await until(functools.partial(_is_gone, session.client, *execution), GONE_SECONDS)
        except TimeoutError:
            output.error(f"the server has not deleted the history of {run} yet", "run the command again in a minute")
            return FAILED
        output.text("\n".join(f"deleted run {member}" for member in (run, *others)))
        output.object({"run_id": run, "workflow_id": run, "deleted": True, "objects": objects, "lineage": others})
    return COMPLETE


async def _lineage_of(session: Session, run: str) -> tuple[str, list[str]]:
    """The lineage of a run and all its runs; its own where nothing is known of it any more."""
    scope_id = run
    with suppress(ConfigurationInvalid, RPCError):
        scope_id = (await read_input(session.client, run)).scope_id
    return scope_id, list(dict.fromkeys([run, *await members_of(session.deployment.store, scope_id)]))


async def _is_left(session: Session, scope_id: str, run: str) -> bool:
    """Whether a deletion that was cut short, or a history past its retention, has left anything: that can go."""
    async for _ in session.deployment.store.list_paths(f"lineages/{scope_id}/"):
        return True
    return result_folder(session.deployment.settings, run).exists()


async def ended_executions(session: Session, run: str) -> list[tuple[str, str]]:
    """All executions of a run by workflow id and run id: those that it was resumed and rewound from too.

    Raises:
        ConfigurationInvalid: it has not ended.
    """
    client, found = session.client, dict[tuple[str, str], None]()
    execution = ""
    for _ in range(MAX_RERUNS):
        try:
            described = await client.get_workflow_handle(run, run_id=execution or None).describe()
            if is_running(described):
                raise ConfigurationInvalid(f"the run {run} has not ended", fix=f"ostinato stop {run}, then delete it")
            found |= dict.fromkeys(await executions_of(client, run, described.run_id or ""))
            given = await read_input(client, run, execution=described.run_id or "")
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                break
            raise
        if given.rewind is None or given.rewind.run_id != run:
            break
        execution = given.rewind.execution
    return list(found)


async def _is_there(client: Client, run: str) -> bool:
    try:
        await client.get_workflow_handle(run).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


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
