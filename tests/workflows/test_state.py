"""The run's state: a version for every validated output, shown while the run runs and however it ends."""

import asyncio
from typing import Any

import pytest

from activities.errors import ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import in_order, says
from tests.support.supervision import SUBTASKS, failing, team
from workers.runs import left_behind, read_result
from workers.states import RunStateView, read_state
from workflows.contracts import RunResult, RunStatus, StateCommit
from workflows.run_state import MAX_STATE_BYTES
from workflows.stopped import MAX_VALUE_BYTES, MAX_VALUES_BYTES
from workflows.teams.tree import TeamSpec

ASK = {"kind": "agent", "agent": "a"}


def stage(name: str, tool: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": "call", "name": name, "tool": tool, "arguments": arguments}


def pipeline(*stages: dict[str, Any]) -> TeamSpec:
    agents = {"a": {"instructions": "Do it.", "tier": "small"}}
    root = {"kind": "pipeline", "name": "flow", "stages": list(stages)}
    uses = {"agents": agents} if ASK in stages else {}
    return TeamSpec.model_validate({"team": "t", "root": root, **uses}, extra="forbid")


def keys(result: RunResult) -> list[str]:
    return [commit.key for commit in result.state]


async def test_a_supervisor_commits_what_its_parts_come_to_and_nothing_that_failed(workers: Workers) -> None:
    gate = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$draft", "final": "$final"}}
    async with workers(failing("a")) as bench:
        result = await bench.run(team(subtasks=SUBTASKS, gate=gate))
    assert result.status is RunStatus.PARTIAL
    assert keys(result) == ["s1-2", "synthesis-1", "gate-1", "synthesis-2", "gate-2"]
    assert [commit.version for commit in result.state] == [1, 2, 3, 4, 5]
    assert {commit.owner for commit in result.state[1:4:2]} == {"t/writer@1"}


async def test_what_is_nested_has_a_state_of_its_own(workers: Workers) -> None:
    inner = {
        "kind": "pipeline",
        "name": "inner",
        "stages": [stage("one", "echo", text="1"), stage("two", "echo", text="2")],
    }
    async with workers(in_order()) as bench:
        handle = await bench.start(pipeline(stage("zero", "echo", text="0"), inner))
        result = await read_result(handle)
        client = bench.deployment.client
        nested = await read_state(client, f"{handle.id}/flow/inner")
        with pytest.raises(ConfigurationInvalid, match="'flow/other'"):
            await read_state(client, f"{handle.id}/flow/other")
    assert keys(result) == ["zero", "inner"]
    assert [(commit.key, commit.step, commit.value) for commit in nested.commits] == [
        ("one", "flow/inner/one", 1),
        ("two", "flow/inner/two", 2),
    ]
    assert result.state[1].value == 2


async def test_a_fallback_makes_one_version_and_what_is_left_out_makes_none(workers: Workers) -> None:
    boom = stage("boom", "explode", what="it")
    other = {**boom, "key": "made", "fallback": stage("other", "echo", text="ok")}
    async with workers(in_order()) as bench:
        result = await bench.run(pipeline(other, {**boom, "name": "gone", "critical": False}))
    assert result.status is RunStatus.PARTIAL
    assert [(commit.key, commit.value) for commit in result.state] == [("made", "ok")]


async def test_the_state_of_a_running_run_is_told_by_a_query_at_no_event(workers: Workers) -> None:
    asked = asyncio.Event()

    async def hang(call: ProviderCall, index: int) -> ProviderAnswer:
        del call, index
        asked.set()
        await asyncio.sleep(60)
        return says("never")

    async with workers(hang) as bench, asyncio.timeout(40):
        handle = await bench.start(pipeline(stage("one", "echo", text="1"), stage("two", "echo", text="2"), ASK))
        await asked.wait()
        before = (await handle.describe()).history_length
        view = await read_state(bench.deployment.client, handle.id)
        assert (await handle.describe()).history_length == before
        await handle.terminate("test")
        ended = await read_state(bench.deployment.client, handle.id)
    assert (view.status, [(c.key, c.value) for c in view.commits]) == ("running", [("one", 1), ("two", 2)])
    assert (ended.status, ended.commits) == ("failed", view.commits), "a worker reads it from the history"
    assert [(key, before, after.value) for key, before, after in view.between(0, 1) if after] == [("one", None, 1)]
    assert view.between(1, 1) == []
    with pytest.raises(ConfigurationInvalid, match="no version 3"):
        view.at(3)


async def test_a_stopped_run_keeps_what_fits_of_its_state(workers: Workers) -> None:
    asked = asyncio.Event()

    async def hang(call: ProviderCall, index: int) -> ProviderAnswer:
        del call, index
        asked.set()
        await asyncio.sleep(60)
        return says("never")

    small = [stage(f"s{i}", "big", size=12_000) for i in range(30)]
    async with workers(hang) as bench, asyncio.timeout(60):
        handle = await bench.start(pipeline(*small, stage("large", "big", size=MAX_VALUE_BYTES), ASK))
        await asked.wait()
        await handle.cancel()
        result = await read_result(handle)
        left = await left_behind(handle)
    assert left == result
    assert len(result.state) == 31
    kept = [commit for commit in result.state if not commit.left_out]
    assert [commit.key for commit in result.state if commit.left_out][-1] == "large"
    assert len(kept) == MAX_VALUES_BYTES // 12_002
    assert kept[-1] is result.state[29], "the newest ones"
    assert result.state[0].size_bytes == 12_002


async def test_a_state_that_would_be_too_large_fails_the_step(workers: Workers) -> None:
    size = 250_000
    count = MAX_STATE_BYTES // size + 1
    async with workers(in_order()) as bench:
        result = await bench.run(pipeline(*(stage(f"s{i}", "big", size=size) for i in range(count))))
    assert result.failure
    assert f"more than {MAX_STATE_BYTES:,}" in result.failure.message
    assert len(result.state) == count - 1
    assert sum(commit.size_bytes for commit in result.state) <= MAX_STATE_BYTES


async def test_the_same_run_has_the_same_versions_and_digests(workers: Workers) -> None:
    async with workers(lambda *_: says("yes")) as bench:
        results = [await bench.run(pipeline(stage("one", "echo", text='{"b": 1, "a": [2]}'), ASK)) for _ in range(2)]
    one, other = ([(c.version, c.key, c.step, c.digest) for c in result.state] for result in results)
    assert one == other


def test_between_two_versions_is_what_differs_in_value() -> None:
    def commit(version: int, key: str, value: str) -> StateCommit:
        digest = value * 40
        return StateCommit(version=version, key=key, step=f"flow/{key}", digest=digest, size_bytes=3, value=value)

    view = RunStateView(
        "r", "running", (commit(1, "x", "a"), commit(2, "y", "b"), commit(3, "x", "c"), commit(4, "x", "a"))
    )
    changes = {
        pair: [(k, b and b.version, a and a.version) for k, b, a in view.between(*pair)]
        for pair in [(0, 2), (1, 3), (1, 4), (3, 0)]
    }
    assert changes == {
        (0, 2): [("x", None, 1), ("y", None, 2)],
        (1, 3): [("x", 1, 3), ("y", None, 2)],
        (1, 4): [("y", None, 2)],
        (3, 0): [("x", 3, None), ("y", 2, None)],
    }
