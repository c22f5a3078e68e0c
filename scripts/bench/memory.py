"""The rows about waiting: what runs that wait for an answer take of a worker's memory, and of the server's.

Each side has a server and a worker process of its own, which serves workflows and no calls: every run does its first
workflow task, schedules a model call, and waits. The worker keeps as many of them in memory as its cache holds
(``OSTINATO_WORKFLOW_CACHE``, 500); the others are dropped, and replayed from their history when their answer comes.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

from activities.errors import OstinatoError
from scripts.bench.floor import PLAIN_WORKFLOWS, PlainStep, PlainWorkflow
from scripts.bench.harness import Notify, bench_settings, plain_client
from scripts.bench.processes import Served, resident_mb, served
from scripts.bench.rows import Row, compare
from scripts.bench.scripted import TEXT_BYTES, Shape
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import EXIT_PAUSE_SECONDS
from workers.runs import start_run
from workers.server import ServerInfo, dev_server
from workers.server_state import Folder

WARM_UP_RUNS = 20
AT_ONCE = 50
"""Starts, or questions to the server, under way at once."""
WAITING_SECONDS = 120.0
"""A thousand runs are waiting after some 10 s on two cores."""

Start = Callable[[int], Awaitable[WorkflowHandle[Any, Any]]]


@dataclass(frozen=True)
class _Weights:
    """Megabytes, before and after."""

    worker: tuple[float, float]
    server: tuple[float, float]
    cached: tuple[float, int]
    """What the worker has gained while its cache filled, and with how many runs."""


async def memory_rows(runs: int, notify: Notify) -> list[Row]:
    """Both sides, one after the other; none where this system does not tell what a process takes."""
    sides: list[_Weights] = []
    for role in ("waiting", "plain"):
        side = "ours" if role == "waiting" else "plain"
        notify(f"memory of {runs:,} waiting runs, {side}")
        with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
            async with dev_server(Path(folder)) as server:
                weights = await _weigh(role, server, Path(folder), runs)
                await asyncio.sleep(EXIT_PAUSE_SECONDS)
        if weights is None:
            notify("this system does not tell what a process takes: no rows about memory")
            return []
        sides.append(weights)
    ours, plain = sides
    cache = bench_settings(Path(folder)).workflow_cache

    def row(what: str, unit: str, mine: float, theirs: float) -> Row:
        return compare((what, unit), [mine], [theirs], by="difference")

    return [
        row("worker process before, idle", "MB", ours.worker[0], plain.worker[0]),
        row(f"worker process, {runs:,} waiting runs, cache of {cache}", "MB", _gain(ours.worker), _gain(plain.worker)),
        row("the same for each run in its cache", "kB", _each(ours.cached), _each(plain.cached)),
        row(f"server process, {runs:,} waiting runs", "MB", _gain(ours.server), _gain(plain.server)),
    ]


async def _weigh(role: str, server: ServerInfo, home: Path, runs: int) -> _Weights | None:
    state = Folder(home / "server").live()
    if state is None:
        raise OstinatoError("the bench's server has ended")
    start = await (_ours if role == "waiting" else _plain)(server, home)
    numbers = itertools.count()
    async with served(role, server, home) as worker:
        await _wait_all(await _started(start, itertools.islice(numbers, WARM_UP_RUNS)))
        before = await _pair(worker, state.server_pid)
        if before is None:
            return None
        # The cache holds the runs of the warm-up too.
        cached = min(runs, bench_settings(home).workflow_cache - WARM_UP_RUNS)
        await _wait_all(await _started(start, itertools.islice(numbers, cached)))
        full = await _pair(worker, state.server_pid)
        await _wait_all(await _started(start, itertools.islice(numbers, runs - cached)))
        after = await _pair(worker, state.server_pid)
    if full is None or after is None:
        raise OstinatoError("the server or the worker has ended while runs were waiting")
    return _Weights((before[0], after[0]), (before[1], after[1]), (full[0] - before[0], cached))


async def _ours(server: ServerInfo, home: Path) -> Start:
    deployment = await Deployment.connect(bench_settings(home), address=server.address)
    order = RunOrder(goal="x" * TEXT_BYTES, run_id="bench", provider="offline")
    run = await admit(deployment, Shape(turns=2).team(), order)

    async def start(number: int) -> WorkflowHandle[Any, Any]:
        # Admitted once for all: nobody serves the call that would read what admission uploads.
        return await start_run(deployment.client, run.model_copy(update={"scope_id": f"bench-{number:06}"}))

    return start


async def _plain(server: ServerInfo, home: Path) -> Start:
    del home
    client = await plain_client(server.address)
    steps = [PlainStep(model=True, sends=TEXT_BYTES, returns=TEXT_BYTES)]

    async def start(number: int) -> WorkflowHandle[Any, Any]:
        return await client.start_workflow(
            PlainWorkflow.run, steps, id=f"bench-{number:06}", task_queue=PLAIN_WORKFLOWS
        )

    return start


async def _started(start: Start, numbers: Iterable[int]) -> list[WorkflowHandle[Any, Any]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> WorkflowHandle[Any, Any]:
        async with gate:
            return await start(number)

    async with asyncio.timeout(WAITING_SECONDS):
        return list(await asyncio.gather(*(one(number) for number in numbers)))


async def _wait_all(handles: Sequence[WorkflowHandle[Any, Any]]) -> None:
    """Until every run waits for its call."""
    gate, deadline = asyncio.Semaphore(AT_ONCE), time.monotonic() + WAITING_SECONDS

    async def one(handle: WorkflowHandle[Any, Any]) -> None:
        while time.monotonic() < deadline:
            async with gate:
                description = await handle.describe()
            if description.raw_description.pending_activities:
                return
            await asyncio.sleep(0.2)
        raise OstinatoError(f"the run {handle.id!r} does not get to its first call")

    await asyncio.gather(*(one(handle) for handle in handles))


async def _pair(worker: Served, server_pid: int) -> tuple[float, float] | None:
    ours, servers = await resident_mb(worker.pid), await resident_mb(server_pid)
    return None if ours is None or servers is None else (ours, servers)


def _gain(pair: tuple[float, float]) -> float:
    return pair[1] - pair[0]


def _each(cached: tuple[float, int]) -> float:
    return 1000 * cached[0] / cached[1]
