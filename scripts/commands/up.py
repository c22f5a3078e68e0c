"""``ostinato up``: a Temporal server and workers of all pools in one process. And ``serve_until_stopped`` for ``worker``."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack

from activities.errors import ConfigurationInvalid
from scripts.session import (
    LOG_FILE,
    Session,
    join_running,
    log_to_file,
    open_session,
    serve_here,
    unserved,
    until,
)
from scripts.terminal import COMPLETE, Json, Output
from workers.health import Health
from workers.pools import POOLS
from workers.server import running_server
from workers.settings import load_settings

LOOK_SECONDS = 2.0
"""How often a deployment looks whether its dev server's keeper lives; three misses end it."""
ECHO_SECONDS = 0.5
"""A signal to a process and to its group arrives twice (``timeout``, wrappers): the second time is no second wish."""
READY_SECONDS = 15.0
"""How long the first polls may take to reach the server; it takes a tenth of a second."""


async def up(*, as_json: Json = False) -> int:
    """Start a deployment for this folder: a Temporal server, its web UI, and workers of all pools; until Ctrl-C.

    Args:
        as_json: Print one JSON object when it is ready.
    """
    output, settings = Output(as_json=as_json), load_settings()
    log_to_file(settings)
    running = await join_running(settings)
    if running and not await unserved(running.client, POOLS):
        raise ConfigurationInvalid(
            f"a deployment runs here already, at {running.server.address}",
            fix="use it as it is: `ostinato run` finds it; or end it first (Ctrl-C where it was started)",
        )
    async with open_session(settings, output) as session:
        await serve_until_stopped(session, POOLS, output, f"logs: {settings.home / LOG_FILE}; Ctrl-C ends it")
    return COMPLETE


async def _served(session: Session, stop: asyncio.Event) -> None:
    """Wait for the end. A dead server is brought back by its keeper; where the keeper is dead too, nobody would.

    Raises:
        ConfigurationInvalid: the dev server and its keeper are gone.
    """
    gone = 0
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
        is_there = session.server.origin == "configured" or await running_server(session.deployment.settings)
        gone = 0 if is_there else gone + 1
        if gone >= 3:
            raise ConfigurationInvalid(
                "the Temporal server of this folder was killed together with its keeper",
                fix="start this command again: runs go on from where they were",
            )


async def serve_until_stopped(
    session: Session, pools: Sequence[str], output: Output, more: str, health: Health | None = None
) -> None:
    """Serve pools until SIGINT or SIGTERM; then calls under way are given their time."""
    stop, health, loop = asyncio.Event(), health or Health(), asyncio.get_running_loop()
    asked = 0.0

    def end(number: signal.Signals) -> None:
        nonlocal asked
        if not stop.is_set():
            asked = loop.time()
            health.drain()
            stop.set()
        elif loop.time() - asked > ECHO_SECONDS:
            # Who asks again does not want to wait: what is under way is made again by another worker.
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)

    async def is_ready() -> bool:
        return stop.is_set() or not await unserved(session.client, pools)

    async with AsyncExitStack() as stack:
        await serve_here(stack, session.deployment, pools, lasting=True)
        # Who waits for the ready line may start a run at once, and looks for pollers then.
        await until(is_ready, READY_SECONDS)
        server = session.server
        output.text(f"Temporal server {server.version} at {server.address}")
        if server.ui_url:
            output.text(f"web UI at {server.ui_url}")
        if server.http_url:
            output.text(f"HTTP API at {server.http_url}")
        output.text(f"serving {', '.join(pools)}")
        output.text(more)
        ready = {
            "address": server.address,
            "ui": server.ui_url,
            "http": server.http_url,
            "version": server.version,
            "pools": list(pools),
        }
        output.object({**ready, "health": health.address} if health.address else ready)
        output.flush()
        health.ready()
        await _served(session, stop)
        grace = session.deployment.settings.grace_seconds
        output.note(f"ending: calls under way have {grace:g} seconds; Ctrl-C ends it at once")
