"""What is known of work that is nested: while it runs, when it was stopped, and when its run was ended from outside."""

import asyncio
import time
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.conftest import Bench, Workers
from tests.support.compensating import bench_waits, hang, stage
from tests.support.networks import LIMITS
from tests.workflows.test_pipeline import executions
from workers.runs import RunHandle, read_input, read_result
from workers.spent import with_spent
from workers.told import told_by_all
from workflows.contracts import RunResult
from workflows.stopped import RunSoFar
from workflows.teams.tree import TeamSpec

NETWORK = {
    "kind": "network",
    "name": "net",
    "peers": {"a": {"subscribes": ["goal"], "node": {"kind": "agent", "agent": "a"}}},
}
REFUSED = {**stage("bad", "send_mail", to="eve"), "fallback": {"kind": "skip"}}
WATCHED = {
    "kind": "monitor",
    "name": "m",
    "rules": [{"tool": "send_mail", "verdict": "block", "reason": "no mail"}],
    "node": {"kind": "pipeline", "name": "inner", "stages": [REFUSED, NETWORK]},
}
BLOCKED = [("send_mail", "block")]


def team(*stages: dict[str, Any]) -> TeamSpec:
    return TeamSpec.model_validate(
        {
            "team": "t",
            "root": {"kind": "pipeline", "name": "trip", "stages": list(stages)},
            "agents": {"a": {"instructions": "Do it.", "limits": LIMITS}},
        },
        extra="forbid",
    )


def verdicts(said: RunResult | RunSoFar) -> list[tuple[str, str]]:
    return [(one.tool, one.verdict.value) for one in said.decisions]


async def ended(bench: Bench, handle: RunHandle) -> RunResult:
    """As ``ostinato show`` has it."""
    client = bench.deployment.client
    return await with_spent(client, await read_input(client, handle.id), await read_result(handle))


@pytest.mark.parametrize("how", ["stop", "terminate"])
async def test_what_is_nested_is_told_while_it_runs_and_after_a_stop(workers: Workers, how: str) -> None:
    async with workers(hang) as bench, asyncio.timeout(40):
        handle = await bench.start(team(WATCHED))
        await bench_waits(bench)
        running = await told_by_all(bench.deployment.client, await handle.describe())
        await (handle.cancel() if how == "stop" else handle.terminate("test"))
        await read_result(handle)
        await executions(bench, handle.id)  # until nothing is open
        result = await ended(bench, handle)
        child = await bench.deployment.client.get_workflow_handle(f"{handle.id}/trip/m").describe()
    assert running.so_far
    assert running.notes == ()
    for said in (running.so_far, result):
        assert verdicts(said) == BLOCKED
        assert [(one.event_type, one.agent_id) for one in said.events] == [("goal", "net")]
        assert [one for one in said.log if "bad" in one] != []
        assert {one.step for one in said.handoffs} >= {"trip/m/inner/bad", "trip/m/inner/net"}
    assert len(running.so_far.handoffs) == len({(one.step, one.version) for one in running.so_far.handoffs}), (
        "each once"
    )
    assert "trip/m/inner/bad" in {step.step for step in result.steps}
    if how == "stop":
        assert child.status is WorkflowExecutionStatus.FAILED, "only so its result reaches its parent"


async def test_what_was_not_asked_and_who_does_not_answer_is_said(workers: Workers) -> None:
    async with workers(hang) as bench, asyncio.timeout(40):
        handle = await bench.start(team(WATCHED))
        await bench_waits(bench)
        client, described = bench.deployment.client, await handle.describe()
        partly = await told_by_all(client, described, most=2)
    began = time.monotonic()
    nobody = await told_by_all(client, described)
    took = time.monotonic() - began
    # Nobody serves them any more: what is left open would be served by the workers of another test.
    async for one in client.list_workflows(f"WorkflowId = '{handle.id}' OR WorkflowId STARTS_WITH '{handle.id}/'"):
        await client.get_workflow_handle(one.id).terminate("test")
    assert partly.so_far
    assert partly.notes == ("1 more nested workflows were not asked",)
    assert nobody.so_far is None
    assert took < 4
