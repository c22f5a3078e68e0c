"""Follows a run to its end: progress as it happens, and workers of this process where nobody serves the run any more."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import timedelta

from temporalio.service import RPCError

from activities.errors import ConfigurationInvalid
from scripts.session import Session, check_keys, serve_here, unserved
from scripts.terminal import Output
from workers.runs import RECONNECT_SECONDS, Progress, RunHandle, follow, read_result
from workflows.contracts import RunResult

WATCH_SECONDS = 1.0
"""Between two looks at what the history does not tell: attempts that fail, workers that are gone."""
_RPC = timedelta(seconds=5)


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
        self._told: set[str] = set()

    async def to_end(self, pools: list[str]) -> RunResult:
        """Wait for the end of a run that needs these pools; empty where it has ended.

        Raises:
            RPCError: the server is gone for good.
        """
        reading = asyncio.create_task(self._report())
        watching = asyncio.create_task(self._watch([] if self.serves else pools))
        try:
            while not reading.done():
                await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done() and not reading.done():
                    watching.result()
                    await self._take_over(pools)
                    watching = asyncio.create_task(self._watch([]))
            reading.result()
        finally:
            reading.cancel()
            watching.cancel()
            await asyncio.gather(reading, watching, return_exceptions=True)
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
        async for progress in follow(self._handle):
            self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        match progress.state:
            case "started":
                self._output.note(f"{progress.what} ...")
            case "retried" if progress.detail in self._told:
                pass
            case "retried":
                self._output.note(f"{progress.what}: failed {progress.detail}; tried again")
            case "failed":
                self._output.note(f"{progress.what}: failed: {progress.detail}")
            case _:
                self._output.note(f"{progress.what}: {progress.state}")

    async def _watch(self, pools: list[str]) -> None:
        """Tell of failing attempts; end where the pools are served by nobody at two looks in a row."""
        lost_since, misses = 0.0, 0
        while misses < 2:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                description = await self._handle.describe(rpc_timeout=_RPC)
                misses = misses + 1 if pools and await unserved(self._session.client, pools) else 0
            except RPCError:
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > RECONNECT_SECONDS:
                    raise
                continue
            lost_since = 0.0
            for call in description.raw_description.pending_activities:
                detail = f"attempt {call.attempt - 1}: {call.last_failure.message}"
                if call.attempt > 1 and detail not in self._told:
                    self._told.add(detail)
                    self._output.note(f"{call.activity_type.name}: failed {detail}; trying again")
