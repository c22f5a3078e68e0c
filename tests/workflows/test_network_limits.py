"""How networks end that do not end by themselves: limits, a stop, a budget."""

import asyncio
from typing import Any

from activities.contracts.failures import FailureKind
from tests.conftest import Workers
from tests.support.networks import Got, asks, event, network, played, sends, until_closed
from workers.runs import read_result
from workflows.contracts import RunStatus


async def test_limits_end_a_storm(workers: Workers) -> None:
    """Each event causes two: bounded, said, nothing left running; a failure of its kind where that is wanted."""

    def storm(got: Got) -> Any:
        return sends(event("drop", 1), event("drop", 2)) if got.event_type in ("goal", "drop") else sends()

    async def waits(got: Got) -> Any:
        del got
        await asyncio.sleep(60)
        return sends()

    def wide(**node: Any) -> Any:
        return network({"a": ["*"], "b": {"subscribes": ["drop"], "node": {"kind": "agent", "agent": "a"}}}, **node)

    async with workers(played(a=storm, w=waits, **dict.fromkeys("xyz", lambda _: sends()))) as bench:
        many = wide(max_events=30, max_parallel=8)
        partial, one_left, hops, fails, late, quiet = await asyncio.gather(
            bench.run(many), bench.run(network({name: ["goal"] for name in ("x", "y", "z")}, max_events=2)),
            bench.run(wide(max_hops=3)), bench.run(wide(max_events=5, at_limit="fail")),
            bench.run(network({"w": ["goal"], "x": ["goal"]}, max_parallel=1, seconds=1.5, agents=["w"])),
            bench.run(network({"a": ["other"]}, start=[{"event_type": "lost"}], goal_event="never", at_limit="fail")),
        )  # fmt: skip
    assert partial.status is RunStatus.PARTIAL
    assert len(partial.steps) == 30
    assert partial.output == []
    (line,) = partial.missing
    assert line.endswith("events were not worked on: max_events=30 of the network 'net' is reached")
    assert len(one_left.steps) == 2
    assert one_left.missing == ("1 event was not worked on: max_events=2 of the network 'net' is reached",)
    assert hops.status is RunStatus.PARTIAL
    assert len(hops.steps) == 1 + 2 * 2 + 4 * 2 * 2, "hops 0, 1, 2"
    assert hops.missing == ("32 events were not passed on: max_hops=3 of the network 'net' is reached",)
    assert fails.failure
    assert fails.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert fails.failure.fix.startswith("raise max_events of 'net'")
    assert late.status is RunStatus.PARTIAL, late
    assert late.missing == ("the network 'net' did not end within 1.5 s: 2 events were left",)
    assert quiet.failure
    assert quiet.failure.message.endswith("its goal event never never came")
    assert len(partial.events) <= 1000


async def test_a_stop_and_a_budget_end_it(workers: Workers) -> None:
    """Nothing is left running, whoever works or waits; a budget may leave what there is."""
    reached = asyncio.Event()

    async def hangs(got: Got) -> Any:
        del got
        reached.set()
        await asyncio.sleep(60)
        return sends()

    def on(got: Got) -> Any:
        return sends("so.far", "next") if got.event_type != "question" else sends()

    nested = {"node": {"kind": "pipeline", "name": "line", "stages": [{"kind": "agent", "agent": "hang"}]}}
    peers = {"a": {"subscribes": ["goal"], "asks": ["n"]}, "n": nested, "b": ["goal"]}
    script = played(a=lambda _: sends(**asks("n", "well?")), hang=hangs, b=on, c=on)
    async with workers(script) as bench:
        handle = await bench.start(network(peers, agents=["hang"]))
        await reached.wait()
        await handle.cancel()
        stopped = await read_result(handle)
        await until_closed(bench, handle)
        budget = {"model_calls": 3, "on_breach": "partial"}
        short = await bench.run(network({"c": ["goal", "next"]}, budget=budget))
    assert stopped.status is RunStatus.FAILED
    assert {report.event_id for report in stopped.events} == {"#1", "#1.a.q1"} | {f"#1.b.{n}" for n in (1, 2)}
    assert short.status is RunStatus.PARTIAL, short
    assert short.output == [None, None, None]
