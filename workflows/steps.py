"""The only place that schedules activities: task queue, timeouts, retries and the one-line summary for the UI.

A call under way may end well although the run is stopped (``_outcome``, and what is called at most once is let to its end).
So nothing new is begun once a stop was asked for, except compensations and the records of what people have decided.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TypedDict, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ModelRequest, ModelResponse, ToolRequest, ToolResponse
    from activities.contracts.mcp import McpListing, McpListRequest
    from activities.contracts.people import DecisionRecord
    from activities.contracts.similarity import EmbedRequest, EmbedResponse
    from activities.embed_call import EmbedActivities
    from activities.human_records import HumanActivities
    from activities.mcp.listing import McpActivities
    from activities.model_call import ModelActivities
    from activities.tool_call import ToolActivities
    from workflows import policies
    from workflows.failures import stop_if_requested

Answer = TypeVar("Answer")
TOOL_QUEUE = "ostinato-tools"
WORKFLOW_QUEUE = "ostinato-workflows"


def model_queue(provider: str) -> str:
    """The task queue of a provider's model calls: rate limits and keys are per provider."""
    return f"ostinato-models-{provider}"


async def call_model(
    request: ModelRequest, *, queue: str, attempts: int, summary: str, punctual: bool = False
) -> ModelResponse:
    """One model call; ``attempts`` is as many as its budget allows. ``punctual``: its end is not waited for when it is cancelled.

    Raises:
        ActivityError: read it with ``workflows.failures``.
        CancelledError: a stop was asked for before.
    """
    stop_if_requested()
    call = workflow.start_activity_method(
        ModelActivities.call_model,
        request,
        task_queue=queue,
        start_to_close_timeout=policies.MODEL_START_TO_CLOSE,
        schedule_to_close_timeout=policies.MODEL_SCHEDULE_TO_CLOSE,
        heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
        retry_policy=replace(policies.MODEL_RETRY, maximum_attempts=attempts),
        cancellation_type=_when_cancelled(punctual=punctual),
        summary=summary,
    )
    return await _outcome(call)


async def embed(
    request: EmbedRequest, *, queue: str, attempts: int, seconds: float | None, punctual: bool = False
) -> EmbedResponse:
    """Compare texts; ``attempts`` is as many as the budget allows, ``seconds`` the time that is left for all of them.

    The bound is the activity's own: a timer would cost two events.

    Raises:
        ActivityError: read it with ``workflows.failures``.
        CancelledError: a stop was asked for before.
    """
    stop_if_requested()
    most = policies.EMBED_SCHEDULE_TO_CLOSE
    bound = most if seconds is None else min(most, timedelta(seconds=seconds))
    summary = f"compare {len(request.texts)} texts by {request.provider}:{request.model}"[:200]
    call = workflow.start_activity_method(
        EmbedActivities.embed,
        request,
        task_queue=queue,
        start_to_close_timeout=min(policies.EMBED_START_TO_CLOSE, bound),
        schedule_to_close_timeout=bound,
        heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
        retry_policy=replace(policies.MODEL_RETRY, maximum_attempts=attempts),
        cancellation_type=_when_cancelled(punctual=punctual),
        summary=summary,
    )
    return await _outcome(call)


async def call_tool(
    request: ToolRequest,
    *,
    tool_timeout: timedelta,
    summary: str,
    punctual: bool = False,
    attempts: int = policies.TOOL_ATTEMPTS,
) -> ToolResponse:
    """One tool call; ``tool_timeout`` is the tool's own bound. ``punctual``: its end is not waited for when it is cancelled.

    ``attempts``: as many as its budget allows, where it counts.

    Raises:
        ActivityError: read it with ``workflows.failures``.
        CancelledError: a stop was asked for before, and it is no compensation.
    """
    if request.undo is None:
        stop_if_requested()
    seconds = tool_timeout.total_seconds()
    call = workflow.start_activity_method(
        ToolActivities.call_tool,
        request,
        task_queue=TOOL_QUEUE,
        start_to_close_timeout=policies.tool_start_to_close(seconds),
        schedule_to_close_timeout=policies.tool_schedule_to_close(seconds),
        heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
        retry_policy=replace(policies.TOOL_RETRY, maximum_attempts=attempts),
        cancellation_type=_when_cancelled(punctual=punctual),
        summary=summary,
    )
    return await _outcome(call)


async def _outcome(call: workflow.ActivityHandle[Answer]) -> Answer:
    """What a call came to, even where a deadline fell into the same moment: it was made, and is paid.

    Awaited as it is, a call that has ended in the very workflow task in which it is cancelled loses its answer.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.sleep(0)  # what has come in this workflow task is taken first
        if not call.done():
            call.cancel()
        return await call


def _when_cancelled(*, punctual: bool) -> ActivityCancellationType:
    """A cancelled run ends only when its calls have ended: nothing is left running behind its back.

    Where a latency budget counts, a call without effects is told to end and not waited for: that takes up to 2 s.
    """
    return ActivityCancellationType.TRY_CANCEL if punctual else ActivityCancellationType.WAIT_CANCELLATION_COMPLETED


async def list_mcp_tools(request: McpListRequest, *, seconds: float, summary: str) -> McpListing:
    """The tools of a run's MCP servers; ``seconds`` is the bound of the slowest server.

    Raises:
        ActivityError: read it with ``workflows.failures``.
        CancelledError: a stop was asked for before.
    """
    stop_if_requested()
    return await workflow.execute_activity_method(
        McpActivities.list_tools,
        request,
        task_queue=TOOL_QUEUE,
        start_to_close_timeout=policies.tool_start_to_close(2 * seconds),
        schedule_to_close_timeout=policies.tool_schedule_to_close(2 * seconds),
        heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
        retry_policy=policies.TOOL_RETRY,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


async def find_decision(request: DecisionRecord) -> DecisionRecord:
    """The decision that the lineage has on record.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
    return await workflow.execute_activity_method(
        HumanActivities.find, request, summary="look for a decision", **_DECISION
    )


async def record_decision(request: DecisionRecord) -> DecisionRecord:
    """Record a decision; what is on record comes back.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
    by = request.decision.by if request.decision else ""
    summary = f"record the decision of {by}"[:200]
    return await workflow.execute_activity_method(HumanActivities.record, request, summary=summary, **_DECISION)


class _Options(TypedDict):
    task_queue: str
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


_DECISION = _Options(
    task_queue=TOOL_QUEUE,
    start_to_close_timeout=policies.DECISION_START_TO_CLOSE,
    schedule_to_close_timeout=policies.DECISION_SCHEDULE_TO_CLOSE,
    heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
    retry_policy=policies.DECISION_RETRY,
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)
