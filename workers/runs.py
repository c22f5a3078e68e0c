"""The client's side of a run: how it is started, followed, and read back."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType
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
from workflows.contracts import AgentNode, RunInput, RunResult, RunStatus
from workflows.failures import failure_of
from workflows.progress import AGENTS, PATTERN, TEAM

RunHandle = WorkflowHandle[Any, RunResult]

RECONNECT_SECONDS = 60.0
"""How long ``follow`` waits for a server that went away: a killed dev server is back within two seconds."""
MAX_SEARCHED_AGENTS = 25
"""Agents of a team that a run is found by: 25 names of 64 characters and their quotes are 1,700 bytes."""
MAX_CHAIN = 1000
"""Executions of one run that continued as new: at 4,000 events each, four million events."""


def start_options(run: RunInput) -> dict[str, Any]:
    """The keyword arguments of ``client.start_workflow``: id, queue, what the UI shows, fairness between teams.

    A second start with the same id attaches to the run that is there; a closed run is never started again.
    """
    team = run.team
    agents = sorted(team.agents) if isinstance(team.root, AgentNode) else [team.root.name]
    # The server takes 2,048 bytes for one search attribute; the root's agent is always found.
    agents = [team.node_name(), *(name for name in agents if name != team.node_name())][:MAX_SEARCHED_AGENTS]
    return {
        "id": run.scope_id,
        "task_queue": steps.WORKFLOW_QUEUE,
        "task_timeout": policies.WORKFLOW_TASK_TIMEOUT,
        "execution_timeout": _longest(run) + policies.EXECUTION_MARGIN,
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
        "static_summary": f"{team.team}: {' '.join(run.goal.split())}"[:200],
        "static_details": f"Team `{team.team}` version {team.version}\n\n{run.goal[:2000]}",
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(TEAM, team.team),
                SearchAttributePair(PATTERN, team.root.kind),
                SearchAttributePair(AGENTS, agents),
            ]
        ),
        # Fairness keys have at most 64 bytes; activities inherit the workflow's.
        "priority": Priority(fairness_key=hashlib.sha256(team.team.encode()).hexdigest()[:16]),
    }


def _longest(run: RunInput) -> timedelta:
    """How long the run may take by its own limits."""
    root = run.team.root
    if isinstance(root, AgentNode):
        return timedelta(seconds=run.team.agents[root.agent].limits.seconds)
    return policies.tool_schedule_to_close(run.tool_seconds.get(root.tool, 60.0))


async def start_run(client: Client, run: RunInput) -> RunHandle:
    """Start an admitted run under the pattern of its root.

    Raises:
        WorkflowAlreadyStartedError: a run of this id has ended already.
    """
    return await client.start_workflow(run.team.root.kind, run, result_type=RunResult, **start_options(run))


@dataclass(frozen=True)
class Progress:
    """One thing that happened in a run."""

    what: str
    """The one-line summary of the call, such as ``researcher: turn 2``."""
    state: str
    """``started``, ``retried`` (an attempt failed, another one ended), ``done`` or ``failed``."""
    detail: str = ""
    """What went wrong, where something did."""


async def follow(handle: RunHandle) -> AsyncIterator[Progress]:
    """What happens in a run, from its start to its end, as the server's long poll delivers it. No queries, no cost.

    Raises:
        RPCError: the server is gone for longer than ``RECONNECT_SECONDS``, or does not know the run.
    """
    running: dict[int, str] = {}
    async for event in _events(handle):
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                running.clear()
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                running[event.event_id] = _summary(event)
                yield Progress(running[event.event_id], "started")
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                # Written when the call ends: the server keeps retries out of history.
                begun = event.activity_task_started_event_attributes
                if begun.attempt > 1:
                    detail = f"attempt {begun.attempt - 1}: {begun.last_failure.message}"
                    yield Progress(running.get(begun.scheduled_event_id, "call"), "retried", detail)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                ended = event.activity_task_completed_event_attributes.scheduled_event_id
                yield Progress(running.pop(ended, "call"), "done")
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                failed = event.activity_task_failed_event_attributes
                yield Progress(running.pop(failed.scheduled_event_id, "call"), "failed", failed.failure.message)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                late = event.activity_task_timed_out_event_attributes
                yield Progress(running.pop(late.scheduled_event_id, "call"), "failed", late.failure.message)


async def _events(handle: RunHandle) -> AsyncIterator[HistoryEvent]:
    """Every event once, over restarts of the server and from one execution to the next."""
    run_id, seen, lost_since = "", 0, 0.0
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=True, skip_archival=True):
                lost_since = 0.0
                if event.event_id == 1:
                    execution = event.workflow_execution_started_event_attributes.original_execution_run_id
                    run_id, seen = execution, seen if execution == run_id else 0
                if event.event_id <= seen:
                    continue
                seen = event.event_id
                yield event
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                    break
            else:
                return
        except RPCError as error:
            lost_since = lost_since or time.monotonic()
            gone = time.monotonic() - lost_since > RECONNECT_SECONDS
            if gone or error.status not in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED}:
                raise
            await asyncio.sleep(0.5)


async def read_input(client: Client, workflow_id: str) -> RunInput:
    """The input that a run was started with (of its latest execution, where it continued as new).

    Raises:
        RPCError: there is no such run.
        ConfigurationInvalid: a workflow of this id is there, but it is no run of ours.
    """
    first = await _first_event(client.get_workflow_handle(workflow_id))
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


async def run_chain(client: Client, workflow_id: str) -> list[str]:
    """The executions of a run, oldest first; several where it continued as new.

    Raises:
        RPCError: there is no such run.
    """
    chain = [(await client.get_workflow_handle(workflow_id).describe()).run_id or ""]
    for _ in range(MAX_CHAIN):
        first = await _first_event(client.get_workflow_handle(workflow_id, run_id=chain[0]))
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
        return RunResult(status=RunStatus.FAILED, failure=_failure(cause))


def _failure(cause: BaseException) -> FailureDetail:
    if isinstance(cause, (CancelledError, TerminatedError)):
        return FailureDetail(
            kind=FailureKind.CANCELLED, origin=Origin.OPERATOR, retryable=False, message="the run was stopped"
        )
    return failure_of(cause, agent="", step="")


async def _first_event(handle: WorkflowHandle[Any, Any]) -> HistoryEvent:
    return await anext(aiter(handle.fetch_history_events(page_size=1)))


def _summary(event: HistoryEvent) -> str:
    """The call's one-line summary; its type where a codec has made the summary unreadable from here."""
    summary = event.user_metadata.summary
    if summary.metadata.get("encoding") == b"json/plain":
        return str(json.loads(summary.data))
    return event.activity_task_scheduled_event_attributes.activity_type.name
