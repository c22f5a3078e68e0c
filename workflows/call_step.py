"""One call of one tool as a step of its own, without a model: shared by every pattern that has calls."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from activities.contracts.calls import ToolRequest, ToolResponse
    from activities.contracts.failures import FailureDetail
    from activities.contracts.messages import ToolCall
    from activities.contracts.steps import StepKey, Usage
    from activities.errors import ConfigurationInvalid, DeadlineExceeded, LimitExceeded, ToolFailed
    from activities.outputs import is_deep
    from workflows import steps
    from workflows.contracts import RunResult, RunStatus, StepReport
    from workflows.failures import failure_of, stop_if_requested
    from workflows.progress import Row
    from workflows.results import of_steps
    from workflows.step_context import StepContext
    from workflows.teams.tree import CallNode


async def run_call(step: StepContext, node: CallNode) -> RunResult:
    """Call the tool; its result, read as JSON where it is JSON. A tool's error is a failed step.

    Raises:
        CancelledError: the run was stopped.
    """
    row = Row(path=step.path, agent=node.name)
    started = workflow.time()
    step.board.show(row)
    seconds = step.task.seconds if step.task else None
    answer, failure = None, None
    try:
        async with asyncio.timeout(seconds):
            answer = await _call(step, node)
    except (Exception, asyncio.CancelledError) as error:
        stop_if_requested()
        late = seconds is not None and workflow.time() >= started + seconds
        failure = failure_of(_too_late(node, seconds) if late else error, agent=node.name, step=step.path)
    result = _result(step, node, started, answer, failure)
    step.board.show(row.model_copy(update={"status": result.status.value}))
    return result


async def _call(step: StepContext, node: CallNode) -> ToolResponse:
    run, inputs = step.run, step.task.inputs if step.task else {}
    if node.name not in run.plans:
        raise ConfigurationInvalid(f"the run knows no call {node.name!r}", fix="start runs that were admitted")
    arguments = json.dumps(fill(node, {"goal": run.goal, **inputs}), ensure_ascii=False)
    if len(arguments) > MAX_TEXT:
        raise LimitExceeded(
            f"the arguments of the call {node.name!r} have {len(arguments):,} characters; at most {MAX_TEXT:,} are passed",
            fix="give it less: fewer subtasks, or shorter answers",
        )
    request = ToolRequest(
        key=StepKey(scope_id=run.scope_id, path=step.path, step="t1", generation=run.generation),
        profile=run.plans[node.name].profile,
        call=ToolCall(tool_call_id=node.name, tool=node.tool, arguments=arguments),
        snapshot=run.snapshot,
        whole=True,
    )
    timeout = timedelta(seconds=run.tool_seconds.get(node.tool, 60.0))
    answer = await steps.call_tool(request, tool_timeout=timeout, summary=f"{node.name}: {node.tool}")
    if answer.error:
        raise ToolFailed(
            f"the tool {node.tool!r} answered with an error: {answer.text[:400]}",
            fix="correct what it says: the input, the call's arguments, or the tools of the workers (OSTINATO_TOOL_MODULES)",
        )
    return answer


def fill(node: CallNode, inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The arguments with ``$name`` replaced by what the pattern offers under that name; null where it has none."""
    return {
        name: inputs.get(reference_of(value)) if reference_of(value) else value
        for name, value in node.arguments.items()
    }


def reference_of(value: JsonValue) -> str:
    """What an argument ``$name`` stands for: the name; empty where it stands for itself."""
    return value[1:] if isinstance(value, str) and value[:1] == "$" and value[1:].isidentifier() else ""


def _too_late(node: CallNode, seconds: float | None) -> DeadlineExceeded:
    return DeadlineExceeded(f"the call {node.name!r} did not end within {seconds or 0:g} s", fix="give it more time")


def _result(
    step: StepContext, node: CallNode, started: float, answer: ToolResponse | None, failure: FailureDetail | None
) -> RunResult:
    run = step.run
    cut = answer.result if answer else None
    status = RunStatus.FAILED if answer is None else RunStatus.PARTIAL if cut else RunStatus.COMPLETE
    report = StepReport(
        agent=f"{run.team.team}/{node.name}@{run.team.version}",
        step=step.path,
        status=status,
        attempts=answer.attempt if answer else 1,
        milliseconds=round((workflow.time() - started) * 1000),
        reason=failure.message if failure else "",
    )
    effects = int(node.tool in run.plans[node.name].effects) if node.name in run.plans else 0
    if answer is None:
        return of_steps((report,), status=status, failure=failure, effects=effects)
    missing = (f"the rest of the tool's result: {answer.size_bytes:,} bytes, blob {cut}",) if cut else ()
    return of_steps(
        (report,),
        status=status,
        usage=Usage(tool_calls=1),
        missing=missing,
        output=_read(answer.text),
        artifacts=answer.artifacts,
        effects=effects,
    )


def _read(text: str) -> JsonValue:
    """A result as JSON where it is JSON that can be passed on, and as the text that it is otherwise."""
    try:
        value: JsonValue = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return text if is_deep(value) else value
