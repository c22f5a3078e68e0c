"""Budgets as a tree: hard for everybody below, shared by all, and given back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import MalformedAnswer
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import calls, says
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

SMALL = {"model_calls": 3, "tool_calls": 2, "turns": 3}
LARGE = {"model_calls": 500, "tool_calls": 2, "turns": 3}


def crew(number: int, limits: dict[str, Any], **supervisor: Any) -> TeamSpec:
    """A supervisor of so many subtasks, without a synthesis."""
    return TeamSpec.model_validate(
        {
            "team": "t",
            "agents": {"a": {"instructions": "You are a.", "limits": limits}},
            "root": {
                "kind": "supervisor",
                "max_subtasks": number,
                "max_parallel": 32,
                "subtasks": [{"type": "a", "task": f"number {n}"} for n in range(number)],
                "workers": {"a": {"node": {"kind": "agent", "agent": "a"}, "attempts": 1}},
                **supervisor,
            },
        }
    )


def kind(result: RunResult) -> FailureKind | None:
    return result.failure.kind if result.failure else None


@pytest.mark.parametrize(
    ("limits", "on_breach", "status"),
    [(SMALL, "partial", RunStatus.PARTIAL), (LARGE, "fail", RunStatus.FAILED)],
    ids=["inline, partial", "workflows of their own, failed"],
)
async def test_a_hundred_children_race_for_ten_calls(
    workers: Workers, limits: dict[str, int], on_breach: str, status: RunStatus
) -> None:
    async with workers(lambda *_: says("done")) as bench:
        result = await bench.run(crew(100, limits, budget={"model_calls": 10, "on_breach": on_breach}))
        asked = len(bench.provider.calls)
    assert asked == 10, "all of it can be used, and no more"
    assert result.usage.model_calls == 10
    assert (result.status, kind(result)) == (
        status,
        FailureKind.LIMIT_EXCEEDED if status is RunStatus.FAILED else None,
    )
    assert len(result.missing) == 90
    assert "the node 'supervisor'" in result.missing[-1]
    assert "model_calls: 10 used" in result.missing[-1]


async def test_retries_of_many_children_fit_the_budget_too(workers: Workers) -> None:
    def garbage(*_: object) -> ProviderAnswer:
        raise MalformedAnswer("garbage")

    async with workers(garbage) as bench:
        result = await bench.run(crew(4, SMALL, budget={"model_calls": 3}))
        asked = len(bench.provider.calls)
    assert asked == 3
    assert result.usage.model_calls == 3
    assert result.status is RunStatus.FAILED


async def test_each_attempt_of_a_tool_call_counts(workers: Workers, effects: Path) -> None:
    """Whatever ends an attempt, the tool may have been called in it: a budget of two pays two of the four attempts."""
    effects.write_text("")
    root = {"kind": "call", "tool": "store_away", "arguments": {"what": "it"}, "budget": {"tool_calls": 2}}
    async with workers(lambda *_: says("done")) as bench:
        result = await bench.run(TeamSpec.model_validate({"team": "t", "root": root}))
    assert kind(result) is FailureKind.STORE_UNAVAILABLE
    assert (len(effects.read_text().splitlines()), result.usage.tool_calls) == (2, 2)


async def test_what_a_child_does_not_use_comes_back(workers: Workers) -> None:
    """The first child may need all that there is; the second waits, and gets what the first has left."""
    async with workers(lambda *_: says("done")) as bench:
        result = await bench.run(crew(3, LARGE, budget={"model_calls": 4}))
    assert result.status is RunStatus.COMPLETE
    assert result.usage.model_calls == 3


async def test_a_budget_below_an_agents_limits_is_the_one_that_holds(workers: Workers) -> None:
    node = {"kind": "agent", "agent": "a", "budget": {"tool_calls": 1}}
    team = crew(1, SMALL, workers={"a": {"node": node, "attempts": 1}})
    agent = team.agents["a"].model_copy(update={"tools": ("add",)})
    async with workers(lambda *_: calls(("add", {"a": 1, "b": 1}))) as bench:
        result = await bench.run(team.model_copy(update={"agents": {"a": agent}}))
    assert result.failure
    assert result.failure.message.startswith(
        "the next tool call of the node 'a' might exceed its limit on tool_calls: 1 used"
    )
    assert result.usage.tool_calls == 1


async def test_a_cancelled_attempt_counts_at_its_reservation(workers: Workers) -> None:
    """The call that was under way at the timeout may be paid: it is counted, and nobody else gets its part."""

    async def hanging(_: ProviderCall, index: int) -> ProviderAnswer:
        if index == 0:
            await asyncio.sleep(60)
        return says("done")

    node = {"kind": "agent", "agent": "a"}
    spec = crew(
        1, SMALL, budget={"model_calls": 2}, workers={"a": {"node": node, "timeout_seconds": 0.5, "attempts": 3}}
    )
    async with workers(hanging) as bench:
        result = await bench.run(spec)
        assert len(bench.provider.calls) == 2
    assert result.status is RunStatus.COMPLETE
    assert result.usage.model_calls == 2
    assert result.usage.unsettled_tokens > 2048


async def test_a_child_that_was_terminated_counts_at_its_grant(workers: Workers) -> None:
    begun = asyncio.Event()

    async def hanging(*_: object) -> ProviderAnswer:
        begun.set()
        await asyncio.sleep(60)
        return says("done")

    spec = crew(2, LARGE, budget={"model_calls": 5}, max_parallel=1)
    async with workers(hanging) as bench:
        handle = await bench.start(spec)
        async with asyncio.timeout(20):
            await begun.wait()
        child = bench.deployment.client.get_workflow_handle(f"{handle.id}/supervisor/s1-1")
        await child.terminate("a test does it")
        result = await read_result(handle)
        assert len(bench.provider.calls) == 1, "the second child has nothing left"
    assert result.status is RunStatus.FAILED
    assert "5 used" in " ".join(result.missing)


@pytest.mark.parametrize("limits", [SMALL, LARGE], ids=["inline", "workflows of their own"])
async def test_a_breach_may_end_partial_with_what_is_there(workers: Workers, limits: dict[str, int]) -> None:
    team = TeamSpec.model_validate(
        {
            "team": "t",
            "agents": {"a": {"instructions": "You are a.", "limits": limits}, "b": {"instructions": "You are b.", "limits": limits}},
            "root": {
                "kind": "pipeline",
                "stages": [{"kind": "agent", "agent": "a"}, {"kind": "agent", "agent": "b"}],
                "budget": {"model_calls": 1, "on_breach": "partial"},
            },
        }
    )  # fmt: skip
    async with workers(lambda *_: says("made by a")) as bench:
        result = await bench.run(team)
        assert len(bench.provider.calls) == 1
    assert (result.status, result.output) == (RunStatus.PARTIAL, "made by a")
    assert "the node 'pipeline'" in result.missing[-1]


async def test_a_supervisor_that_cannot_pay_its_synthesis_ends_with_its_results(workers: Workers) -> None:
    spec = crew(2, SMALL, budget={"model_calls": 2, "on_breach": "partial"}, synthesis={"kind": "agent", "agent": "a"})
    async with workers(lambda *_: says("done")) as bench:
        result = await bench.run(spec)
    assert result.status is RunStatus.PARTIAL
    output: Any = result.output
    assert [item["output"] for item in output] == ["done", "done"]


async def test_a_root_agents_budget_holds_over_continue_as_new(workers: Workers) -> None:
    team = TeamSpec.model_validate(
        {
            "team": "t",
            "agents": {"a": {"instructions": "Go on.", "tools": ["add"], "limits": {"turns": 500, "model_calls": 900}}},
            "root": {"kind": "agent", "agent": "a", "budget": {"model_calls": 7}},
        }
    )
    async with workers(lambda *_: calls(("add", {"a": 1, "b": 1}))) as bench:
        result = await read_result(await bench.start(team, max_history_events=20))
        assert len(bench.provider.calls) == 7
    assert kind(result) is FailureKind.LIMIT_EXCEEDED
    assert result.failure
    assert "model_calls: 7 used" in result.failure.message


@pytest.mark.parametrize("limits", [SMALL, LARGE], ids=["inline", "workflows of their own"])
async def test_a_stop_ends_those_that_wait_for_the_budget(workers: Workers, limits: dict[str, int]) -> None:
    begun = asyncio.Event()

    async def hanging(*_: object) -> ProviderAnswer:
        begun.set()
        await asyncio.sleep(60)
        return says("done")

    async with workers(hanging) as bench:
        handle = await bench.start(crew(5, limits, budget={"model_calls": 1}))
        async with asyncio.timeout(20):
            await begun.wait()
            await handle.cancel()
            result = await read_result(handle)
        assert len(bench.provider.calls) == 1
    assert kind(result) is FailureKind.CANCELLED
