"""The agent loop: call the model, call the tools that it asks for, and again, until an answer fits its contract.

It runs inside the workflow of the pattern that owns the agent. Between two turns its whole state is one small value
(``AgentState``), so the owner may continue as new there. History cost: 6 events a turn and 6 a tool call (fewer where
tools run side by side), and nothing that grows with the conversation.
"""

import json
from collections.abc import Callable
from contextlib import suppress

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

    from activities.contracts.calls import ModelRequest, ModelResponse
    from activities.contracts.messages import ToolCall, UserMessage
    from activities.contracts.monitors import MonitorSpec
    from activities.errors import ConfigurationInvalid, ContractViolated, LimitExceeded, NotAllowed
    from activities.grants import same_json
    from workflows.agent_models import ModelCalls
    from workflows.agent_tools import ToolCalls
    from workflows.agent_work import AgentWork
    from workflows.contracts import MAX_LAST_TEXT, AgentState
    from workflows.needs import as_text
    from workflows.reviewing.places import review_answer
    from workflows.reviewing.review import Reviewed, monitors_of

_problems = TypeAdapter(list[str])

Boundary = Callable[[AgentState], None]
"""Called between two turns; may raise to continue as new."""


class AgentLoop:
    """The turns of one agent's step."""

    def __init__(self, work: AgentWork) -> None:
        self._work = work
        self._models, self._tools = ModelCalls(work), ToolCalls(work)

    async def work(self, boundary: Boundary) -> ModelResponse:
        """Turn after turn until an answer fits; that answer.

        Raises:
            LimitExceeded: a limit is reached.
            ContractViolated: the corrections are used up.
            ActivityError: a call failed for good.
        """
        while True:
            await self._keep_window()
            response = await self._ask()
            if response.tool_calls:
                await self._tools.use(response.tool_calls)
                if self._work.transfer:
                    return response  # the step goes on with somebody else, or comes back here
            elif problems := await self._problems(response):
                self._correct(problems)
            elif accepted := await self._reviewed(response):
                return accepted
            boundary(self._work.state)

    async def _ask(self) -> ModelResponse:
        """One turn's model call."""
        limits, state = self._work.limits, self._work.state
        out_of_turns = LimitExceeded(
            f"the agent {self._work.agent!r} has no answer after {limits.turns} turns",
            fix=f"raise limits.turns of {self._work.agent!r}, or make its instructions say when to stop",
        )
        if state.turns >= limits.turns:
            raise out_of_turns
        turn = state.turns + 1
        task = self._work.step.task
        offer_tools = turn < limits.turns and (task is None or task.offer_tools)
        response = await self._models.call(
            ModelRequest(
                key=self._work.step.key(f"t{turn}"),
                profile=self._work.plan.profile,
                thread=state.thread,
                append=state.append,
                offer_tools=offer_tools,
            ),
            summary=f"{self._work.label}: turn {turn}",
        )
        # The start of the text is kept for a partial result; the whole is in the thread.
        said = response.text or (json.dumps(response.output) if response.output is not None else "")
        self._work.update(thread=response.thread, append=(), turns=turn)
        if said:
            self._work.update(last_text=said[:MAX_LAST_TEXT], withheld="")
        if response.tool_calls and not offer_tools:
            raise out_of_turns  # it was offered none
        return response

    async def _keep_window(self) -> None:
        """Replace the older part of the window by a summary where the next prompt would be too long."""
        state, limit = self._work.state, self._work.limits.context_tokens
        if self._work.prompt_tokens() <= limit:
            return
        if state.thread is None or state.thread.messages < 4:
            raise self._too_long()
        response = await self._models.call(
            ModelRequest(
                key=self._work.step.key(f"t{state.turns + 1}.s"),
                profile=self._work.plan.profile,
                thread=state.thread,
                purpose="summarise",
            ),
            summary=f"{self._work.label}: summarise {state.thread.tokens} tokens",
        )
        self._work.update(thread=response.thread)
        if self._work.prompt_tokens() > limit:
            raise self._too_long()

    def _too_long(self) -> LimitExceeded:
        return LimitExceeded(
            f"the next prompt of the agent {self._work.agent!r} has about {self._work.prompt_tokens()} tokens, more than its limit on"
            f" context_tokens: {self._work.limits.context_tokens}",
            fix=f"raise limits.context_tokens of {self._work.agent!r}, or let its tools return less",
        )

    async def _problems(self, response: ModelResponse) -> tuple[str, ...]:
        """Why an answer is not accepted; empty: it is."""
        if response.finish_reason == "content_filter":
            return ("It was stopped by the provider's content filter.",)
        if response.finish_reason == "length":
            return (f"It was cut off at {self._work.limits.output_tokens} tokens; answer in fewer.",)
        if response.problems:
            return response.problems
        if response.output is None and not response.text.strip():
            return ("It was empty.",)
        if problem := self._answers_another_subtask(response):
            return (problem,)
        problems: list[str] = []
        for index, check in enumerate(self._work.spec.output.checks if self._work.spec.output else ()):
            problems += await self._check(index, check, response)
        return tuple(problems)

    async def _reviewed(self, response: ModelResponse) -> ModelResponse | None:
        """The answer as its monitors let it pass, or nothing: it was sent back.

        Raises:
            NotAllowed: it was sent back as often as may be.
            Halted: a monitor ends the run at it.
        """
        work = self._work
        if not monitors_of(work.step):
            return response
        contract, ordinal = work.spec.output, f"t{work.state.turns}.answer"
        given = response.output if contract else response.text
        # Until it has passed, nobody gets it: not as a partial result either, nor with a transfer.
        work.update(last_text="", withheld="its review did not come to an end")
        reviewed = await review_answer(work.step, given, ordinal, contract)
        if reviewed.refusal:
            work.update(withheld=reviewed.told[:1000])
        work.go_on()  # judges and people take their time
        if reviewed.refusal and reviewed.monitor:
            self._send_back(reviewed, reviewed.monitor)
            return None
        work.update(last_text=as_text(reviewed.value)[:MAX_LAST_TEXT], withheld="")
        if same_json(reviewed.value, given):
            return response
        changed = response.model_copy(update={"output" if contract else "text": reviewed.value})
        if problems := await self._problems(changed):
            self._correct(problems)
            return None
        return changed

    def _send_back(self, reviewed: Reviewed, monitor: MonitorSpec) -> None:
        """Send an answer back that its monitors refuse, as often as they and the agent's limits allow."""
        work, state = self._work, self._work.state
        if state.sent_back >= monitor.corrections or state.corrections >= work.limits.corrections:
            raise NotAllowed(
                f"the monitor {monitor.name!r} does not let the answer of the agent {work.agent!r} pass: {reviewed.told}"[
                    :1000
                ],
                fix="look at the thread and the decisions (ostinato show), and mend the instructions or the monitor",
            )
        prompt = f"Your answer was not let through: {reviewed.told}\nAnswer again, whole and corrected."
        work.update(
            corrections=state.corrections + 1, sent_back=state.sent_back + 1, append=(UserMessage(text=prompt),)
        )

    def _answers_another_subtask(self, response: ModelResponse) -> str:
        output = response.output
        if not self._work.subtask_id or not isinstance(output, dict) or "subtask_id" not in output:
            return ""
        if output["subtask_id"] == self._work.subtask_id:
            return ""
        return f"It names the subtask {str(output['subtask_id'])[:100]!r}; yours is {self._work.subtask_id!r}."

    async def _check(self, index: int, check: str, response: ModelResponse) -> list[str]:
        """What one check of the contract has against an answer."""
        arguments = json.dumps({"output": response.output}, ensure_ascii=False)
        call = ToolCall(tool_call_id=f"check-{index}", tool=check, arguments=arguments)
        answer = await self._tools.check(f"t{self._work.state.turns}.k{index}", call)
        if not answer.error:
            with suppress(ValidationError):
                return _problems.validate_json(answer.text)
        raise ConfigurationInvalid(
            f"the check {check!r} of the agent {self._work.agent!r} does not work: {answer.text[:300]}",
            fix="a check takes one argument, output, and returns a short list of problems",
        )

    def _correct(self, problems: tuple[str, ...]) -> None:
        """Send an answer back, as often as the limits allow."""
        state = self._work.state
        if state.corrections >= self._work.limits.corrections:
            raise ContractViolated(
                f"the answer of the agent {self._work.agent!r} does not fit after {state.corrections} corrections: {problems[0]}",
                fix="look at the thread (ostinato show), and mend the instructions, the contract or the model",
            )
        listed = "\n".join(f"- {problem}" for problem in problems)
        prompt = f"Your answer cannot be used:\n{listed}\nAnswer again, whole and corrected."
        self._work.update(corrections=state.corrections + 1, append=(UserMessage(text=prompt),))
