"""The chain of a tier: the next model is asked where the one before cannot answer, decided in the workflow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import AnswerTooLong, AuthenticationFailed, ModelNotFound, Overloaded, RateLimited
from activities.providers.base import ModelProvider, ProviderAnswer
from tests.conftest import Bench, new_run_id
from tests.support.scripted import ScriptedProvider, calls, in_order, says
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workflows.contracts import RunResult, RunStatus
from workflows.policies import ATTEMPTS_BEFORE_FALLBACK
from workflows.teams.tree import TeamSpec


class Named(ScriptedProvider):
    """A scripted provider of another name."""

    def __init__(self, name: str, *answers: ProviderAnswer | Exception) -> None:
        super().__init__(in_order(*answers))
        self.name = name


@asynccontextmanager
async def chain(deployment: Deployment, first: ScriptedProvider, second: ScriptedProvider) -> AsyncIterator[Bench]:
    models = {"small": ("openai:first", "anthropic:second")}
    settings = deployment.settings.model_copy(update={"models": models, "unpriced": "count_tokens_only"})
    changed = replace(deployment, settings=settings)
    providers: dict[str, ModelProvider] = {"openai": first, "anthropic": second}
    async with running_pools(changed, ["workflows", "tools", "models-openai", "models-anthropic"], providers):
        yield Bench(changed, first)


async def run(bench: Bench, team: TeamSpec) -> RunResult:
    order = RunOrder(goal="Do it.", run_id=new_run_id(), provider="openai")
    return await read_result(await start_run(bench.deployment.client, await admit(bench.deployment, team, order)))


async def test_the_next_model_answers_where_the_first_refuses_and_keeps_the_step(deployment: Deployment) -> None:
    first = Named("openai", AuthenticationFailed("no key"))
    second = Named("anthropic", calls(("add", {"a": 1, "b": 2})), says("3"))
    async with chain(deployment, first, second) as bench:
        result = await run(bench, one_agent(tools=["add"]))
    assert (result.status, result.output) == (RunStatus.COMPLETE, "3")
    assert (len(first.calls), len(second.calls)) == (1, 2)
    assert [call.model for call in second.calls] == ["second", "second"]
    assert result.steps[0].model == "anthropic:second"


async def test_an_overloaded_model_is_tried_a_few_times_first(deployment: Deployment) -> None:
    first = Named("openai", *[Overloaded("busy")] * ATTEMPTS_BEFORE_FALLBACK)
    second = Named("anthropic", says("ok"))
    async with chain(deployment, first, second) as bench:
        result = await run(bench, one_agent())
    assert result.output == "ok"
    assert len(first.calls) == ATTEMPTS_BEFORE_FALLBACK


async def test_a_long_wait_is_not_waited_for_where_another_model_may_answer(deployment: Deployment) -> None:
    first = Named("openai", RateLimited("slow down", retry_after=timedelta(seconds=60)))
    second = Named("anthropic", says("ok"))
    async with chain(deployment, first, second) as bench:
        result = await run(bench, one_agent(limits={"seconds": 20}))
    assert (result.status, result.output) == (RunStatus.COMPLETE, "ok")
    assert (len(first.calls), len(second.calls)) == (1, 1)


async def test_an_answer_too_long_is_paid_once_and_then_asked_of_the_next(deployment: Deployment) -> None:
    first, second = Named("openai", AnswerTooLong("too long")), Named("anthropic", says("ok"))
    async with chain(deployment, first, second) as bench:
        result = await run(bench, one_agent())
    assert result.output == "ok"
    assert (len(first.calls), len(second.calls)) == (1, 1)
    assert result.usage.model_calls == 2, "the provider charges for it"


async def test_a_chain_that_is_used_up_ends_with_its_last_failure(deployment: Deployment) -> None:
    first, second = Named("openai", AuthenticationFailed("no key")), Named("anthropic", ModelNotFound("none"))
    async with chain(deployment, first, second) as bench:
        result = await run(bench, one_agent())
    assert result.failure
    assert result.failure.kind is FailureKind.MODEL_NOT_FOUND


@pytest.mark.parametrize("answer", ["not JSON"])
async def test_an_answer_that_does_not_fit_is_corrected_by_the_same_model(deployment: Deployment, answer: str) -> None:
    """What is the agent's own fault is no reason to pay another model."""
    first, second = Named("openai", *[says(answer)] * 3), Named("anthropic")
    async with chain(deployment, first, second) as bench:
        result = await run(bench, one_agent(output={"schema": {"type": "object"}}))
    assert result.failure
    assert result.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert (len(first.calls), len(second.calls)) == (3, 0)
