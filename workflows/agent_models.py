"""An agent's model calls: paid from its account, offered to one model of its chain after the other."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Amounts
    from activities.contracts.calls import ModelRequest, ModelResponse
    from activities.contracts.failures import FailureKind
    from activities.contracts.steps import Usage
    from activities.errors import HandoffRejected
    from workflows import steps
    from workflows.agent_work import AgentWork
    from workflows.budget import usage_of_failed_call
    from workflows.failures import failure_of
    from workflows.handoffs import received, sent
    from workflows.policies import ATTEMPTS_BEFORE_FALLBACK, MODEL_ATTEMPTS
    from workflows.transfers import MAX_REPORTS

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


class ModelCalls:
    """The model calls of one agent's step."""

    def __init__(self, work: AgentWork) -> None:
        self._work = work

    async def call(self, request: ModelRequest, *, summary: str) -> ModelResponse:
        """One call of the first model of the chain that can answer. The step's first call carries the handoff.

        Raises:
            HandoffRejected: the receiver does not take the step.
            LimitExceeded: the next call does not fit the budget.
            ActivityError: no model answered.
        """
        work = self._work
        while True:
            try:
                return await self._call(request.model_copy(update={"choice": work.state.choice}), summary)
            except ActivityError as error:
                last = work.state.choice == len(work.plan.models) - 1
                if last or failure_of(error, agent=work.agent, step=work.path).kind not in FALL_BACK_ON:
                    raise
                # It stays with the next one: a model that refused this step will refuse its next turn too.
                work.update(choice=work.state.choice + 1)

    async def _call(self, request: ModelRequest, summary: str) -> ModelResponse:
        work = self._work
        work.go_on()
        route, worst = work.route, self._worst_case()
        last = request.choice == len(work.plan.models) - 1
        attempts = MODEL_ATTEMPTS if last else ATTEMPTS_BEFORE_FALLBACK
        held = await work.account.reserve(worst, times=attempts, what="model call")
        if request.choice:
            summary = f"{summary}, on {route.model}"
        usage = Usage()
        handoff = None if work.state.taken or work.handoff is None else sent(work.handoff, work.step.funds)
        try:
            work.go_on()  # it may have waited for its budget
            request = request.model_copy(update={"handoff": handoff})
            work.sent = True
            response = await steps.call_model(
                request, queue=route.queue, attempts=held.times, summary=summary, punctual=work.step.punctual
            )
            usage = response.usage
        except ActivityError as error:
            usage = usage_of_failed_call(error, worst, held.times)
            raise
        finally:
            work.account.settle(held, usage)
            work.update(usage=work.state.usage + usage)
        if handoff:
            report = received(handoff, response.accepted, response.rejected)
            work.update(handoffs=(*work.state.handoffs, report)[-MAX_REPORTS:], taken=response.rejected is None)
        if response.rejected:
            raise HandoffRejected(response.rejected, owner=work.agent)
        work.update(retries=work.state.retries + response.attempt - 1)
        return response

    def _worst_case(self) -> Amounts:
        """What one attempt of the next model call may cost."""
        work = self._work
        prompt, answer = work.prompt_tokens(), work.limits.output_tokens
        price = prompt * work.route.input_usd_per_million + answer * work.route.output_usd_per_million
        return Amounts(tokens=prompt + answer, cost_usd=price / 1_000_000, model_calls=1)
