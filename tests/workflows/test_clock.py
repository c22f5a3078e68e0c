"""One timer for the deadlines of all steps: what it costs, and that each of them holds all the same."""

import asyncio
from collections import Counter
from typing import Any

from temporalio.api.enums.v1 import EventType

from activities.contracts.failures import FailureKind
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import says
from workers.runs import RunHandle, read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

HANGS = 60.0


def team(root: dict[str, Any], *names: str) -> TeamSpec:
    agents = {name: {"instructions": f"You are {name}.", "limits": {"model_calls": 3}} for name in names}
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def stage(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "agent", "agent": name, **more}


async def some_hang(call: ProviderCall, index: int) -> ProviderAnswer:
    del index
    if "hangs" in call.instructions:
        await asyncio.sleep(HANGS)
    if "slow" in call.instructions:
        await asyncio.sleep(1.0)
    return says("done")


async def timers(handle: RunHandle) -> Counter[str]:
    names = Counter(EventType.Name(e.event_type) for e in (await handle.fetch_history()).events)
    return Counter({name.removeprefix("EVENT_TYPE_TIMER_"): n for name, n in names.items() if "TIMER" in name})


def milliseconds(result: RunResult, step: str) -> int:
    return next(report.milliseconds for report in result.steps if report.step == step)


async def test_steps_one_after_the_other_share_a_timer(workers: Workers) -> None:
    names = [f"a{n}" for n in range(6)]
    async with workers(some_hang) as bench:
        handle = await bench.start(team({"kind": "pipeline", "stages": [stage(name) for name in names]}, *names))
        assert (await read_result(handle)).status is RunStatus.COMPLETE
        assert await timers(handle) == {"STARTED": 1, "CANCELED": 1}


async def test_a_later_deadline_holds_after_an_earlier_one_was_given_up(workers: Workers) -> None:
    """The timer that is set rings for a step that has long ended, and is set anew for the one at work."""
    stages = [stage("quick", timeout_seconds=0.8), stage("hangs", timeout_seconds=1.5)]
    async with workers(some_hang) as bench:
        handle = await bench.start(team({"kind": "pipeline", "stages": stages}, "quick", "hangs"))
        result = await read_result(handle)
        rung = await timers(handle)
    assert result.failure
    assert result.failure.kind is FailureKind.DEADLINE_EXCEEDED
    assert 1500 <= milliseconds(result, "pipeline/hangs") < 4500
    assert rung["FIRED"] == 2


async def test_an_earlier_deadline_holds_where_a_later_one_was_set(workers: Workers) -> None:
    branches = {"late": stage("slow", timeout_seconds=20), "soon": stage("hangs", timeout_seconds=0.7, critical=False)}
    async with workers(some_hang) as bench:
        handle = await bench.start(team({"kind": "fan_out", "branches": branches}, "slow", "hangs"))
        result = await read_result(handle)
    assert result.output == {"late": "done"}
    assert 700 <= milliseconds(result, "fan_out/soon") < 3700


async def test_a_workflow_that_waits_for_something_else_is_not_woken(workers: Workers) -> None:
    """The deadline of a step that has ended is taken back where no other step is at work."""
    asking = {"seconds": 1.5, "default": "answer", "default_answer": "yes"}
    person = {"kind": "person", "name": "chief", "question": "Well?", "asking": asking}
    stages = [stage("quick", timeout_seconds=0.9), person]
    async with workers(some_hang) as bench:
        handle = await bench.start(team({"kind": "pipeline", "stages": stages}, "quick"))
        result = await read_result(handle)
        rung = await timers(handle)
    assert result.output == "yes"
    assert rung == {"STARTED": 1, "CANCELED": 1}
