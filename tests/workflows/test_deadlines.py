"""Deadlines pass down, and latency budgets: what runs out ends by itself, with what it has."""

import asyncio
import time
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.contracts.failures import FailureKind
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import calls, says, says_json
from tests.support.supervision import prompt
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

LARGE = {"model_calls": 500}
ONE_CALL = 2.5
"""Seconds until a call under way has been told to end: heartbeats come every 0.7 s, and this machine is shared."""


def made_of(root: dict[str, Any], limits: dict[str, Any] | None = None, *names: str) -> TeamSpec:
    agents = {
        name: {"instructions": f"You are {name}.", "limits": limits or {}, "tools": ["add"]}
        for name in names or ("fast", "slow")
    }
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


async def slow(call: ProviderCall, index: int) -> ProviderAnswer:
    """Everybody answers but those that are slow."""
    if "slow" in call.instructions:
        await asyncio.sleep(60)
    if "plan" in call.instructions:
        return says_json({"subtasks": [{"type": "fast", "task": "one"}, {"type": "slow", "task": "two"}]})
    return says(f"done {index}")


def kind(result: RunResult) -> FailureKind | None:
    return result.failure.kind if result.failure else None


STAGES = [{"kind": "agent", "agent": "fast"}, {"kind": "agent", "agent": "slow"}]


@pytest.mark.parametrize("limits", [{}, LARGE], ids=["inline", "child"])
@pytest.mark.parametrize(
    "bound",
    [{"seconds": 1}, {"timeout_seconds": 1}, {"budget": {"seconds": 1}}],
    ids=["seconds", "timeout_seconds", "budget"],
)
async def test_a_deadline_ends_everything_below(
    workers: Workers, bound: dict[str, Any], limits: dict[str, Any]
) -> None:
    inner = {"kind": "pipeline", "name": "inner", "stages": STAGES}
    async with workers(slow) as bench:
        began = time.monotonic()
        handle = await bench.start(made_of({"kind": "pipeline", "stages": [inner], **bound}, limits))
        result = await read_result(handle)
        took = time.monotonic() - began
        child = bench.deployment.client.get_workflow_handle(f"{handle.id}/pipeline/inner")
        nested = await child.describe()
        told = await read_result(child)
    assert took < 1 + ONE_CALL
    assert kind(result) is FailureKind.DEADLINE_EXCEEDED
    assert nested.status is WorkflowExecutionStatus.FAILED, "it ended itself, not the server"
    assert kind(told) is FailureKind.DEADLINE_EXCEEDED
    assert [step.step for step in told.steps] == ["pipeline/inner/fast", "pipeline/inner/slow"]
    assert told.so_far == "done 0"


async def test_a_budgets_time_may_end_partial(workers: Workers) -> None:
    root = {"kind": "pipeline", "stages": STAGES, "budget": {"seconds": 1, "on_breach": "partial"}}
    async with workers(slow) as bench:
        result = await bench.run(made_of(root))
    assert (result.status, result.output) == (RunStatus.PARTIAL, "done 0")


async def test_a_fallback_has_only_the_time_that_is_left(workers: Workers) -> None:
    stage = {
        "kind": "agent",
        "agent": "slow",
        "timeout_seconds": 0.5,
        "fallback": {"kind": "agent", "agent": "slow_too"},
    }
    async with workers(slow) as bench:
        began = time.monotonic()
        result = await bench.run(
            made_of({"kind": "pipeline", "stages": [stage], "seconds": 2}, None, "slow", "slow_too")
        )
        took = time.monotonic() - began
    assert kind(result) is FailureKind.DEADLINE_EXCEEDED
    assert [step.step for step in result.steps] == ["pipeline/slow", "pipeline/slow/fallback"]
    assert took < 2 + ONE_CALL


async def test_a_stage_that_is_not_critical_is_left_out_at_its_timeout(workers: Workers) -> None:
    stages = [STAGES[0], {**STAGES[1], "timeout_seconds": 0.5, "critical": False}]
    async with workers(slow) as bench:
        result = await bench.run(made_of({"kind": "pipeline", "stages": stages}))
    assert (result.status, result.output) == (RunStatus.PARTIAL, "done 0")
    assert "slow is missing: the agent 'slow' did not end within 0.5 s" in result.missing[0]


