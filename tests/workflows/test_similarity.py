"""Comparing outputs inside a workflow: what is asked, what is paid, and what becomes of failures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import Overloaded, RequestRejected
from activities.providers.base import EmbedAnswer, EmbedCall, ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.scripted import ScriptedProvider, says
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result
from workflows.alike import alike, groups, spread
from workflows.contracts import ModelRoute, RunResult, RunStatus
from workflows.steps import model_queue
from workflows.teams.tree import TeamSpec

MODULE = "tests.support.own_workflow"
ROUTE = ModelRoute(model="offline:ngrams", queue=model_queue("offline"), input_usd_per_million=2.0)
DRAFT = "Expenses above 500 euros are approved by the head of finance."
REVISED = "The head of finance approves expenses above 500 euros."
OTHER = "The moon orbits the earth once a month."


class Embedding(ScriptedProvider):
    """Embeds by a script too."""

    def __init__(self, *answers: EmbedAnswer | Exception | float) -> None:
        super().__init__(unasked)
        self.embedded: list[EmbedCall] = []
        self._answers = list(answers)

    async def embed(self, call: EmbedCall) -> EmbedAnswer:
        self.embedded.append(call)
        answer = self._answers.pop(0)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            raise AssertionError("it is stopped before")
        if isinstance(answer, Exception):
            raise answer
        return answer


def unasked(call: ProviderCall, index: int) -> ProviderAnswer:
    del call, index
    return says("nobody asked")


def team(values: Sequence[Any], *, within: float | None = None, again: Sequence[Any] = (), **node: Any) -> TeamSpec:
    root = {
        "kind": "workflow",
        "name": "own",
        "workflow": "tested_pattern",
        "nodes": {"a": {"kind": "agent", "agent": "a"}},
        "arguments": {
            "do": "compare",
            "values": list(values),
            "similarity": {},
            "within": within,
            "again": list(again),
        },
        **node,
    }
    return TeamSpec.model_validate(
        {"team": "t", "agents": {"a": {"instructions": "Do it."}}, "root": root}, extra="forbid"
    )


async def run(bench: Bench, spec: TeamSpec, **changes: Any) -> RunResult:
    given = {"embeddings": {"": ROUTE}, **changes}
    return await asyncio.wait_for(read_result(await bench.start(spec, **given)), 30)


async def test_outputs_are_compared_by_one_activity_and_paid_by_the_run(workers: Workers) -> None:
    values = [DRAFT, {"text": OTHER}, REVISED, f"  {DRAFT}\n", "", " "]
    async with workers(unasked, workflow_modules=(MODULE,)) as bench:
        handle = await bench.start(team(values), embeddings={"": ROUTE})
        result = await read_result(handle)
        history = await handle.fetch_history()
    found = result.output
    assert isinstance(found, dict)
    assert found["groups"] == [[0, 2, 3], [1], [4, 5]]
    cosines: Any = found["cosines"]
    assert cosines[0][3] == cosines[4][5] == 1
    assert cosines[0][4] == 0
    assert cosines[0][2] == cosines[2][0] > 0.9
    assert abs(cosines[0][1]) < 0.1
    kinds = [event.WhichOneof("attributes") for event in history.events]
    assert sum("activity_task_scheduled" in str(kind) for kind in kinds) == 1
    assert kinds.count("timer_started_event_attributes") == 1, (
        "the workflow's own: a comparison's bound is its activity's"
    )
    (step,) = result.steps
    assert (step.agent, step.step, step.model) == ("(similarity)", "own/similarity.1", "offline:ngrams")
    assert result.usage.model_calls == 1
    assert result.usage.cost_usd == round(2 * result.usage.input_tokens / 1_000_000, 8) > 0
    assert result.status is RunStatus.COMPLETE


@pytest.mark.parametrize(("values", "same"), [([DRAFT, f"{DRAFT}\n", DRAFT], 1.0), ([DRAFT, "  "], 0.0)])
async def test_what_can_be_told_without_asking_is_not_asked(workers: Workers, values: list[str], same: float) -> None:
    async with workers(unasked, workflow_modules=(MODULE,)) as bench:
        result = await run(bench, team(values), embeddings={})
    assert isinstance(result.output, dict)
    assert result.output["cosines"][0][1] == same  # type: ignore[index] # a matrix
    assert (result.usage.model_calls, result.steps) == (0, ())


async def compared(deployment: Deployment, provider: Embedding, spec: TeamSpec) -> RunResult:
    """A run whose workers embed by a script."""
    async with embedding(deployment, provider) as bench:
        return await run(bench, spec)


@asynccontextmanager
async def embedding(deployment: Deployment, provider: Embedding) -> AsyncIterator[Bench]:
    changed = replace(deployment, settings=deployment.settings.model_copy(update={"workflow_modules": (MODULE,)}))
    async with running_pools(changed, ["workflows", "tools", "models-offline"], {"offline": provider}):
        yield Bench(changed, provider)


async def test_a_provider_that_is_busy_is_asked_again_and_the_run_pays_once(deployment: Deployment) -> None:
    provider = Embedding(Overloaded("busy"), EmbedAnswer([[1.0, 0.0], [1.0, 1.0]], 9))
    result = await compared(deployment, provider, team([DRAFT, OTHER]))
    assert isinstance(result.output, dict)
    assert result.output["cosines"] == [[1.0, 0.707107], [0.707107, 1.0]]
    assert (len(provider.embedded), result.usage.model_calls, result.usage.tokens) == (2, 1, 9)
    assert result.steps[0].attempts == 2


async def test_only_as_many_attempts_as_the_budget_allows(deployment: Deployment) -> None:
    provider = Embedding(*(EmbedAnswer([[1.0]]) for _ in range(4)))
    result = await compared(deployment, provider, team([DRAFT, OTHER], budget={"model_calls": 2}))
    assert isinstance(result.output, dict)
    assert result.output["failure"] == FailureKind.MALFORMED_ANSWER.value
    assert len(provider.embedded) == result.usage.model_calls == 2
    assert result.usage.unsettled_tokens == result.steps[0].tokens > 0


async def test_a_failure_is_the_pattern_s_to_judge(deployment: Deployment) -> None:
    result = await compared(deployment, Embedding(RequestRejected("no")), team([DRAFT, OTHER]))
    assert isinstance(result.output, dict)
    assert (result.output["failure"], result.output["cosines"]) == (FailureKind.REQUEST_REJECTED.value, [])
    assert result.usage.model_calls == 0
    assert result.status is RunStatus.COMPLETE


async def test_it_ends_in_time(deployment: Deployment) -> None:
    result = await compared(deployment, Embedding(60.0), team([DRAFT, OTHER], within=1))
    assert isinstance(result.output, dict)
    assert result.output["failure"] == FailureKind.DEADLINE_EXCEEDED.value
    assert result.steps[0].reason == "there was no time left to compare texts"
    assert result.usage.unsettled_tokens > 0, "it was asked, and may cost something"


async def test_a_stop_ends_the_request_too(deployment: Deployment) -> None:
    provider = Embedding(60.0)
    async with embedding(deployment, provider) as bench:
        handle = await bench.start(team([DRAFT, OTHER]), embeddings={"": ROUTE})
        while not provider.embedded:
            await asyncio.sleep(0.02)
        await handle.cancel()
        result = await asyncio.wait_for(read_result(handle), 20)
    assert result.failure
    assert result.failure.kind is FailureKind.CANCELLED


async def test_a_budget_that_is_too_small_refuses_before_anything_is_asked(workers: Workers) -> None:
    async with workers(unasked, workflow_modules=(MODULE,)) as bench:
        result = await run(bench, team([DRAFT, OTHER], budget={"tokens": 10}))
    assert isinstance(result.output, dict)
    assert (result.output["failure"], result.output["cosines"]) == (FailureKind.LIMIT_EXCEEDED.value, [])
    assert result.usage.tokens == 0
    (step,) = result.steps
    assert step.status is RunStatus.FAILED
    assert "the next comparison of texts of the node 'own' might exceed its limit on tokens" in step.reason


async def test_what_one_comparison_has_used_is_not_there_for_the_next(workers: Workers) -> None:
    async with workers(unasked, workflow_modules=(MODULE,)) as bench:
        spec = team([DRAFT, OTHER], again=[DRAFT, REVISED], budget={"model_calls": 1})
        result = await run(bench, spec)
    assert isinstance(result.output, dict)
    assert result.output["failure"] == FailureKind.LIMIT_EXCEEDED.value
    assert [step.status for step in result.steps] == [RunStatus.COMPLETE, RunStatus.FAILED]
    assert result.usage.model_calls == 1


async def test_a_run_that_was_admitted_without_a_model_says_so(workers: Workers) -> None:
    async with workers(unasked, workflow_modules=(MODULE,)) as bench:
        result = await run(bench, team([DRAFT, OTHER]), embeddings={})
    assert isinstance(result.output, dict)
    assert result.output["failure"] == FailureKind.CONFIGURATION_INVALID.value


def test_groups_are_cliques_in_the_order_of_the_texts() -> None:
    chain = ((1.0, 0.95, 0.8), (0.95, 1.0, 0.95), (0.8, 0.95, 1.0))
    assert groups(chain, 0.9) == [[0, 1], [2]], "0 and 2 differ, though 1 is near to both"
    assert groups(chain, 0.8) == [[0, 1, 2]]
    assert groups(chain, 1.0) == [[0], [1], [2]]
    assert groups((), 0.5) == []


def test_alike_is_each_with_each() -> None:
    three = ((1.0, 0.95, 0.9), (0.95, 1.0, 0.95), (0.9, 0.95, 1.0))
    assert alike(three, 0.9)
    assert not alike(three, 0.91)
    assert not alike((), 0.0), "nothing was compared"


def test_pairs_find_their_places() -> None:
    assert spread(["a", "b", "a", "", "c"], ["a", "b", "c"], (0.1, 0.2, 0.3)) == (
        (1.0, 0.1, 1.0, 0.0, 0.2),
        (0.1, 1.0, 0.1, 0.0, 0.3),
        (1.0, 0.1, 1.0, 0.0, 0.2),
        (0.0, 0.0, 0.0, 1.0, 0.0),
        (0.2, 0.3, 0.2, 0.0, 1.0),
    )
