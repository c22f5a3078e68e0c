"""Following: every call with its place in the tree, what it used and what went wrong, where payloads are coded too."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from activities.errors import AuthenticationFailed, Overloaded
from tests.conftest import new_run_id
from tests.support.scripted import ScriptedProvider, calls, in_order, says
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.client import connect
from workers.deployment import Deployment
from workers.following import follow
from workers.pools import running_pools
from workers.progress import Progress
from workers.runs import start_run
from workers.server import ServerInfo
from workers.settings import Settings


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


async def test_what_ended_a_run_is_told_last(deployment: Deployment) -> None:
    told = await followed(deployment, AuthenticationFailed("no key", fix="set one"))
    assert [(p.kind, p.state, p.detail) for p in told[-2:]] == [
        ("model", "failed", "no key"),
        ("workflow", "failed", "no key"),
    ]
