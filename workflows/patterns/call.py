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
    from pydantic import JsonValue

    from activities.contracts.calls import ToolRequest, ToolResponse
    from activities.contracts.messages import ToolCall
    from activities.contracts.steps import StepKey, Usage
    from activities.errors import ConfigurationInvalid, ToolFailed
    from activities.outputs import is_deep
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
        name = run.team.node_name()
        try:
            answer = await _call(run)
        except Exception as error:
            stop_if_requested()
            failure = failure_of(error, agent=name, step=name)
            record_failure(failure)
            result = _result(run, name, RunStatus.FAILED)
            raise failed_run(result.model_copy(update={"failure": failure})) from error
        cut = (
            (f"the rest of the tool's result: {answer.size_bytes:,} bytes, blob {answer.result}",)
            if answer.result
            else ()
        )
        result = _result(run, name, RunStatus.PARTIAL if cut else RunStatus.COMPLETE, answer.attempt)
        return result.model_copy(update={"output": _read(answer.text), "missing": (*result.missing, *cut)[-100:]})


async def _call(run: RunInput) -> ToolResponse:
    node = run.team.root
    if not isinstance(node, CallNode):
        raise ConfigurationInvalid(
            "the workflow 'call' takes a team whose root is a call", fix="start it as its kind says"
        )
    arguments = {name: run.goal if value == "$goal" else value for name, value in node.arguments.items()}
    request = ToolRequest(
        key=StepKey(scope_id=run.scope_id, path=node.name, step="t1", generation=run.generation),
        profile=run.profiles[node.name],
        call=ToolCall(tool_call_id=node.name, tool=node.tool, arguments=json.dumps(arguments, ensure_ascii=False)),
        snapshot=run.snapshot,
    )
    timeout = timedelta(seconds=run.tool_seconds.get(node.tool, 60.0))
    answer = await steps.call_tool(request, tool_timeout=timeout, summary=f"{node.name}: {node.tool}")
    if answer.error:
        raise ToolFailed(f"the tool {node.tool!r} answered with an error: {answer.text[:400]}")
    return answer


def _result(run: RunInput, name: str, status: RunStatus, attempts: int = 1) -> RunResult:
    step = StepReport(
        agent=f"{run.team.team}/{name}@{run.team.version}",
        step=name,
        status=status,
        attempts=attempts,
        milliseconds=round((workflow.time() - workflow.info().workflow_start_time.timestamp()) * 1000),
    )
    usage = Usage(tool_calls=1 if status is not RunStatus.FAILED else 0)
    return RunResult(status=status, usage=usage, steps=(step,), missing=run.missing)


def _read(text: str) -> JsonValue:
    """A result as JSON where it is JSON that can be passed on, and as the text that it is otherwise."""
    try:
        value: JsonValue = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return text if is_deep(value) else value
