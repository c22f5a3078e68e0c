"""The client's side of a run: how it is started, followed, and read back."""

import hashlib
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
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError

from activities.contracts.failures import FailureDetail, FailureKind, Origin
from workflows import steps
from workflows.contracts import AgentNode, RunInput, RunResult, RunStatus
from workflows.failures import failure_of
from workflows.progress import AGENTS, PATTERN, TEAM

RunHandle = WorkflowHandle[Any, RunResult]


def start_options(run: RunInput) -> dict[str, Any]:
    """The keyword arguments of ``client.start_workflow``: id, queue, what the UI shows, fairness between teams.

    A second start with the same id attaches to the run that is there; a closed run is never started again.
    """
    team = run.team
    agents = sorted(team.agents) if isinstance(team.root, AgentNode) else [team.root.name]
    return {
        "id": run.scope_id,
        "task_queue": steps.WORKFLOW_QUEUE,
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
    """``started``, ``done`` or ``failed``."""


async def follow(handle: RunHandle) -> AsyncIterator[Progress]:
    """What happens in a run, from its start to its end, as the server's long poll delivers it. No queries, no cost."""
    running: dict[int, str] = {}
    async for event in handle.fetch_history_events(wait_new_event=True, skip_archival=True):
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            running[event.event_id] = _summary(event)
            yield Progress(running[event.event_id], "started")
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            ended = event.activity_task_completed_event_attributes.scheduled_event_id
            yield Progress(running.pop(ended, "call"), "done")
        elif event.event_type in {
            EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
            EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        }:
            failed = event.activity_task_failed_event_attributes or event.activity_task_timed_out_event_attributes
            yield Progress(running.pop(failed.scheduled_event_id, "call"), "failed")


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


def _summary(event: HistoryEvent) -> str:
    data = event.user_metadata.summary.data.decode("utf-8", "replace").strip('"')
    return data or event.activity_task_scheduled_event_attributes.activity_type.name
