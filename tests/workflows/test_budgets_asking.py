"""A budget that asks: a person allows more, or not; however many steps meet the breach at once, one question is asked."""

import asyncio
from typing import Any

import pytest

from activities.contracts.people import DecideRequest, HumanTaskView
from tests.conftest import Bench, Workers
from tests.support.people import until_asked
from tests.support.scripted import says
from workers.executions import executions_of
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

SMALL = {"model_calls": 3, "turns": 3}
LARGE = {"model_calls": 500, "turns": 3}


def crew(number: int, limits: dict[str, Any], model_calls: int, **asking: Any) -> TeamSpec:
    """So many subtasks side by side, in a pipeline whose budget asks."""
    supervisor = {
        "kind": "supervisor",
        "max_subtasks": number,
        "max_parallel": 32,
        "subtasks": [{"type": "a", "task": f"number {n}"} for n in range(number)],
        "workers": {"a": {"node": {"kind": "agent", "agent": "a"}, "attempts": 1}},
        "budget": {"model_calls": model_calls, "on_breach": "ask", "asking": {"people": ["ann"], "seconds": 60, **asking}},
    }  # fmt: skip
    agent = {"instructions": "You are a.", "limits": limits}
    return TeamSpec.model_validate(
        {"team": "t", "agents": {"a": agent}, "root": {"kind": "pipeline", "stages": [supervisor]}}
    )


async def decided(bench: Bench, team: TeamSpec, *answers: dict[str, Any]) -> tuple[RunResult, list[HumanTaskView], int]:
    """The result of a run whose questions are answered in turn, the questions, and how many human tasks there were."""
    client = bench.deployment.client
    handle = await bench.start(team)
    asked = []
    for answer in answers:
        (view,) = await until_asked(client, handle.id)
        asked.append(view)
        task = client.get_workflow_handle(view.task_id)
        await task.execute_update("decide", DecideRequest.model_validate({"by": "ann", **answer}))
        await task.result()
    async with asyncio.timeout(30):
        result = await read_result(handle)
    tasks = [workflow_id for workflow_id, _ in await executions_of(client, handle.id) if ".ask" in workflow_id]
    return result, asked, len(tasks)


@pytest.mark.parametrize("limits", [SMALL, LARGE], ids=["inline", "children"])
async def test_an_answer_raises_the_limit_and_all_that_waited_go_on(workers: Workers, limits: dict[str, int]) -> None:
    async with workers(lambda *_: says("done")) as bench:
        answer = {"choice": "answer", "answer": {"model_calls": 3}}
        result, (asked,), tasks = await decided(bench, crew(5, limits, 2), answer)
        assert len(bench.provider.calls) == 5
    assert result.status is RunStatus.COMPLETE
    assert tasks == 1
    assert "The budget of the node 'supervisor' is used up: 2 of 2 model_calls" in asked.question
    assert asked.question.endswith('such as {"model_calls": 2}.'), "as ostinato decide --answer takes it"


async def test_a_yes_allows_as_much_again_and_is_asked_for_a_few_times(workers: Workers) -> None:
    async with workers(lambda *_: says("done")) as bench:
        result, _, tasks = await decided(bench, crew(9, SMALL, 2), *[{"choice": "approve"}] * 3)
        assert len(bench.provider.calls) == 2 + 3 * 2
    assert result.status is RunStatus.PARTIAL
    assert tasks == 3
    assert len(result.missing) == 1


async def test_a_no_ends_all_that_wait_and_nobody_asks_again(workers: Workers) -> None:
    async with workers(lambda *_: says("done")) as bench:
        result, _, tasks = await decided(bench, crew(6, SMALL, 2), {"choice": "reject", "reason": "too dear"})
        assert len(bench.provider.calls) == 2
    assert result.status is RunStatus.PARTIAL
    assert len(result.missing) == 4
    assert tasks == 1


async def test_nobody_answers_in_time(workers: Workers) -> None:
    async with workers(lambda *_: says("done")) as bench:
        result, _, tasks = await decided(bench, crew(4, SMALL, 2, seconds=0.5))
        assert len(bench.provider.calls) == 2
    assert result.status is RunStatus.PARTIAL
    assert tasks == 1


async def test_the_time_in_which_a_person_is_asked_is_not_the_agents(workers: Workers) -> None:
    asking = {"seconds": 20, "people": ["ann"]}
    budget = {"model_calls": 1, "on_breach": "ask", "asking": asking}
    agent = {
        "instructions": "Go.",
        "limits": {"seconds": 1.5, "corrections": 1},
        "output": {"schema": {"type": "object"}},
    }
    team = TeamSpec.model_validate(
        {"team": "t", "agents": {"a": agent}, "root": {"kind": "agent", "agent": "a", "budget": budget}}
    )
    async with workers(lambda _, index: says("{}" if index else "no object")) as bench:
        handle = await bench.start(team)
        (view,) = await until_asked(bench.deployment.client, handle.id)
        await asyncio.sleep(2)  # the person's time: longer than all of the agent's
        task = bench.deployment.client.get_workflow_handle(view.task_id)
        await task.execute_update("decide", DecideRequest.model_validate({"by": "ann", "choice": "approve"}))
        result = await read_result(handle)
    assert (result.status, result.output) == (RunStatus.COMPLETE, {})
