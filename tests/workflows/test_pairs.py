"""Every pattern in every other: the output comes out, a failure follows the outer's rule, a stop leaves nothing running."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.patterns import LEAF, LEAVES, MARK, PATTERNS, around, leaf, said, team
from tests.support.scripted import says
from workers.bundles import export_bundle, replay_bundle
from workers.runs import RunHandle, read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import NODE_KINDS, TeamSpec

OWN = "tests.support.own_workflow"
PLANNER = {"oplanner": {"instructions": "You are oplanner."}}
_AFTER = {"task_id": "second", "executor": "e", "task": "Then.", "after": ["first"]}
GROWING: dict[str, dict[str, object]] = {
    "supervisor": {"subtasks": [], "planner": "oplanner", "rounds": 2},
    "plan": {"planner": None, "tasks": [{"task_id": "first", "executor": "e", "task": "First."}, _AFTER]},
    "network": {"start": [{"event_type": "goal"}, {"event_type": "goal.too"}]},
}
"""Patterns that continue as new, so that they do with work before and after."""
STAND_IN = {"kind": "constant", "value": "the-stand-in"}


def obedient(call: ProviderCall, *_: object) -> ProviderAnswer:
    return says(said(call.output_schema))


def refusing(call: ProviderCall, *_: object) -> ProviderAnswer:
    if LEAF in call.instructions:
        raise AuthenticationFailed("no key", fix="set one")
    return says(said(call.output_schema))


def nested(outer: str, inner: str, **how: object) -> TeamSpec:
    """One pattern in another, with a leaf of the same kind where the inner one is a single step."""
    bottom, agents = leaf(inner if inner in LEAVES else "agent", **how)  # type: ignore[arg-type] # passed on as it is
    middle, more = (bottom, {}) if inner in LEAVES else around(inner, bottom, "i")
    top, most = around(outer, middle, "o")
    return team(top, agents, more, most)


async def every(inners: tuple[str, ...], work: Callable[[str], Awaitable[None]]) -> None:
    """Some at a time; all end before the first error is raised."""
    gate = asyncio.Semaphore(4)

    async def one(inner: str) -> None:
        async with gate, asyncio.timeout(60):
            await work(inner)

    ended = await asyncio.gather(*map(one, inners), return_exceptions=True)
    failed = {inner: error for inner, error in zip(inners, ended, strict=True) if error}
    assert not failed, failed


def what(result: RunResult) -> tuple[RunStatus, object]:
    return result.status, result.failure


@pytest.mark.parametrize("outer", PATTERNS)
async def test_what_is_inside_comes_out_and_replays(workers: Workers, outer: str) -> None:
    async with workers(obedient, workflow_modules=(OWN,)) as bench:

        async def work(inner: str) -> None:
            run = await bench.admit(nested(outer, inner))
            result = await bench.finish(run)
            assert what(result) == (RunStatus.COMPLETE, None)
            assert MARK in json.dumps(result.output)
            bundle = await export_bundle(bench.deployment.client, bench.deployment.store, run.scope_id)
            await replay_bundle(bundle, bench.deployment.settings)

        await every(NODE_KINDS, work)


@pytest.mark.parametrize("outer", GROWING)
async def test_what_is_inside_a_pattern_that_continues_as_new_is_none_the_wiser(workers: Workers, outer: str) -> None:
    """Whatever it takes along is its own: its children begin at their beginning, and nothing is counted twice."""
    async with workers(obedient, workflow_modules=(OWN,)) as bench:

        async def work(inner: str) -> None:
            plain = nested(outer, inner).model_dump(mode="json", by_alias=True)
            plain["root"] |= GROWING[outer]
            if outer == "network":
                plain["root"]["peers"]["p"]["subscribes"] = ["goal.*", "goal"]
            spec = TeamSpec.model_validate({**plain, "agents": {**plain.get("agents", {}), **PLANNER}})
            whole = await bench.run(spec)
            result = await read_result(await bench.start(spec, max_history_events=1))
            assert (result.status, result.output) == (whole.status, whole.output)
            assert result.usage == whole.usage
            assert sorted(step.step for step in result.steps) == sorted(step.step for step in whole.steps)

        await every(NODE_KINDS, work)


@pytest.mark.parametrize("outer", PATTERNS)
async def test_a_failure_inside_follows_the_rule_of_what_is_around_it(workers: Workers, outer: str) -> None:
    """The only part of each fails, which no pattern can do without; a declared stand-in makes it partial."""
    async with workers(refusing, workflow_modules=(OWN,)) as bench:

        async def work(inner: str) -> None:
            result = await bench.run(nested(outer, inner, tool="explode", default=False))
            assert result.status is RunStatus.FAILED
            assert result.failure

        await every(NODE_KINDS, work)
        bottom, agents = leaf()
        top, more = around(outer, {**bottom, "fallback": STAND_IN}, "o")
        result = await bench.run(team(top, agents, more))
        assert what(result) == (RunStatus.PARTIAL, None)
        assert "the-stand-in" in json.dumps(result.output)


@pytest.mark.parametrize("outer", PATTERNS)
async def test_a_stop_leaves_nothing_running(workers: Workers, outer: str) -> None:
    reached = {inner: asyncio.Event() for inner in NODE_KINDS}

    async def hanging(call: ProviderCall, *_: object) -> ProviderAnswer:
        if LEAF in call.instructions:
            reached[call.instructions.removeprefix(LEAF)].set()
            await asyncio.sleep(60)
        return says(said(call.output_schema))

    async with workers(hanging, workflow_modules=(OWN,)) as bench:
        client = bench.deployment.client

        async def work(inner: str) -> None:
            spec = nested(outer, inner, tool="sleep_long", seconds=60, default=False, of=inner)
            handle = await bench.start(spec)
            await (begun(bench, handle) if inner in LEAVES[1:] else reached[inner].wait())
            await handle.cancel()
            result = await read_result(handle)
            assert result.status is RunStatus.FAILED
            still = f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
            async with asyncio.timeout(10):
                while (await client.count_workflows(still)).count:  # visibility follows
                    await asyncio.sleep(0.05)

        await every(NODE_KINDS, work)


async def begun(bench: Bench, handle: RunHandle) -> None:
    """The only tool of the run is called, or its only question is asked."""
    client = bench.deployment.client
    below = f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
    async with asyncio.timeout(30):
        while True:
            async for found in client.list_workflows(below):
                described = await client.get_workflow_handle(found.id).describe()
                pending = described.raw_description.pending_activities
                if found.workflow_type == "human_task" or any(p.activity_type.name == "tool.call" for p in pending):
                    return
            await asyncio.sleep(0.05)
