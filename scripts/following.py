"""Follows a run to its end: progress as it happens, and workers of this process where nobody serves the run any more."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import timedelta

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.people import HUMAN_TASK
from activities.errors import ConfigurationInvalid
from scripts.session import Session, check_keys, serve_here, unserved
from scripts.terminal import Output
from workers.following import follow
from workers.progress import Progress
from workers.runs import RECONNECT_SECONDS, RunHandle, read_result
from workflows.contracts import RunResult

WATCH_SECONDS = 1.0
"""Between two looks whether anybody serves the run, and whether the server answers."""
LOST_SECONDS = 3.0
"""A server that has not answered for so long is not just being restarted: a killed dev server is back within two."""
_SILENT = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}


class Follower:
    """Follows one run. Whatever it starts ends with ``stack``."""

    def __init__(
        self, session: Session, handle: RunHandle, output: Output, stack: AsyncExitStack, *, serves: bool
    ) -> None:
        self.serves = serves
        """Whether this process has workers for the run."""
        self._session = session
        self._handle = handle
        self._output = output
        self._stack = stack

    async def to_end(self, pools: list[str]) -> RunResult:
        """Wait for the end of a run that needs these pools; empty where it has ended.

        Raises:
            RPCError: the server is gone for good.
        """
        client = self._session.client
        reading = asyncio.create_task(self._report())
        watching = asyncio.create_task(until_unserved(client, [] if self.serves else pools))
        asking = asyncio.create_task(say_when_lost(client, self._output))
        try:
            while not reading.done():
                await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done() and not reading.done():
                    watching.result()
                    await self._take_over(pools)
                    watching = asyncio.create_task(until_unserved(client, []))
            reading.result()
        finally:
            reading.cancel()
            watching.cancel()
            asking.cancel()
            await asyncio.gather(reading, watching, asking, return_exceptions=True)
        return await read_result(self._handle, rpc_timeout=timedelta(seconds=60))

    async def _take_over(self, pools: list[str]) -> None:
        deployment = self._session.deployment
        try:
            check_keys(deployment.settings, pools)
        except ConfigurationInvalid as error:
            self._output.note(f"no worker serves this run any more, and this command cannot: {error}")
            self._output.note("it waits for one: start it with `ostinato up` or `ostinato worker`")
            return
        self._output.note("no worker serves this run any more: this command goes on with it")
        await serve_here(self._stack, deployment, pools)
        self.serves = True

    async def _report(self) -> None:
        async for progress in follow(self._session.client, self._handle.id, whole=False):
            if line := progress_line(progress):
                self._output.note(line)


async def until_unserved(client: Client, pools: list[str]) -> None:
    """End where pools are served by nobody at two looks in a row.

    Raises:
        RPCError: the server is gone for longer than ``RECONNECT_SECONDS``.
    """
    lost_since, misses = 0.0, 0
    while misses < 2:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            misses = misses + 1 if pools and await unserved(client, pools) else 0
        except RPCError:
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > RECONNECT_SECONDS:
                raise
            continue
        lost_since = 0.0


async def say_when_lost(client: Client, output: Output) -> None:
    """Say once that the server does not answer, where it is gone for longer than a restart takes."""
    since = 0.0
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            # The other calls are tried again by the SDK, for ten seconds each: they would say it late.
            await client.workflow_service.get_system_info(
                GetSystemInfoRequest(), retry=False, timeout=timedelta(seconds=LOST_SECONDS)
            )
        except RPCError as error:
            since = (since or time.monotonic()) if error.status in _SILENT else 0.0
        else:
            since = 0.0
        if since and time.monotonic() - since >= LOST_SECONDS:
            output.note(f"the Temporal server does not answer: waiting up to {RECONNECT_SECONDS:.0f} s for it")
            return


def progress_line(progress: Progress) -> str:
    """One thing that happened, for people who look on; empty where they need not know. Nested steps name their path."""
    if progress.kind == "workflow" and (progress.what != HUMAN_TASK or not progress.detail):
        return ""
    if progress.kind == "workflow":
        return f"{progress.path} {'waits for' if progress.state == 'started' else progress.state} {progress.detail}"
    what = f"{progress.path} {progress.what}" if "/" in progress.path else progress.what
    match progress.state:
        case "started":
            return f"{what} ..."
        case "retrying":
            return f"{what}: failed {progress.detail}; trying again"
        case "retried":
            return f"{what}: failed {progress.detail}; tried again"
        case "failed":
            return f"{what}: failed: {progress.detail}"
        case _ if progress.error:
            return f"{what}: {progress.told}: {' '.join(progress.said.split()) or progress.detail}"
        case _:
            return f"{what}: {progress.state}"
