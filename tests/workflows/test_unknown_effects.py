"""Effects of which nobody knows whether they happened: listed, undone where that is safe, never made again unasked."""

import asyncio
from pathlib import Path

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import ConfigurationInvalid
from tests.conftest import Workers
from tests.support.compensating import (
    AGENTS,
    ASK,
    BOOM,
    CHARGE,
    MAIL,
    RESERVE,
    Ledger,
    bench_waits,
    hang,
    outcomes,
    pipeline,
    stage,
)
from tests.support.lineages import gone_on
from tests.support.scripted import calls, in_order
from workers.rewinding import Order
from workers.runs import read_input, read_result
from workers.spent import with_spent
from workflows.contracts import RunResult


@pytest.fixture
def ledger(effects: Path) -> Ledger:
    return Ledger(effects)


async def test_an_effect_that_was_interrupted_is_listed_as_unknown(workers: Workers, ledger: Ledger) -> None:
    async with workers(in_order()) as bench:
        handle = await bench.start(pipeline(RESERVE, stage("unlock", "unlock_slowly", door="back")))
        async with asyncio.timeout(20):
            while "unlock" not in " ".join(ledger.lines):
                await asyncio.sleep(0.02)
            await handle.cancel()
            result = await read_result(handle)
    assert outcomes(result) == [("reserve_room", "compensated"), ("unlock_slowly", "unknown")]
    assert result.done[1].reason


@pytest.mark.parametrize(
    ("room", "undone"), [("raised", True), ("slow", True), ("refused", False)], ids=["raised", "stopped", "not done"]
)
async def test_an_idempotent_effect_that_may_have_happened_is_undone_too(
    workers: Workers, ledger: Ledger, room: str, undone: bool
) -> None:
    async with workers(in_order()) as bench:
        handle = await bench.start(pipeline(RESERVE, stage("more", "reserve_somehow", room=room)))
        async with asyncio.timeout(20):
            while room == "slow" and "reserve_somehow slow" not in ledger.lines:
                await asyncio.sleep(0.02)
        if room == "slow":
            await handle.cancel()
        result = await asyncio.wait_for(read_result(handle), 20)
    made = [("reserve_room", "compensated"), ("reserve_somehow", "compensated")]
    assert outcomes(result) == made[: 1 + undone]
    assert ledger.lines[1 + undone :] == [f"cancel_room {room}"] * undone + ["cancel_room blue reserved_blue"]


async def test_a_once_effect_that_raised_is_unknown_and_never_made_again_unasked(
    workers: Workers, ledger: Ledger
) -> None:
    """Not by the agent either: the run ends there, and a resume says the same until somebody allows it by name."""
    agents = {"a": {"instructions": "Do it.", "tier": "small", "tools": ["charge_somehow"]}}
    async with workers(lambda *_: calls(("charge_somehow", {"amount": 7}))) as bench:
        handle = await bench.start(pipeline(RESERVE, ASK, agents=agents))
        results = [await read_result(handle)]
        with pytest.raises(ConfigurationInvalid, match="charge_somehow"):
            await gone_on(bench.deployment, handle.id, Order("resume"))
        order = Order("resume", repeat_effects=("charge_somehow",))
        results += [await gone_on(bench.deployment, handle.id, order)]
    for result in results:
        assert result.failure
        assert result.failure.kind is FailureKind.OUTCOME_UNKNOWN
        own = result.model_copy(update={"done": tuple(report for report in result.done if not report.earlier)})
        assert outcomes(own) == [("reserve_room", "compensated"), ("charge_somehow", "unknown")]
        assert "charge_somehow" in result.failure.message
    assert results[0].done[1].arguments == '{"amount": 7}'
    assert ledger.lines.count("charge_somehow 7") == 2


async def test_a_tool_that_says_that_it_did_nothing_has_done_nothing(
    workers: Workers, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the run can be resumed, and the call is made then, though it may be made only once."""
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "bad")
    async with workers(in_order()) as bench:
        handle = await bench.start(pipeline(stage("pay", "charge_somehow", amount=0)))
        failed = await read_result(handle)
        monkeypatch.setenv("OSTINATO_TEST_MOOD", "good")
        resumed = await gone_on(bench.deployment, handle.id, Order("resume"))
    assert failed.failure
    assert (failed.failure.kind, failed.done) == (FailureKind.TOOL_FAILED, ())
    assert (outcomes(resumed), ledger.lines) == ([("charge_somehow", "done")], ["charge_somehow 0"])
    assert (resumed.done[0].arguments, resumed.done[0].result) == ('{"amount": 0}', "charged")


async def test_of_a_run_that_was_ended_from_outside_the_histories_tell_its_effects(workers: Workers) -> None:
    """Nothing is undone then: nobody was left to do it. But nothing is forgotten either."""
    inner = {"kind": "pipeline", "name": "inner", "stages": [CHARGE, MAIL, ASK]}
    async with workers(hang) as bench:
        handle = await bench.start(pipeline(RESERVE, inner, agents=AGENTS))
        await bench_waits(bench)
        client = bench.deployment.client
        await handle.terminate("test")
        child = client.get_workflow_handle(f"{handle.id}/trip/inner", result_type=RunResult)
        await asyncio.wait_for(read_result(child), 20)
        result = await with_spent(client, await read_input(client, handle.id), await read_result(handle))
    told = [(report.tool, report.step, report.outcome.value) for report in result.done]
    assert told == [
        ("reserve_room", "trip/reserve", "done"),
        ("charge", "trip/inner/charge", "compensated"),
        ("send_mail", "trip/inner/mail", "done"),
    ]
    assert result.usage.tool_calls == 3


async def test_an_effect_that_was_being_undone_at_the_end_does_not_stand(
    workers: Workers, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it gone: its record answers nothing, and whoever goes on is told to look."""
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "bad")
    async with workers(in_order()) as bench:
        client = bench.deployment.client
        handle = await bench.start(pipeline(stage("lock", "lock", door="back"), BOOM))
        async with asyncio.timeout(20):
            while not any(line.startswith("unlock") for line in ledger.raw):
                await asyncio.sleep(0.02)
        await handle.terminate("test")
        ended = await with_spent(client, await read_input(client, handle.id), await read_result(handle))
        monkeypatch.setenv("OSTINATO_TEST_MOOD", "good")
        resumed = await gone_on(bench.deployment, handle.id, Order("resume"))
    assert outcomes(ended) == [("lock", "unknown")]
    assert ended.done[0].reason == "unlock_slowly had begun to undo it"
    assert (ended.done[0].arguments, ended.done[0].result) == ('{"door": "back"}', "locked")
    assert ended.done[0].request_id
    assert resumed.failure
    assert resumed.failure.kind is FailureKind.OUTCOME_UNKNOWN
    assert "undoing it was begun" in resumed.failure.message
    assert [line.split()[0] for line in ledger.raw].count("lock") == 1
