"""Following: every call with its place in the tree, what it used and what went wrong, where payloads are coded too."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from activities.errors import AuthenticationFailed, Overloaded
from activities.providers.base import ProviderAnswer, ProviderCall
from activities.tools.base import tool
from scripts.tree import Row
from tests.conftest import Workers, new_run_id
from tests.support.scripted import ScriptedProvider, calls, in_order, says, says_json
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.client import connect
from workers.deployment import Deployment
from workers.following import follow
from workers.pools import running_pools
from workers.progress import Progress
from workers.runs import read_input, read_result, start_run
from workers.server import ServerInfo
from workers.settings import Settings
from workers.spent import with_spent
from workflows.contracts import RunStatus


@tool(effect="read")
def content(output: object) -> list[str]:
    """A check that is always content."""
    del output
    return []


class Reversed(PayloadCodec):
    """Payloads that nobody reads by chance."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata={"encoding": b"reversed"}, data=p.SerializeToString()[::-1]) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(p.data[::-1]) for p in payloads]


async def followed(deployment: Deployment, *answers: Any) -> list[Progress]:
    provider = ScriptedProvider(in_order(*answers))
    async with running_pools(deployment, ["workflows", "tools", "models-offline"], {"offline": provider}):
        run = await admit(deployment, one_agent(tools=["add"]), RunOrder(goal="Do it.", run_id=new_run_id()))
        handle = await start_run(deployment.client, run)
        async with asyncio.timeout(30):
            return [progress async for progress in follow(deployment.client, handle.id)]


async def test_a_run_is_told_call_by_call_although_its_payloads_are_coded(
    server: ServerInfo, settings: Settings
) -> None:
    plain = await Deployment.connect(settings, address=server.address)
    coding = settings.model_copy(update={"codec": "tests.workers.test_following:Reversed"})
    # The store is the namespace's, as it is: what is tried is what is read of a history.
    coded = replace(plain, client=await connect(coding, address=server.address))
    told = [
        await followed(deployment, calls(("add", {"a": 1, "b": 2})), Overloaded("busy"), says("3"))
        for deployment in (plain, coded)
    ]
    for progress in told:
        assert [(p.path, p.step, p.what, p.state) for p in progress if p.state != "retrying"] == [
            ("a", "", "agent", "started"),
            ("a", "t1", "a: turn 1", "started"),
            ("a", "t1", "a: turn 1", "done"),
            ("a", "t1.c0", "a: add", "started"),
            ("a", "t1.c0", "a: add", "done"),
            ("a", "t2", "a: turn 2", "started"),
            ("a", "t2", "a: turn 2", "retried"),
            ("a", "t2", "a: turn 2", "done"),
            ("a", "", "agent", "done"),
        ]
        assert next(p.detail for p in progress if p.state == "retried") == "attempt 1: busy"
        assert [p.tokens for p in progress if p.kind == "model" and p.state == "done"] == [20, 20]
        assert [p.step for p in progress if p.is_answer] == ["t2"]


async def test_an_answer_ends_its_step_when_its_last_check_is_content(
    server: ServerInfo, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo words here\n")
    lie = says_json({"quotes": [{"source": "a.txt:2", "quote": "three words here"}]})
    truth = says_json({"quotes": [{"source": "a.txt:2", "quote": "two words here"}]})
    checks = {"schema": {"type": "object", "required": ["quotes"]}, "checks": ["check_quotes", "content"]}
    team = one_agent(output=checks, limits={"corrections": 1})
    changed = settings.model_copy(update={"tool_modules": ("tests.workers.test_following",)})
    deployment = await Deployment.connect(changed, address=server.address)
    providers = {"offline": ScriptedProvider(in_order(lie, truth))}
    async with running_pools(deployment, ["workflows", "tools", "models-offline"], providers), asyncio.timeout(30):
        run = await admit(deployment, team, RunOrder(goal="Do it.", run_id=new_run_id(), folder=tmp_path))
        handle = await start_run(deployment.client, run)
        told = [progress async for progress in follow(deployment.client, handle.id)]
    ends = [(p.step, p.is_answer, p.is_refused) for p in told if p.kind == "tool" and p.state == "done"]
    assert ends == [
        ("t1.k0", False, True),
        ("t1.k1", False, True),  # content itself, but the answer is refused
        ("t2.k0", True, False),
        ("t2.k1", True, False),
    ]
    # As a watcher sees it, before the run says anything of its steps.
    row = Row("a")
    states = []
    for progress in told:
        if progress.kind != "workflow":
            row.add(progress)
            states.append((progress.step, row.state))
    assert dict(states)["t1.k1"] == "running"
    assert states[-1] == ("t2.k1", "complete")


@pytest.mark.parametrize("force", [False, True])
async def test_a_run_that_was_stopped_says_what_it_used(workers: Workers, force: bool) -> None:
    hanging = asyncio.Event()

    async def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del call
        if index == 0:
            return calls(("add", {"a": 1, "b": 2}))
        hanging.set()
        await asyncio.sleep(60)
        return says("never")

    async with workers(script) as bench, asyncio.timeout(40):
        handle = await bench.start(one_agent(tools=["add"]))
        await hanging.wait()
        await (handle.terminate() if force else handle.cancel())
        bare, client = await read_result(handle), bench.deployment.client
        result = await with_spent(client, await read_input(client, handle.id), bare)
    assert (result.status, result.failure) == (RunStatus.FAILED, bare.failure)
    assert (result.usage.tokens, result.usage.model_calls, result.usage.tool_calls) == (20, 1, 1)
    (step,) = result.steps
    assert (step.agent, step.step, step.status, step.tokens) == ("t/a@1", "a", RunStatus.FAILED, 20)
    assert step.thread
    assert [agent.tokens for agent in result.agents] == [20]


async def test_what_ended_a_run_is_told_last(deployment: Deployment) -> None:
    told = await followed(deployment, AuthenticationFailed("no key", fix="set one"))
    assert [(p.kind, p.state, p.detail) for p in told[-2:]] == [
        ("model", "failed", "no key"),
        ("workflow", "failed", "no key"),
    ]
