"""Worker processes of the bench: what is killed, or weighed, is a process of its own.

::

    python -m scripts.bench.served ROLE HOME ADDRESS [DELAY_SECONDS]

``waiting``: our workflows, and nobody who serves a call. ``plain``: the same for the floor. ``all``: every pool, with a
model that takes DELAY_SECONDS and says ``calling`` when it is asked. ``branches``: every pool, with the workers of a
fan-out; ``plain-branches``: the same for the floor, with its calls. Each says ``ready``, and serves until its standard
input closes: however the bench ends, nothing of it is left running.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from activities.providers.base import ProviderAnswer, ProviderCall
from scripts.bench.floor import PlainActivities
from scripts.bench.harness import bench_settings, plain_client, plain_pools
from scripts.bench.pattern_plays import Branches
from scripts.bench.scripted import BenchModel, Shape
from workers.deployment import Deployment
from workers.pools import make_worker, running_pools
from workers.settings import Settings

READY, CALLING = "ready", "calling"
SLOW_TURNS = 2
"""Model calls of the run that is killed: one that is under way, one that follows."""


class TellingModel(BenchModel):
    """Says when a request begins, before it takes its time."""

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """See base class."""
        print(CALLING, flush=True)
        return await super().request(call)


async def main(role: str, home: str, address: str, delay_seconds: str = "0") -> None:
    """Serve in one role until nobody listens any more."""
    settings = bench_settings(Path(home))
    if role in {"plain", "plain-branches"}:
        await _serve_plain(settings, address, calls=role == "plain-branches", delay_seconds=float(delay_seconds))
        return
    deployment = await Deployment.connect(settings, address=address)
    if role == "waiting":
        async with running_pools(deployment, ["workflows"]):
            await _until_closed()
        return
    delay = float(delay_seconds)
    model = (
        BenchModel(Branches(count=1, at_once=1, delay_seconds=delay))
        if role == "branches"
        else TellingModel(Shape(turns=SLOW_TURNS, delay_seconds=delay))
    )
    async with running_pools(deployment, ["workflows", "tools", "models-offline"], {"offline": model}):
        await _until_closed()


async def _serve_plain(settings: Settings, address: str, *, calls: bool, delay_seconds: float) -> None:
    floor = PlainActivities()
    floor.delay_seconds = delay_seconds
    pools, client = plain_pools(floor, settings), await plain_client(address)
    async with AsyncExitStack() as stack:
        for pool in pools if calls else pools[:1]:
            await stack.enter_async_context(make_worker(client, pool, settings))
        await _until_closed()


async def _until_closed() -> None:
    print(READY, flush=True)
    loop = asyncio.get_running_loop()
    closed = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(closed), sys.stdin)
    await closed.read()
    # Nothing here is worth a drain: what it served is thrown away with its server.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
