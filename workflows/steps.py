"""The only place that schedules activities: task queue, timeouts, retries and the one-line summary for the UI."""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ModelRequest, ModelResponse, ToolRequest, ToolResponse
    from activities.contracts.mcp import McpListing, McpListRequest
    from activities.mcp.listing import McpActivities
    from activities.model_call import ModelActivities
    from activities.tool_call import ToolActivities
    from workflows import policies

TOOL_QUEUE = "ostinato-tools"
WORKFLOW_QUEUE = "ostinato-workflows"


def model_queue(provider: str) -> str:
    """The task queue of a provider's model calls: rate limits and keys are per provider."""
    return f"ostinato-models-{provider}"


async def call_model(request: ModelRequest, *, queue: str, attempts: int, summary: str) -> ModelResponse:
    """One model call; ``attempts`` is as many as its budget allows.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
    return await workflow.execute_activity_method(
        ModelActivities.call_model,
        request,
        task_queue=queue,
        start_to_close_timeout=policies.MODEL_START_TO_CLOSE,
        schedule_to_close_timeout=policies.MODEL_SCHEDULE_TO_CLOSE,
        heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
        retry_policy=replace(policies.MODEL_RETRY, maximum_attempts=attempts),
        # A cancelled run ends only when its calls have ended: nothing is left running behind its back.
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


async def call_tool(request: ToolRequest, *, tool_timeout: timedelta, summary: str) -> ToolResponse:
    """One tool call; ``tool_timeout`` is the tool's own bound.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
    seconds = tool_timeout.total_seconds()
    return await workflow.execute_activity_method(
        ToolActivities.call_tool,
        request,
        task_queue=TOOL_QUEUE,
        start_to_close_timeout=policies.tool_start_to_close(seconds),
        schedule_to_close_timeout=policies.tool_schedule_to_close(seconds),
        heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
        retry_policy=policies.TOOL_RETRY,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )


async def list_mcp_tools(request: McpListRequest, *, seconds: float, summary: str) -> McpListing:
    """The tools of a run's MCP servers; ``seconds`` is the bound of the slowest server.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
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
