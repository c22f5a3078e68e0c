"""An agent's tool calls: side by side, each through the gate, and none left running when the turn ends."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ToolRequest, ToolResponse
    from activities.contracts.failures import FailureKind
    from activities.contracts.messages import ToolCall, ToolMessage
    from activities.contracts.steps import Usage
    from activities.errors import HandoffRejected, LimitExceeded
    from workflows import platform_tools, steps
    from workflows.agent_work import AgentWork
    from workflows.effects import noting_effect
    from workflows.failures import failure_of
    from workflows.gate import through_the_gate
    from workflows.paid_tools import paid
    from workflows.platform_tools import answered_here
    from workflows.policies import TOOL_ATTEMPTS
    from workflows.reviewing.places import refused_transfer
    from workflows.transfers import Transfer, refused_call

MAX_ARTIFACTS = 1000
"""Files of one step that are listed; the last ones where it writes more."""


class ToolCalls:
    """The tool calls of one agent's step."""

    def __init__(self, work: AgentWork) -> None:
        self._work = work

    async def use(self, calls: tuple[ToolCall, ...]) -> None:
        """Call all tools of one answer; their results go into the next turn by reference.

        Raises:
            LimitExceeded: more calls than the agent may make, or more errors.
            HandoffRejected: a tool is missing where tools are.
            ActivityError: a call failed for good.
        """
        work = self._work
        limits, used = work.limits, work.state.usage.tool_calls
        own = {i: platform_tools.answer(work, c, beside=calls) for i, c in enumerate(calls) if answered_here(work, c)}
        if used + len(calls) - len(own) > limits.tool_calls:
            raise LimitExceeded(
                f"the agent {work.agent!r} asked for more than {limits.tool_calls} tool calls",
                fix=f"raise limits.tool_calls of {work.agent!r}, or make its instructions say when to stop",
            )
        before = work.state.effects
        work.update(effects=before + sum(call.tool in work.plan.effects for call in calls))
        side_by_side = asyncio.Semaphore(limits.parallel_tools)

        async def one(index: int, call: ToolCall) -> ToolResponse:
            async with side_by_side:
                return await self._use(f"t{work.state.turns}.c{index}", call)

        # All calls end before the first failure is raised: none is left running, no effect goes unseen.
        others = [index for index in range(len(calls)) if index not in own]
        results = await asyncio.gather(*(one(i, calls[i]) for i in others), return_exceptions=True)
        answers = [result for result in results if not isinstance(result, BaseException)]
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self._end_untaken(before, [(calls[i], answer) for i, answer in zip(others, answers, strict=True)])
        messages = {index: one.message for index, one in own.items()} | {
            index: answer.message
            or ToolMessage(
                tool_call_id=calls[index].tool_call_id, tool=calls[index].tool, text=answer.text, is_error=True
            )
            for index, answer in zip(others, answers, strict=True)
        }
        wrong = [message.text for index in own if (message := own[index].message).is_error]
        work.transfer = next((one.transfer for one in own.values() if one.transfer), None)
        if work.transfer and (refusal := await self._refused(work.transfer)):
            work.transfer, wrong = None, [refusal.text]
            messages = {0: refusal}  # a transfer is the only call of its turn
        work.update(
            append=tuple(messages[index] for index in sorted(messages)),
            tool_errors=work.state.tool_errors + len(wrong),
        )
        if work.state.tool_errors > limits.tool_errors:
            last = [*wrong, *(answer.text for answer in answers if answer.error)][-1]
            raise LimitExceeded(
                f"the agent {work.agent!r} made more than {limits.tool_errors} tool errors; the last: {last[:200]}",
                fix=f"look at its tools and instructions, or raise limits.tool_errors of {work.agent!r}",
            )

    async def _refused(self, transfer: Transfer) -> ToolMessage | None:
        """What the agent reads where a monitor does not allow the transfer."""
        work = self._work
        text = await refused_transfer(work.step, transfer, work.state.last_text, f"t{work.state.turns}.transfer")
        return refused_call(transfer.call_id, f"The task was not handed on: {text}") if text else None

    async def check(self, ordinal: str, call: ToolCall) -> ToolResponse:
        """One check of the contract: no call of the model's, so it counts against no budget."""
        work = self._work
        work.go_on()
        answer = await self._send(self._request(ordinal, call).model_copy(update={"check": True}))
        self._end_untaken(work.state.effects, [(call, answer)])
        return answer

    def _end_untaken(self, before: int, answers: Sequence[tuple[ToolCall, ToolResponse]]) -> None:
        """End the step where a tool that it was granted is not where tools are: somebody else may do it.

        After an effect nobody may: then the agent is told, and goes on.

        Args:
            before: effects of earlier turns.
            answers: this turn's calls.

        Raises:
            HandoffRejected: the tool is missing.
        """
        work = self._work
        begun = before + sum(call.tool in work.plan.effects and not answer.rejected for call, answer in answers)
        rejected = next((answer.rejected for _, answer in answers if answer.rejected), None)
        if rejected is None or begun:
            return
        reports = work.state.handoffs
        if reports and work.handoff:  # it was taken by who could not know
            reports = (*reports[:-1], reports[-1].model_copy(update={"rejected": rejected}))
        work.update(effects=0, handoffs=reports, taken=False)
        raise HandoffRejected(rejected, owner=work.agent)

    async def _use(self, ordinal: str, call: ToolCall) -> ToolResponse:
        work = self._work
        work.go_on()
        request = self._request(ordinal, call)
        try:
            with noting_effect(work.step, work.plan, request, lambda: work.deadline) as ended:
                answer = await through_the_gate(work.step, request, self._paid)
                ended(answer)
        except ActivityError as error:
            failure = failure_of(error, agent=work.agent, step=work.path)
            if failure.kind is FailureKind.OUTCOME_UNKNOWN:
                work.unknown.append(failure)  # reported whatever else ends the step
            raise
        state = work.state
        work.update(
            tool_errors=state.tool_errors + (answer.error is not None),
            retries=state.retries + answer.attempt - 1,
            artifacts=(*state.artifacts, *answer.artifacts)[-MAX_ARTIFACTS:],
        )
        return answer

    def _request(self, ordinal: str, call: ToolCall) -> ToolRequest:
        work = self._work
        key = work.step.key(ordinal, once=call.tool if call.tool in work.plan.once else "")
        return ToolRequest(
            key=key,
            profile=work.plan.profile,
            call=call,
            snapshot=work.run.snapshot,
            rerun=work.step.rerun,
            again=work.step.failed_before,
        )

    async def _paid(self, request: ToolRequest) -> ToolResponse:
        async def call(attempts: int) -> ToolResponse:
            self._work.go_on()  # it may have waited for its budget, or for a person
            return await self._send(request, attempts)

        return await paid(self._work.account, call, self._count)

    def _count(self, usage: Usage) -> None:
        """As each call ends: what was used counts even where a deadline or a stop ends the turn."""
        self._work.update(usage=self._work.state.usage + usage)

    async def _send(self, request: ToolRequest, attempts: int = TOOL_ATTEMPTS) -> ToolResponse:
        work, tool = self._work, request.call.tool
        seconds = work.run.tool_seconds.get(tool, 60.0)
        return await steps.call_tool(
            request,
            tool_timeout=timedelta(seconds=seconds),
            summary=f"{work.label}: {tool[:60]}",
            punctual=work.step.punctual and tool not in work.plan.effects,
            attempts=attempts,
        )
