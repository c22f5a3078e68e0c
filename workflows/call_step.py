"""One call of one tool as a step of its own, without a model: shared by every pattern that has calls."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
    from activities.contracts.failures import FailureDetail
    from activities.contracts.handoffs import HandoffReport
    from activities.contracts.messages import ToolCall
    from activities.contracts.steps import Usage
    from activities.errors import (
        ConfigurationInvalid,
        DeadlineExceeded,
        HandoffRejected,
        LimitExceeded,
        NotAllowed,
        PayloadTooLarge,
        ToolFailed,
    )
    from activities.json_values import is_deep, read_json
    from workflows import steps
    from workflows.contracts import RunResult, RunStatus, StepReport
    from workflows.deadlines import after
    from workflows.effects import noting_effect
    from workflows.failures import failure_of, stop_if_requested
    from workflows.gate import through_the_gate
    from workflows.handoffs import received, sent, unanswered
    from workflows.paid_tools import paid
    from workflows.people import after_a_no
    from workflows.progress import Row
    from workflows.results import of_steps
    from workflows.step_context import StepContext
    from workflows.teams.references import filled, references
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
    call = _Call(step, node, after(started, seconds))
    try:
        async with step.frame.clock.until(after(started, seconds)):
            await call.make()
    except (Exception, asyncio.CancelledError) as error:
        if not workflow.in_workflow():
            raise  # thrown away with a workflow that a worker forgets
        stop_if_requested()
        late = seconds is not None and workflow.time() >= started + seconds
        call.failure = failure_of(_too_late(node, seconds) if late else error, agent=node.name, step=step.path)
        if step.task and step.task.handoff and not call.handoffs:
            call.handoffs = (unanswered(step.task.handoff, call.failure, sent=call.sent),)
    result = _result(step, node, started, call)
    step.board.show(row.model_copy(update={"status": result.status.value}))
    return result


class _Call:
    """One call and what is known of it, whatever is raised."""

    def __init__(self, step: StepContext, node: CallNode, end: float | None) -> None:
        self._step, self._node, self._end = step, node, end
        self.answer: ToolResponse | None = None
        self.failure: FailureDetail | None = None
        self.handoffs: tuple[HandoffReport, ...] = ()
        self.sent = False
        """Whether a worker was asked."""
        self.usage = Usage()

    async def make(self) -> None:
        """Make the call.

        Raises:
            HandoffRejected: the receiver does not take the step.
            NotAllowed: the gate or a person refuses it.
            ToolFailed: the tool answered with an error.
            LimitExceeded: it does not fit the budget, or its arguments are too long.
        """
        step, node, run = self._step, self._node, self._step.run
        if node.name not in run.plans:
            raise ConfigurationInvalid(f"the run knows no call {node.name!r}", fix="start runs that were admitted")
        plan, request = run.plans[node.name], self._request()
        with noting_effect(step, plan, request, lambda: self._end) as ended:
            answer = await through_the_gate(step, request, self._send)
            ended(answer)
        if request.handoff:
            self.handoffs = (received(request.handoff, answer.accepted, answer.rejected),)
        if answer.rejected:
            raise HandoffRejected(answer.rejected, owner=node.name)
        if answer.error is ToolErrorKind.BLOCKED:
            raise NotAllowed(
                f"the call {node.name!r} of {node.tool!r} is not allowed: {answer.text[:400]}",
                fix="change its arguments, its grants, the monitor or the deployment's policy, and resume the run"
                if answer.message or answer.decision
                else after_a_no(),
            )
        if answer.error:
            raise ToolFailed(
                f"the tool {node.tool!r} answered with an error: {answer.text[:400]}",
                fix="correct what it says: the input, the call's arguments, or the tools of the workers"
                " (OSTINATO_TOOL_MODULES)",
            )
        if answer.result:
            raise PayloadTooLarge(
                f"the tool {node.tool!r} returned {answer.size_bytes:,} bytes; at most {MAX_TEXT:,} are passed on to the next"
                f" step (the whole is kept as blob {answer.result})",
                fix="let it return less, or write an artifact and return its name",
            )
        self.answer = answer

    def _request(self) -> ToolRequest:
        step, node, run = self._step, self._node, self._step.run
        task = step.task
        arguments = json.dumps(fill(node, {"goal": run.goal, **(task.inputs if task else {})}), ensure_ascii=False)
        if len(arguments) > MAX_TEXT:
            raise LimitExceeded(
                f"the arguments of the call {node.name!r} have {len(arguments):,} characters; at most {MAX_TEXT:,} are"
                " passed",
                fix="give it less: fewer subtasks, or shorter answers",
            )
        plan = run.plans[node.name]
        return ToolRequest(
            key=step.key("t1", once=node.tool if node.tool in plan.once else ""),
            profile=plan.profile,
            call=ToolCall(tool_call_id=node.name, tool=node.tool, arguments=arguments),
            snapshot=run.snapshot,
            whole=True,
            handoff=task.handoff if task else None,
            rerun=step.rerun,
            again=step.failed_before,
        )

    async def _send(self, request: ToolRequest) -> ToolResponse:
        node = self._node
        timeout = timedelta(seconds=self._step.run.tool_seconds.get(node.tool, 60.0))
        punctual = self._step.punctual and node.tool not in self._step.run.plans[node.name].effects
        summary = f"{node.name}: {node.tool}"

        async def call(attempts: int) -> ToolResponse:
            self.sent = True
            # With what may be used now: a person may have allowed more.
            handoff = sent(request.handoff, self._step.funds) if request.handoff else None
            told = request.model_copy(update={"handoff": handoff})
            return await steps.call_tool(
                told, tool_timeout=timeout, summary=summary, punctual=punctual, attempts=attempts
            )

        return await paid(self._step.funds, call, self._count)

    def _count(self, usage: Usage) -> None:
        self.usage += usage


def fill(node: CallNode, inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The arguments with each ``$name`` replaced by what the pattern offers under that name; null where it has none."""
    wanted = {name: inputs.get(name) for _, name in references(node.arguments)}
    return {name: filled(value, wanted) for name, value in node.arguments.items()}


def _too_late(node: CallNode, seconds: float | None) -> DeadlineExceeded:
    return DeadlineExceeded(f"the call {node.name!r} did not end within {seconds or 0:g} s", fix="give it more time")


def _result(step: StepContext, node: CallNode, started: float, call: _Call) -> RunResult:
    run, answer, failure = step.run, call.answer, call.failure
    status = RunStatus.FAILED if answer is None else RunStatus.COMPLETE
    report = StepReport(
        agent=f"{run.team.team}/{node.name}@{run.team.version}",
        step=step.path,
        status=status,
        attempts=answer.attempt if answer else 1,
        milliseconds=round((workflow.time() - started) * 1000),
        reason=failure.message if failure else "",
    )
    taken = not any(report.rejected for report in call.handoffs)
    effects = int(taken and node.tool in run.plans[node.name].effects) if node.name in run.plans else 0
    noted: dict[str, Any] = {
        "status": status,
        "usage": call.usage,
        "effects": effects,
        "handoffs": call.handoffs,
    }
    if answer is None:
        return of_steps((report,), failure=failure, **noted)
    return of_steps(
        (report,),
        output=_read(answer.text),
        artifacts=answer.artifacts,
        **noted,
    )


def _read(text: str) -> JsonValue:
    """A result as JSON where it is JSON that can be passed on, and as the text that it is otherwise."""
    try:
        value = read_json(text)
    except (ValueError, RecursionError):
        return text
    return text if is_deep(value) else value
