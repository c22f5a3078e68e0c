"""Compensation: what a run that fails or is stopped has done is undone, the newest first, or listed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from activities.contracts.effects import MAX_EFFECTS
from activities.contracts.failures import FailureKind
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer
from tests.conftest import Bench, Workers
from tests.support.compensating import (
    AGENTS,
    ASK,
    BOOM,
    CHARGE,
    MAIL,
    POST,
    RESERVE,
    Ledger,
    bench_waits,
    hang,
    outcomes,
    pipeline,
    stage,
)
from tests.support.scripted import ScriptedProvider, calls, in_order, says
from tests.support.supervision import obedient, team
from tests.support.teams import one_agent
from workers.checkpoints import read_origin
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.registration import bind_store
from workers.rewinding import Order, find_way, go_on
from workers.runs import read_result
from workers.server import ServerInfo
from workflows.contracts import RunResult, RunStatus
from workflows.policies import TOOL_ATTEMPTS


@pytest.fixture
def ledger(effects: Path) -> Ledger:
    return Ledger(effects)


async def test_a_failed_run_undoes_what_it_has_done_the_newest_first(workers: Workers, ledger: Ledger) -> None:
    async with workers(in_order()) as bench:
        result = await bench.run(pipeline(RESERVE, CHARGE, MAIL, BOOM))
    assert ledger.lines == [
        "reserve_room blue 1",
        "charge 12",
        "send_mail ann",
        "refund 12 EUR",
        "cancel_room blue reserved_blue",
    ]
    assert outcomes(result) == [("reserve_room", "compensated"), ("charge", "compensated"), ("send_mail", "done")]
    assert result.failure
    assert result.failure.kind is FailureKind.TOOL_FAILED
    assert result.usage.tool_calls == 4, "compensations count against no budget"
    assert [commit.key for commit in result.state] == ["reserve", "charge", "mail"]


async def test_a_stopped_run_undoes_what_it_has_done_and_says_what_it_has_come_to(
    workers: Workers, ledger: Ledger
) -> None:
    async with workers(hang) as bench:
        handle = await bench.start(pipeline(RESERVE, CHARGE, ASK, agents=AGENTS))
        await bench_waits(bench)
        await handle.cancel()
        result = await asyncio.wait_for(read_result(handle), 20)
        described = await handle.describe()
        events = [event.event_type async for event in handle.fetch_history_events()]
    assert described.status is WorkflowExecutionStatus.CANCELED
    assert events.count(EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED) == 1
    assert result.failure
    assert (result.status, result.failure.kind) == (RunStatus.FAILED, FailureKind.CANCELLED)
    assert outcomes(result) == [("reserve_room", "compensated"), ("charge", "compensated")]
    assert ledger.lines[2:] == ["refund 12 EUR", "cancel_room blue reserved_blue"]
    assert [(commit.version, commit.key, commit.value) for commit in result.state] == [
        (1, "reserve", "reserved blue"),
        (2, "charge", "charged 12"),
    ]


WIRE = stage("wire", "wire", to="bob")
WIRES = {"a": {"instructions": "Do it.", "tier": "small", "tools": ["wire", "send_mail"]}}


@pytest.mark.parametrize(
    "rest",
    [
        [{"kind": "pipeline", "name": "inner", "stages": [WIRE, CHARGE]}, MAIL],
        [{"kind": "pipeline", "name": "inner", "stages": [WIRE]}, MAIL],
        [ASK, MAIL],
        [WIRE],
    ],
    ids=["before the next of a nested one", "at the end of a nested one", "in an agent's turn", "at the end"],
)
async def test_a_stop_holds_though_the_call_under_way_ends_well(
    workers: Workers, ledger: Ledger, rest: list[dict[str, Any]]
) -> None:
    async with workers(in_order(calls(("wire", {"to": "bob"})), calls(("send_mail", {"to": "ann"})))) as bench:
        handle = await bench.start(pipeline(RESERVE, *rest, agents=WIRES))
        async with asyncio.timeout(20):
            while "wire bob" not in ledger.lines:
                await asyncio.sleep(0.02)
            await handle.cancel()
            result = await read_result(handle)
        described = await handle.describe()
    assert described.status is WorkflowExecutionStatus.CANCELED
    assert outcomes(result) == [("reserve_room", "compensated"), ("wire", "done")]
    assert ledger.lines == ["reserve_room blue 1", "wire bob", "cancel_room blue reserved_blue"]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_a_second_stop_does_not_interrupt_compensations(workers: Workers, ledger: Ledger, how: str) -> None:
    async with workers(hang) as bench:
        last = ASK if how == "cancelled" else BOOM
        handle = await bench.start(pipeline(stage("lock", "lock", door="front"), last, agents=AGENTS))
        if how == "cancelled":
            await bench_waits(bench)
            await handle.cancel()
        async with asyncio.timeout(20):
            while "unlock" not in " ".join(ledger.lines):
                await asyncio.sleep(0.02)
            await handle.cancel()
            result = await read_result(handle)
    assert outcomes(result) == [("lock", "compensated")]
    assert [line.split()[:2] for line in ledger.raw[1:]] == [["unlock", "begun"], ["unlock", "ended"]]
    assert result.failure
    assert result.failure.kind is (FailureKind.CANCELLED if how == "cancelled" else FailureKind.TOOL_FAILED)


async def test_what_is_nested_is_undone_by_the_root_in_one_order(workers: Workers, ledger: Ledger) -> None:
    inner = {
        "kind": "pipeline",
        "name": "inner",
        "stages": [CHARGE, stage("more", "reserve_room", room="red", hours=2)],
    }
    async with workers(in_order()) as bench:
        result = await bench.run(pipeline(RESERVE, inner, BOOM))
    assert [line.split()[0] for line in ledger.lines[3:]] == ["cancel_room", "refund", "cancel_room"]
    assert ledger.lines[3].startswith("cancel_room red")
    assert [(r.step, r.outcome.value) for r in result.done] == [
        ("trip/reserve", "compensated"),
        ("trip/inner/charge", "compensated"),
        ("trip/inner/more", "compensated"),
    ]


async def test_a_nested_workflow_that_is_stopped_hands_its_effects_up(workers: Workers, ledger: Ledger) -> None:
    inner = {"kind": "pipeline", "name": "inner", "stages": [CHARGE, MAIL, ASK]}
    async with workers(hang) as bench:
        handle = await bench.start(pipeline(RESERVE, inner, agents=AGENTS))
        await bench_waits(bench)
        await handle.cancel()
        result = await asyncio.wait_for(read_result(handle), 20)
        child = await bench.deployment.client.get_workflow_handle(f"{handle.id}/trip/inner").describe()
    assert child.status is WorkflowExecutionStatus.FAILED, "only so its result reaches its parent"
    assert outcomes(result) == [("reserve_room", "compensated"), ("charge", "compensated"), ("send_mail", "done")]
    assert ledger.lines[3:] == ["refund 12 EUR", "cancel_room blue reserved_blue"]


async def test_what_is_nested_undoes_its_own_where_its_parent_is_gone(workers: Workers, ledger: Ledger) -> None:
    inner = {"kind": "pipeline", "name": "inner", "stages": [CHARGE, ASK]}
    async with workers(hang) as bench:
        handle = await bench.start(pipeline(RESERVE, inner, agents=AGENTS))
        await bench_waits(bench)
        await handle.terminate("test")
        child = bench.deployment.client.get_workflow_handle(f"{handle.id}/trip/inner", result_type=RunResult)
        result = await asyncio.wait_for(read_result(child), 20)
    assert outcomes(result) == [("charge", "compensated")]
    assert ledger.lines[2:] == ["refund 12 EUR"]


async def test_a_compensation_that_fails_is_tried_again_and_then_reported(workers: Workers, ledger: Ledger) -> None:
    async with workers(in_order()) as bench:
        handle = await bench.start(pipeline(RESERVE, POST, BOOM))
        result = await read_result(handle)
    assert outcomes(result) == [("reserve_room", "compensated"), ("post", "compensation_failed")]
    assert "the post is gone" in result.done[1].reason
    assert ledger.lines.count("withdraw x") == TOOL_ATTEMPTS
    assert len({line for line in ledger.raw if line.startswith("withdraw")}) == 1, "all attempts have one request id"
    assert result.failure
    assert "what post did could not be undone" in result.failure.message
    assert f"undo it by hand: ostinato show {handle.id} says why" in result.failure.fix
    assert "explode" in result.failure.message


async def test_a_partial_result_keeps_its_effects(workers: Workers, ledger: Ledger) -> None:
    async with workers(in_order()) as bench:
        result = await bench.run(pipeline(RESERVE, {**BOOM, "critical": False}))
    assert result.status is RunStatus.PARTIAL
    assert outcomes(result) == [("reserve_room", "done")]
    assert ledger.lines == ["reserve_room blue 1"]
    assert [commit.key for commit in result.state] == ["reserve"], "what was left out is no version"


async def test_a_compensated_effect_is_made_again_where_the_run_goes_on(workers: Workers, ledger: Ledger) -> None:
    """Its record answers no more: neither for an idempotent tool nor for one that is called once. Each time."""
    script: list[ProviderAnswer | Exception] = [
        AuthenticationFailed("no key"),
        AuthenticationFailed("no key"),
        says("done"),
    ]

    async with workers(in_order(*script)) as bench:
        run = await bench.admit(pipeline(RESERVE, CHARGE, MAIL, ASK, agents=AGENTS))
        results = [await bench.finish(run)]
        for _ in range(2):
            origin = await read_origin(bench.deployment.client, run.scope_id)
            _, handle = await go_on(bench.deployment, find_way(origin, Order("resume")))
            results += [await read_result(handle)]
    assert [result.status for result in results] == [RunStatus.FAILED, RunStatus.FAILED, RunStatus.COMPLETE]
    assert outcomes(results[1]) == [("reserve_room", "compensated"), ("charge", "compensated"), ("send_mail", "done")]
    assert outcomes(results[2]) == [("reserve_room", "done"), ("charge", "done"), ("send_mail", "done")]
    assert [report.repeated for report in results[2].done] == [False, False, True]
    kinds = [line.split()[0] for line in ledger.lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "reserve_room": 3,
        "charge": 3,
        "send_mail": 1,
        "refund": 2,
        "cancel_room": 2,
    }
    assert len({line for line in ledger.raw if line.startswith("charge")}) == 3, "each is another request"


async def test_effects_are_told_once_over_a_continue_as_new(workers: Workers, ledger: Ledger) -> None:
    script = [*(calls(("book_room", {"room": f"r{i}"})) for i in range(5)), says("done")]
    async with workers(in_order(*script)) as bench:
        handle = await bench.start(one_agent(tools=["book_room"]), max_history_events=20)
        result = await read_result(handle)
        first = await anext(aiter(handle.fetch_history_events()))
    assert first.workflow_execution_started_event_attributes.continued_execution_run_id
    assert [report.ordinal for report in result.done] == [f"t{i}.c0" for i in range(1, 6)]
    assert result.effects == 5
    assert len(ledger.lines) == 5


async def test_a_subtask_that_is_given_up_only_reports_its_effects(workers: Workers, ledger: Ledger) -> None:
    subtasks = [{"type": "a", "task": "one"}, {"type": "b", "task": "two"}]
    flow = {"kind": "pipeline", "name": "flow", "stages": [RESERVE, BOOM]}
    spec = team(subtasks=subtasks, workers={"a": {"node": flow}, "b": {"node": {"agent": "b"}}})
    async with workers(obedient) as bench:
        result = await bench.run(spec)
    assert result.status is RunStatus.PARTIAL
    assert outcomes(result) == [("reserve_room", "done")]
    assert ledger.lines == ["reserve_room blue 1"]


async def test_effects_that_could_not_be_listed_are_not_made(workers: Workers, ledger: Ledger) -> None:
    turn = calls(*[("book_room", {"room": f"r{i}"}) for i in range(32)])
    limits = {"turns": 100, "model_calls": 100, "tool_calls": 1000, "parallel_tools": 32}
    async with workers(lambda *_: turn) as bench:
        result = await bench.run(one_agent(tools=["book_room"], limits=limits))
    assert result.failure
    assert result.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert len(ledger.lines) == len(result.done) == MAX_EFFECTS


async def test_what_a_stopped_run_leaves_behind_passes_the_codec(deployment: Deployment, server: ServerInfo) -> None:
    coded = deployment.settings.model_copy(update={"codec": "tests.support.codecs:Backwards"})
    await bind_store(deployment.client, deployment.store)
    ours = await Deployment.connect(coded, address=server.address)
    provider = ScriptedProvider(hang)
    async with running_pools(ours, ["workflows", "tools", "models-offline"], {"offline": provider}):
        bench = Bench(ours, provider)
        handle = await bench.start(pipeline(RESERVE, ASK, agents=AGENTS))
        await bench_waits(bench)
        await handle.cancel()
        result = await asyncio.wait_for(read_result(handle), 20)
    raw = (await deployment.client.get_workflow_handle(handle.id).describe()).raw_description.workflow_execution_info
    assert b"reserved blue" not in raw.memo.SerializeToString()
    assert [commit.value for commit in result.state] == ["reserved blue"]
    assert outcomes(result) == [("reserve_room", "compensated")]


@pytest.mark.parametrize("how", ["failed", "stopped"])
async def test_every_repetition_leaves_the_same_behind(workers: Workers, effects: Path, how: str) -> None:
    inner = {"kind": "pipeline", "name": "inner", "stages": [CHARGE, MAIL]}
    seen = []
    async with workers(hang) as bench:
        for number in range(3):
            ledger = Ledger(effects)
            handle = await bench.start(pipeline(RESERVE, inner, BOOM if how == "failed" else ASK, agents=AGENTS))
            if how == "stopped":
                await bench_waits(bench, number + 1)
                await handle.cancel()
            result = await asyncio.wait_for(read_result(handle), 20)
            assert result.failure
            reports = [report.model_dump(exclude={"at", "undo", "request_id"}) for report in result.done]
            versions = [(commit.version, commit.step, commit.digest) for commit in result.state]
            seen.append((ledger.lines, reports, versions, result.failure.message))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == [
        "reserve_room blue 1",
        "charge 12",
        "send_mail ann",
        "refund 12 EUR",
        "cancel_room blue reserved_blue",
    ]