async def test_a_wait_for_the_budget_ends_at_the_deadline(workers: Workers) -> None:
    """The second worker waits for what the first holds, and not for ever."""
    workers_ = {name: {"node": {"kind": "agent", "agent": name}, "attempts": 1} for name in ("slow", "fast")}
    root = {
        "kind": "supervisor", "workers": workers_, "seconds": 1.5, "budget": {"model_calls": 1},
        "subtasks": [{"type": "slow", "task": "one"}, {"type": "fast", "task": "two"}],
    }  # fmt: skip
    for limits in ({}, LARGE):
        async with workers(slow) as bench:
            began = time.monotonic()
            result = await bench.run(made_of(root, limits))
            took = time.monotonic() - began
            assert len(bench.provider.calls) == 1
        assert took < 1.5 + ONE_CALL
        assert result.status is RunStatus.FAILED


async def test_a_tool_storm_ends_at_the_deadline(workers: Workers) -> None:
    async with workers(lambda *_: calls(("add", {"a": 1, "b": 1}))) as bench:
        began = time.monotonic()
        result = await bench.run(
            made_of({"kind": "agent", "agent": "fast", "timeout_seconds": 1}, {"turns": 900, "model_calls": 900})
        )
        took = time.monotonic() - began
    assert kind(result) is FailureKind.DEADLINE_EXCEEDED
    assert took < 1 + ONE_CALL


def phased(**changes: Any) -> TeamSpec:
    root = {
        "kind": "supervisor",
        "workers": {name: {"node": {"kind": "agent", "agent": name}, "attempts": 1} for name in ("fast", "slow")},
        "subtasks": [{"type": "fast", "task": "one"}, {"type": "slow", "task": "two"}],
        "synthesis": {"kind": "agent", "agent": "writer"},
        "phases": {"planning": 0.5, "workers": 1, "synthesis": 0.5, "reserve": 0.5},
        **changes,
    }
    return made_of(root, None, "fast", "slow", "writer", "slow_writer", "planner", "slow_planner")


async def test_subtasks_that_are_not_done_when_the_workers_time_is_over_are_given_up(workers: Workers) -> None:
    async with workers(slow) as bench:
        began = time.monotonic()
        result = await bench.run(phased())
        took = time.monotonic() - began
        told = prompt(bench.provider.calls[-1])
    assert result.status is RunStatus.PARTIAL
    assert took < 2.5
    assert "s1-2" in result.missing[0]
    assert "These parts are missing" in told


async def test_planning_that_runs_out_makes_one_subtask_of_the_goal(workers: Workers) -> None:
    async with workers(slow) as bench:
        result = await bench.run(phased(subtasks=[], planner="slow_planner"), "The whole goal.")
        told = [prompt(call) for call in bench.provider.calls if call.instructions == "You are fast."]
    assert result.status is RunStatus.PARTIAL
    assert result.missing == ("the planning did not end within its 0.5 s: the whole goal went to one 'fast'",)
    assert told[0].startswith("The whole goal.")


async def test_a_synthesis_that_runs_out_leaves_the_results_as_they_are(workers: Workers) -> None:
    async with workers(slow) as bench:
        began = time.monotonic()
        result = await bench.run(
            phased(subtasks=[{"type": "fast", "task": "one"}], synthesis={"kind": "agent", "agent": "slow_writer"})
        )
        took = time.monotonic() - began
    assert result.status is RunStatus.PARTIAL
    output: Any = result.output
    assert [item["output"] for item in output] == ["done 0"]
    assert "the synthesis did not end within its 0.5 s" in result.missing[-1]
    assert took < 2.5 + 0.5, "nothing is waited for that has no effect"


async def test_time_that_a_phase_does_not_need_goes_to_the_next(workers: Workers) -> None:
    """Nothing is planned here, so the workers have the time for planning too."""

    async def nearly(call: ProviderCall, index: int) -> ProviderAnswer:
        if "slow" in call.instructions:
            await asyncio.sleep(1.2)  # longer than the workers' second, shorter than both phases
        return says(f"done {index}")

    async with workers(nearly) as bench:
        result = await bench.run(phased(phases={"planning": 2, "workers": 1, "synthesis": 1, "reserve": 0.5}))
    assert result.status is RunStatus.COMPLETE


async def test_a_nested_supervisor_with_less_time_gives_each_phase_its_share(workers: Workers) -> None:
    nested = phased().root.model_copy(update={"name": "inner"})
    outer = {"kind": "pipeline", "seconds": 1.25, "stages": [nested.model_dump()]}
    async with workers(slow) as bench:
        began = time.monotonic()
        result = await bench.run(made_of(outer, None, "fast", "slow", "writer"))
        took = time.monotonic() - began
    assert result.status is RunStatus.PARTIAL
    assert str(result.output).startswith("done")
    assert took < 1.25 + 1
