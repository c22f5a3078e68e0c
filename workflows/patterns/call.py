"""Call: one tool, no model (deterministic step). Deterministic logic is code, not an agent.

Use it wherever the step can be written as a function: gates, arithmetic, look-ups, effects.

::

    arguments ─▶ tool ─▶ result

Bounds: the tool's timeout and the retry policy of its activity. On failure: a tool error fails the run as
``tool_failed``. Messages: none. History: 11 events.
"""

import json
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ToolRequest, ToolResponse
    from activities.contracts.messages import ToolCall
    from activities.contracts.steps import StepKey, Usage
    from activities.errors import ToolFailed
    from workflows import steps
    from workflows.contracts import CallNode, RunInput, RunResult, RunStatus, StepReport
    from workflows.failures import failed_run, failure_of, stop_if_requested
    from workflows.progress import record_failure


@workflow.defn(name="call")
class CallWorkflow:
    """One tool call as a run of its own."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Call the tool; its result, read as JSON where it is JSON.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        node = run.team.root
        if not isinstance(node, CallNode):
            raise TypeError("the workflow 'call' takes a team whose root is a call")
        arguments = {name: run.goal if value == "$goal" else value for name, value in node.arguments.items()}
        request = ToolRequest(
            key=StepKey(scope_id=run.scope_id, path=node.name, step="t1", generation=run.generation),
            profile=run.profiles[node.name],
            call=ToolCall(tool_call_id=node.name, tool=node.tool, arguments=json.dumps(arguments)),
            snapshot=run.snapshot,
        )
        timeout = timedelta(seconds=run.tool_seconds.get(node.tool, 60.0))
        try:
            answer = await steps.call_tool(request, tool_timeout=timeout, summary=f"{node.name}: {node.tool}")
            if answer.error:
                raise ToolFailed(f"the tool {node.tool!r} answered with an error: {answer.text[:400]}")
        except Exception as error:
            stop_if_requested()
            failure = failure_of(error, agent=node.name, step=node.name)
            record_failure(failure)
            result = _result(run, node, RunStatus.FAILED, None)
            raise failed_run(result.model_copy(update={"failure": failure})) from error
        return _result(run, node, RunStatus.COMPLETE, answer)


def _result(run: RunInput, node: CallNode, status: RunStatus, answer: ToolResponse | None) -> RunResult:
    step = StepReport(
        agent=f"{run.team.team}/{node.name}@{run.team.version}",
        step=node.name,
        status=status,
        attempts=answer.attempt if answer else 1,
        milliseconds=round((workflow.time() - workflow.info().workflow_start_time.timestamp()) * 1000),
    )
    usage = Usage(tool_calls=1 if answer else 0)
    return RunResult(
        status=status, output=_read(answer.text) if answer else None, usage=usage, steps=(step,), missing=run.missing
    )


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
