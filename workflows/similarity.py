"""How alike outputs are: one activity for all of them, paid like a model call. See ``workflows.alike`` for what follows.

What can be told without asking is not asked: the same text twice is 1, a blank one has nothing in common with any other.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.budgets import Amounts
    from activities.contracts.similarity import MAX_ALIKE, EmbedRequest, EmbedResponse, Similarity, tokens_of
    from activities.contracts.steps import Usage
    from activities.errors import ConfigurationInvalid, DeadlineExceeded, LimitExceeded, OstinatoError
    from activities.vectors import sample
    from workflows import steps
    from workflows.alike import Matrix, spread
    from workflows.budget import usage_of_failed_call
    from workflows.contracts import AgentState, ModelRoute, RunResult, RunStatus, StepReport
    from workflows.deadlines import earliest
    from workflows.failures import failure_of, stop_if_requested
    from workflows.needs import as_text
    from workflows.policies import EMBED_ATTEMPTS
    from workflows.progress import Row
    from workflows.results import of_steps
    from workflows.step_context import StepContext

OWNER = "(similarity)"
"""Who the step is reported as: no agent has such a name."""


@dataclass(frozen=True)
class Compared:
    """What a comparison came to."""

    result: RunResult
    """Its step and what it used: one of the results that the pattern adds up. Failed where nobody could tell."""
    cosines: Matrix = ()
    """Empty where it failed."""


async def compare(
    step: StepContext,
    similarity: Similarity,
    values: Sequence[JsonValue],
    *,
    number: int = 1,
    end: float | None = None,
) -> Compared:
    """How alike these outputs are, as an agent would read them.

    Args:
        step: the pattern's own (``frame.step()``), and whose account pays.
        similarity: which model is asked, as the run's admission resolved it.
        values: at most ``MAX_ALIKE`` different ones.
        number: unlike that of any other comparison of this pattern, and the same in every re-run.
        end: workflow time at which the pattern has to have ended, where that is before its frame's.

    Raises:
        CancelledError: the run was stopped.
        Halted: the gate has ended the run.
    """
    texts = [as_text(value).strip() for value in values]
    distinct = list(dict.fromkeys(text for text in texts if text))
    if len(distinct) < 2:
        return Compared(RunResult(status=RunStatus.COMPLETE), spread(texts, distinct, ()))
    call = _Call(step, number, earliest(step.frame.deadline, end))
    answer = await call.make(similarity, distinct)
    return Compared(call.result(), spread(texts, distinct, answer.cosines) if answer else ())


class _Call:
    """One call of the activity and what is known of it, whatever becomes of it."""

    def __init__(self, step: StepContext, number: int, end: float | None) -> None:
        self._step, self._number, self._end = step, number, end
        self._started = workflow.time()
        self._usage = Usage()
        self._attempts = 1
        self._model = ""
        self._failed: BaseException | None = None

    async def make(self, similarity: Similarity, texts: Sequence[str]) -> EmbedResponse | None:
        """Compare; nothing where that failed."""
        step = self._step
        step.frame.go_on()
        try:
            route = step.run.embeddings.get(similarity.model or "")
            if route is None:
                raise ConfigurationInvalid(
                    "the run knows no model that compares texts", fix="start runs that were admitted"
                )
            if len(texts) > MAX_ALIKE:
                raise LimitExceeded(f"{len(texts)} different texts are too many to compare", fix=f"at most {MAX_ALIKE}")
            return await self._paid(route, tuple(sample(text) for text in texts))
        except (OstinatoError, ActivityError, TimeoutError) as error:
            stop_if_requested()
            step.frame.go_on()
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error  # by a bound around it, which knows what that means
            late = self._end is not None and workflow.time() >= self._end
            self._failed = _too_late() if late or isinstance(error, TimeoutError) else error
            return None

    def result(self) -> RunResult:
        """The step as the run reports it."""
        step, usage, failure = self._step, self._usage, None
        if self._failed:
            failure = failure_of(self._failed, agent=OWNER, step=step.path)
        status = RunStatus.FAILED if failure else RunStatus.COMPLETE
        path = f"{step.path}/similarity.{self._number}"
        step.board.show(Row(path=path, agent=OWNER, status=status.value, state=AgentState(usage=usage)))
        report = StepReport(
            agent=OWNER,
            step=path,
            status=status,
            attempts=self._attempts,
            tokens=usage.tokens,
            cost_usd=usage.cost_usd,
            milliseconds=round((workflow.time() - self._started) * 1000),
            model=self._model,
            reason=failure.message[:1000] if failure else "",
        )
        return of_steps([report], status=status, usage=usage, failure=failure)

    async def _paid(self, route: ModelRoute, texts: tuple[str, ...]) -> EmbedResponse:
        step, tokens = self._step, tokens_of(texts)
        self._model = route.model
        provider, _, model = route.model.partition(":")
        price = route.input_usd_per_million
        worst = Amounts(tokens=tokens, cost_usd=tokens * price / 1_000_000, model_calls=1)
        self._in_time()
        held = await step.funds.reserve(worst, times=EMBED_ATTEMPTS, what="comparison of texts", until=self._end)
        try:
            step.frame.go_on()  # it may have waited for its budget
            self._in_time()
            request = EmbedRequest(
                key=step.key(f"e{self._number}"),
                provider=provider,
                model=model,
                texts=texts,
                input_usd_per_million=price,
            )
            answer = await steps.embed(
                request,
                queue=route.queue,
                attempts=held.times,
                seconds=self._left(),
                punctual=step.punctual,
            )
            self._usage, self._attempts = answer.usage, answer.attempt
            return answer
        except ActivityError as error:
            self._usage = usage_of_failed_call(error, worst, held.times)
            raise
        finally:
            step.funds.settle(held, self._usage)

    def _left(self) -> float | None:
        return None if self._end is None else self._end - workflow.time()

    def _in_time(self) -> None:
        if self._end is not None and workflow.time() >= self._end:
            raise TimeoutError


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded(
        "there was no time left to compare texts", fix="raise seconds of the pattern, or give it less to do"
    )
