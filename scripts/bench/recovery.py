"""The rows about a death: two worker processes, SIGKILL for the one that holds a model call, and a clock."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from activities.errors import OstinatoError
from scripts.bench.harness import Notify, bench_settings
from scripts.bench.processes import Served, served
from scripts.bench.rows import Row, repeated
from scripts.bench.scripted import Shape
from scripts.bench.served import CALLING, SLOW_TURNS
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import EXIT_PAUSE_SECONDS
from workers.runs import read_result, start_run
from workers.server import dev_server
from workflows.contracts import RunStatus

DELAY_SECONDS = 1.0
GIVE_UP_SECONDS = 60.0
"""The promise is 4 s: a run that has not gone on after this one is stuck, and that is no row but an error."""


@dataclass(frozen=True)
class _Recovery:
    """Seconds from the kill on."""

    next_attempt: float
    answer: float


async def recovery_rows(tries: int, notify: Notify) -> list[Row]:
    """As often as asked, each time with a fresh pair of processes.

    Raises:
        OstinatoError: a run does not go on, or does not end well.
    """
    found: list[_Recovery] = []
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        async with dev_server(home) as server:
            deployment = await Deployment.connect(bench_settings(home), address=server.address)
            for number in range(tries):
                notify(f"SIGKILL of a worker process, try {number + 1} of {tries}")
                async with AsyncExitStack() as stack:
                    starting = [
                        stack.enter_async_context(served("all", server, home, str(DELAY_SECONDS))) for _ in "ab"
                    ]
                    workers = await asyncio.gather(*starting)
                    found.append(await _kill_one(deployment, workers, f"bench-{number}"))
            await asyncio.sleep(EXIT_PAUSE_SECONDS)
    after = "after the SIGKILL of one worker of two"
    return [
        repeated((f"next attempt under way, {after}", "s"), [each.next_attempt for each in found], target="<= 4"),
        repeated(
            (f"whole run, {after}, {SLOW_TURNS} model calls of {DELAY_SECONDS:g} s", "s"),
            [each.answer for each in found],
        ),
    ]


async def _kill_one(deployment: Deployment, workers: Sequence[Served], run_id: str) -> _Recovery:
    order = RunOrder(goal="Live on.", run_id=run_id, provider="offline")
    shape = Shape(turns=SLOW_TURNS)
    handle = await start_run(deployment.client, await admit(deployment, shape.team(), order))
    victim = await _next_caller(workers)
    killed = time.monotonic()
    await victim.kill()
    await _next_caller([worker for worker in workers if worker is not victim])
    going_on = time.monotonic() - killed
    async with asyncio.timeout(GIVE_UP_SECONDS):
        result = await read_result(handle)
    if result.status is not RunStatus.COMPLETE:
        raise OstinatoError(f"the run did not survive its worker: {result.failure and result.failure.message}")
    return _Recovery(going_on, time.monotonic() - killed)


async def _next_caller(workers: Sequence[Served]) -> Served:
    """The first process whose model is asked."""
    tasks = {asyncio.create_task(worker.line(GIVE_UP_SECONDS)): worker for worker in workers}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(TimeoutError):
                if task.result() == CALLING:
                    return tasks[task]
        raise OstinatoError(f"no worker has taken the call up within {GIVE_UP_SECONDS:g} s")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
