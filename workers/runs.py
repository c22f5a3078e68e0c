"""The client's side of a run: how it is started, followed, and read back."""

import hashlib
from datetime import timedelta
from typing import Any, Literal

from pydantic import ValidationError
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.failures import FailureDetail, FailureKind, Origin
from activities.errors import ConfigurationInvalid
from workflows import policies, steps
from workflows.contracts import RunInput, RunResult, RunStatus
from workflows.failures import failure_of
from workflows.nodes import names_in
from workflows.progress import AGENTS, PATTERN, TEAM
from workflows.stopped import MEMO
from workflows.teams.bounds import longest_seconds, once_tools
from workflows.teams.patience import patience_seconds
from workflows.teams.tree import workflow_type

RunHandle = WorkflowHandle[Any, RunResult]

RECONNECT_SECONDS = 60.0
"""How long ``follow`` waits for a server that went away: a killed dev server is back within two seconds."""
MAX_CHAIN = 1000
"""Executions of one run that continued as new: at 4,000 events each, four million events."""


def start_options(run: RunInput) -> dict[str, Any]:
    """The keyword arguments of ``client.start_workflow``: id, queue, what the UI shows, fairness between teams.

    A second start with the same id attaches to the run that is there; a closed run is never started again.
    """
    team = run.team
    longest = longest_seconds(team, team.root, run.tool_seconds, once_tools(run.plans))
    longest += patience_seconds(team, run.plans, team.root)
    return {
        "id": run.workflow_id,
        "task_queue": steps.WORKFLOW_QUEUE,
        "task_timeout": policies.WORKFLOW_TASK_TIMEOUT,
        "execution_timeout": timedelta(seconds=longest + run.people_seconds) + policies.EXECUTION_MARGIN,
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
        "static_summary": f"{team.team}: {' '.join(run.goal.split())}"[:200],
        "static_details": f"Team `{team.team}` version {team.version}\n\n{run.goal[:2000]}",
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(TEAM, team.team),
                SearchAttributePair(PATTERN, team.root.kind),
                SearchAttributePair(AGENTS, names_in(team.root)),
            ]
        ),
        # Fairness keys have at most 64 bytes; activities inherit the workflow's.
        "priority": Priority(fairness_key=hashlib.sha256(team.team.encode()).hexdigest()[:16]),
    }


async def start_run(client: Client, run: RunInput, *, place: Literal["attach", "again", "new"] = "attach") -> RunHandle:
    """Start an admitted run under the pattern of its root.

    Where there is a run of its id, it is attached to, if it is open. ``again``: it is replaced, if it has ended; ``new``:
    there must be none.

    Raises:
        WorkflowAlreadyStartedError: there is a run of this id, and it is not as it has to be.
    """
    options = start_options(run)
    if place != "attach":
        options["id_conflict_policy"] = WorkflowIDConflictPolicy.FAIL
    if place == "again":
        options["id_reuse_policy"] = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    return await client.start_workflow(workflow_type(run.team.root), run, result_type=RunResult, **options)


async def read_input(client: Client, workflow_id: str, *, execution: str = "") -> RunInput:
    """The input that a run was started with (of its latest execution, where it continued as new).

    ``execution`` is the run id of another one.

    Raises:
        RPCError: there is no such run.
        ConfigurationInvalid: a workflow of this id is there, but it is no run of ours.
    """
    first = await _first_event(client.get_workflow_handle(workflow_id, run_id=execution or None))
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    try:
        (run,) = await client.data_converter.with_context(context).decode(payloads, [RunInput])
        return RunInput.model_validate(run)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigurationInvalid(
            f"the workflow {workflow_id!r} is no run of ostinato, or its input cannot be read",
            fix="choose another id; check OSTINATO_CODEC where the deployment has one",
        ) from error


async def run_chain(client: Client, workflow_id: str, *, last_only: bool = False, execution: str = "") -> list[str]:
    """The executions of a run, oldest first; several where it continued as new. Those past their retention are left out.

    ``execution`` is the run id of the last one; the newest of the workflow where it is empty.

    Raises:
        RPCError: there is no such run.
    """
    chain = [execution or (await client.get_workflow_handle(workflow_id).describe()).run_id or ""]
    for _ in range(0 if last_only else MAX_CHAIN):
        try:
            first = await _first_event(client.get_workflow_handle(workflow_id, run_id=chain[0]))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or len(chain) == 1:
                raise
            return chain[1:]
        before = first.workflow_execution_started_event_attributes.continued_execution_run_id
        if not before:
            break
        chain.insert(0, before)
    return chain


async def read_result(handle: RunHandle, *, rpc_timeout: timedelta | None = None) -> RunResult:
    """Wait for a run's end; its result, whether it is complete, partial or failed."""
    try:
        return await handle.result(rpc_timeout=rpc_timeout)
    except WorkflowFailureError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.details:
            try:
                return RunResult.model_validate(cause.details[0])
            except ValidationError:
                pass
        left = await left_behind(handle) if isinstance(cause, CancelledError) else None
        return left or RunResult(status=RunStatus.FAILED, failure=_failure(cause))


async def left_behind(handle: WorkflowHandle[Any, Any]) -> RunResult | None:
    """What a stopped workflow has said of itself at its end: Temporal keeps no result of it.

    Raises:
        RPCError: there is no such workflow.
    """
    try:
        left = await (await handle.describe()).memo_value(MEMO, None, type_hint=RunResult)
    except (ValidationError, ValueError, TypeError, RuntimeError, ApplicationError):
        return None  # no codec, a blob that is gone, or another version: the histories still tell what was used
    return RunResult.model_validate(left) if left is not None else None


def _failure(cause: BaseException) -> FailureDetail:
    if isinstance(cause, (CancelledError, TerminatedError)):
        return FailureDetail(
            kind=FailureKind.CANCELLED, origin=Origin.OPERATOR, retryable=False, message="the run was stopped"
        )
    return failure_of(cause, agent="", step="")


async def _first_event(handle: WorkflowHandle[Any, Any]) -> HistoryEvent:
    return await anext(aiter(handle.fetch_history_events(page_size=1)))
