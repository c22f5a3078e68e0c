"""The agent loop: call the model, call the tools that it asks for, and again, until an answer fits its contract.

It runs inside the workflow of the pattern that owns the agent. Between two turns its whole state is one small value
(``AgentState``), so the owner may continue as new there. History cost: 6 events a turn and 6 a tool call (fewer where
tools run side by side), and nothing that grows with the conversation.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

    from activities.contracts.calls import ModelRequest, ModelResponse, ToolRequest, ToolResponse
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.messages import MessageRef, ToolCall, UserMessage, estimate_tokens
    from activities.contracts.steps import StepKey, Usage
    from activities.errors import ConfigurationInvalid, ContractViolated, DeadlineExceeded, LimitExceeded
    from workflows import steps
    from workflows.budget import WorstCase, affordable_attempts, usage_of_failed_call
    from workflows.contracts import AgentState, ModelRoute, NodePlan, RunInput, Task
    from workflows.failures import failure_of, stop_if_requested
    from workflows.policies import ATTEMPTS_BEFORE_FALLBACK
    from workflows.teams.agents import AgentSpec

_problems = TypeAdapter(list[str])

MAX_ARTIFACTS = 1000
"""Files of one step that are listed; the last ones where it writes more."""
FALL_BACK_ON = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.PROVIDER_UNAVAILABLE,
        FailureKind.PROVIDER_TIMEOUT,
        FailureKind.MALFORMED_ANSWER,
        FailureKind.QUOTA_EXHAUSTED,
        FailureKind.AUTHENTICATION_FAILED,
        FailureKind.MODEL_NOT_FOUND,
        FailureKind.CONTEXT_EXCEEDED,
        FailureKind.REQUEST_REJECTED,
    }
)
"""What another model may do better. Not a lost worker, and nothing that is the platform's or the agent's own fault."""

Boundary = Callable[[AgentState], None]
"""Called between two turns; may raise to continue as new."""


class AgentLoop:
    """One agent at work on one step. ``state`` is up to date after every await, whatever is raised."""

    def __init__(self, run: RunInput, *, agent: str, path: str, state: AgentState, task: Task | None = None) -> None:
        self.run = run
        self.agent = agent
        self.path = path
        if agent not in run.team.agents or agent not in run.plans or not run.plans[agent].models:
            raise ConfigurationInvalid(f"the run knows no agent {agent!r}", fix="start runs that were admitted")
        self.spec: AgentSpec = run.team.agents[agent]
        self.plan: NodePlan = run.plans[agent]
        self.state = state
        self.subtask_id = task.subtask_id if task else ""
        self.label = f"{self.subtask_id} {agent}".lstrip()
        """What the UI's one-line summaries begin with: several of its kind may be at work."""
        self.seconds = min(self.spec.limits.seconds, (task and task.seconds) or self.spec.limits.seconds)
        self.unknown: list[FailureDetail] = []
        """Effects that were begun and whose outcome nobody knows."""
        self.deadline = state.started_at + self.seconds
        """Workflow time at which the step ends, seconds since 1970."""

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
                await self._use_tools(response.tool_calls)
            elif problems := await self._problems(response):
                self._correct(problems)
            else:
                return response
            boundary(self.state)

    def too_late(self) -> DeadlineExceeded:
        """What ends a step whose time is used up."""
        return DeadlineExceeded(
            f"the agent {self.agent!r} did not end within {self.seconds:g} s",
            fix=f"raise limits.seconds of {self.agent!r} (and its worker's timeout_seconds), or give it less to do",
        )

    async def _ask(self) -> ModelResponse:
        """One turn's model call."""
        limits, state = self.spec.limits, self.state
        out_of_turns = LimitExceeded(
            f"the agent {self.agent!r} has no answer after {limits.turns} turns",
            fix=f"raise limits.turns of {self.agent!r}, or make its instructions say when to stop",
        )
        if state.turns >= limits.turns:
            raise out_of_turns
        turn = state.turns + 1
        response = await self._call_model(
            ModelRequest(
                key=self._key(f"t{turn}"),
                profile=self.plan.profile,
                thread=state.thread,
                append=state.append,
                offer_tools=turn < limits.turns,
            ),
            summary=f"{self.label}: turn {turn}",
        )
        # The start of the text is kept for a partial result; the whole is in the thread.
        said = response.text or (json.dumps(response.output) if response.output is not None else "")
        self._update(thread=response.thread, append=(), turns=turn, last_text=said[:4000] or state.last_text)
        if response.tool_calls and turn == limits.turns:
            raise out_of_turns  # it was offered none
        return response

    async def _keep_window(self) -> None:
        """Replace the older part of the window by a summary where the next prompt would be too long."""
        state, limit = self.state, self.spec.limits.context_tokens
        if self._prompt_tokens() <= limit:
            return
        if state.thread is None or state.thread.messages < 4:
            raise self._too_long()
        response = await self._call_model(
            ModelRequest(
                key=self._key(f"t{state.turns + 1}.s"),
                profile=self.plan.profile,
                thread=state.thread,
                purpose="summarise",
            ),
            summary=f"{self.label}: summarise {state.thread.tokens} tokens",
        )
        self._update(thread=response.thread)
        if self._prompt_tokens() > limit:
            raise self._too_long()

    def _too_long(self) -> LimitExceeded:
        return LimitExceeded(
            f"the next prompt of the agent {self.agent!r} has about {self._prompt_tokens()} tokens, more than its limit on"
            f" context_tokens: {self.spec.limits.context_tokens}",
            fix=f"raise limits.context_tokens of {self.agent!r}, or let its tools return less",
        )

    async def _use_tools(self, calls: tuple[ToolCall, ...]) -> None:
        """Call all tools of one answer, side by side; their results go into the next turn by reference."""
        limits, used = self.spec.limits, self.state.usage.tool_calls
        if used + len(calls) > limits.tool_calls:
            raise LimitExceeded(
                f"the agent {self.agent!r} asked for more than {limits.tool_calls} tool calls",
                fix=f"raise limits.tool_calls of {self.agent!r}, or make its instructions say when to stop",
            )
        self._update(effects=self.state.effects + sum(call.tool in self.plan.effects for call in calls))
        gate = asyncio.Semaphore(limits.parallel_tools)

        async def one(index: int, call: ToolCall) -> ToolResponse:
            async with gate:
                answer = await self._note_unknown(self._call_tool(f"t{self.state.turns}.c{index}", call))
            # Counted here, as it ends: what was used counts even where a deadline or a stop ends the turn.
            state = self.state
            self._update(
                usage=state.usage + Usage(tool_calls=1),
                tool_errors=state.tool_errors + (answer.error is not None),
                retries=state.retries + answer.attempt - 1,
                artifacts=(*state.artifacts, *answer.artifacts)[-MAX_ARTIFACTS:],
            )
            return answer

        # All calls end before the first failure is raised: none is left running, no effect goes unseen.
        results = await asyncio.gather(*(one(i, call) for i, call in enumerate(calls)), return_exceptions=True)
        answers = [result for result in results if not isinstance(result, BaseException)]
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self._update(append=tuple(answer.message for answer in answers))
        if self.state.tool_errors > limits.tool_errors:
            last = next(answer for answer in reversed(answers) if answer.error)
            raise LimitExceeded(
                f"the agent {self.agent!r} made more than {limits.tool_errors} tool errors; the last: {last.text[:200]}",
                fix=f"look at its tools and instructions, or raise limits.tool_errors of {self.agent!r}",
            )

    async def _note_unknown(self, calling: Awaitable[ToolResponse]) -> ToolResponse:
        """Remember an effect whose outcome is not known: it is reported whatever else ends the step."""
        try:
            return await calling
        except ActivityError as error:
            failure = failure_of(error, agent=self.agent, step=self.path)
            if failure.kind is FailureKind.OUTCOME_UNKNOWN:
                self.unknown.append(failure)
            raise

    async def _problems(self, response: ModelResponse) -> tuple[str, ...]:
        """Why an answer is not accepted; empty: it is."""
        if response.finish_reason == "content_filter":
            return ("It was stopped by the provider's content filter.",)
        if response.finish_reason == "length":
            return (f"It was cut off at {self.spec.limits.output_tokens} tokens; answer in fewer.",)
        if response.problems:
            return response.problems
        if response.output is None and not response.text.strip():
            return ("It was empty.",)
        if problem := self._answers_another_subtask(response):
            return (problem,)
        problems: list[str] = []
        for index, check in enumerate(self.spec.output.checks if self.spec.output else ()):
            problems += await self._check(index, check, response)
        return tuple(problems)

    def _answers_another_subtask(self, response: ModelResponse) -> str:
        output = response.output
        if not self.subtask_id or not isinstance(output, dict) or "subtask_id" not in output:
            return ""
        if output["subtask_id"] == self.subtask_id:
            return ""
        return f"It names the subtask {str(output['subtask_id'])[:100]!r}; yours is {self.subtask_id!r}."

    async def _check(self, index: int, check: str, response: ModelResponse) -> list[str]:
        """What one check of the contract has against an answer."""
        arguments = json.dumps({"output": response.output}, ensure_ascii=False)
        call = ToolCall(tool_call_id=f"check-{index}", tool=check, arguments=arguments)
        answer = await self._call_tool(f"t{self.state.turns}.k{index}", call, check=True)
        if not answer.error:
            with suppress(ValidationError):
                return _problems.validate_json(answer.text)
        raise ConfigurationInvalid(
            f"the check {check!r} of the agent {self.agent!r} does not work: {answer.text[:300]}",
            fix="a check takes one argument, output, and returns a short list of problems",
        )

    def _correct(self, problems: tuple[str, ...]) -> None:
        """Send an answer back, as often as the limits allow."""
        state = self.state
        if state.corrections >= self.spec.limits.corrections:
            raise ContractViolated(
                f"the answer of the agent {self.agent!r} does not fit after {state.corrections} corrections: {problems[0]}",
                fix="look at the thread (ostinato show), and mend the instructions, the contract or the model",
            )
        listed = "\n".join(f"- {problem}" for problem in problems)
        prompt = f"Your answer cannot be used:\n{listed}\nAnswer again, whole and corrected."
        self._update(corrections=state.corrections + 1, append=(UserMessage(text=prompt),))

    async def _call_model(self, request: ModelRequest, *, summary: str) -> ModelResponse:
        """One call of the first model of the chain that can answer."""
        while True:
            try:
                return await self._call_choice(request.model_copy(update={"choice": self.state.choice}), summary)
            except ActivityError as error:
                last = self.state.choice == len(self.plan.models) - 1
                if last or failure_of(error, agent=self.agent, step=self.path).kind not in FALL_BACK_ON:
                    raise
                # It stays with the next one: a model that refused this step will refuse its next turn too.
                self._update(choice=self.state.choice + 1)

    async def _call_choice(self, request: ModelRequest, summary: str) -> ModelResponse:
        self._go_on()
        worst, route = self._worst_case(), self._route
        attempts = affordable_attempts(self.agent, self.spec.limits, self.state.usage, worst)
        if request.choice < len(self.plan.models) - 1:
            attempts = min(attempts, ATTEMPTS_BEFORE_FALLBACK)
        if request.choice:
            summary = f"{summary}, on {route.model}"
        try:
            response = await steps.call_model(request, queue=route.queue, attempts=attempts, summary=summary)
        except ActivityError as error:
            self._update(usage=self.state.usage + usage_of_failed_call(error, worst, attempts))
            raise
        self._update(
            usage=self.state.usage + response.usage,
            retries=self.state.retries + response.attempt - 1,
        )
        return response

    async def _call_tool(self, step: str, call: ToolCall, *, check: bool = False) -> ToolResponse:
        self._go_on()
        request = ToolRequest(
            key=self._key(step),
            profile=self.plan.profile,
            call=call,
            snapshot=self.run.snapshot,
            check=check,
        )
        seconds = self.run.tool_seconds.get(call.tool, 60.0)
        return await steps.call_tool(
            request, tool_timeout=timedelta(seconds=seconds), summary=f"{self.label}: {call.tool[:60]}"
        )

    @property
    def _route(self) -> ModelRoute:
        return self.plan.models[self.state.choice]

    def _go_on(self) -> None:
        """Refuse another call after the deadline or a stop: a call under way may end well in spite of either."""
        stop_if_requested()
        if workflow.time() >= self.deadline:
            raise self.too_late()

    def _worst_case(self) -> WorstCase:
        """What one attempt of the next model call may cost."""
        prompt, answer = self._prompt_tokens(), self.spec.limits.output_tokens
        price = prompt * self._route.input_usd_per_million + answer * self._route.output_usd_per_million
        return WorstCase(prompt + answer, price / 1_000_000)

    def _prompt_tokens(self) -> int:
        """The length of the next prompt: the window (instructions, tools and contract included), and what is appended."""
        state = self.state
        appended = sum(m.tokens if isinstance(m, MessageRef) else estimate_tokens(m.text) for m in state.append)
        return appended + (state.thread.tokens if state.thread else self.plan.prompt_tokens)

    def _key(self, step: str) -> StepKey:
        return StepKey(scope_id=self.run.scope_id, path=self.path, step=step, generation=self.run.generation)

    def _update(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)
