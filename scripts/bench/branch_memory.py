"""The rows about the memory of a wide fan-out: so many branches, a few of them at a time, next to a gather with a semaphore.

Each side has a worker process of its own, which does everything. What is compared is the most memory that it ever had:
first with as many branches as are at work at once, then with all of them. Without a bound it would grow with these.
"""

import asyncio
import tempfile
from pathlib import Path

from activities.errors import OstinatoError
from scripts.bench.floor import PLAIN_WORKFLOWS, PlainCrew, PlainStep
from scripts.bench.harness import PHASE_SECONDS, Notify, bench_settings, plain_client
from scripts.bench.pattern_plays import Branches
from scripts.bench.processes import Served, peak_mb, served
from scripts.bench.rows import Row, compare
from scripts.bench.scripted import TEXT_BYTES
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import EXIT_PAUSE_SECONDS
from workers.runs import read_result, start_run
from workers.server import ServerInfo, dev_server
from workflows.contracts import RunStatus

DELAY_SECONDS = 0.1
"""Of a branch: long enough that as many as may be are at work at once."""


async def branch_memory_rows(count: int, at_once: int, notify: Notify) -> list[Row]:
    """Both sides, one after the other; none where this system does not tell what a process takes.

    Raises:
        OstinatoError: a run does not end well.
    """
    sides: list[tuple[float, float]] = []
    for role in ("branches", "plain-branches"):
        notify(f"memory of {count} branches, {at_once} at a time, {'ours' if role == 'branches' else 'plain'}")
        with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
            async with dev_server(Path(folder)) as server:
                peaks = await _peaks(role, server, Path(folder), (at_once, count))
                await asyncio.sleep(EXIT_PAUSE_SECONDS)
        if peaks is None:
            notify("this system does not tell the most that a process took: no rows about branches")
            return []
        sides.append(peaks)
    (few, many), (plain_few, plain_many) = sides
    called = f"{count} branches, {at_once} at a time"
    return [
        compare((f"worker process at its largest, {called}", "MB"), [many], [plain_many], by="difference"),
        compare((f"the same against {at_once} branches", "x"), [many / few], [plain_many / plain_few], by="ratio"),
        compare(
            (f"memory for each branch beyond the first {at_once}", "kB"),
            [1000 * (many - few) / (count - at_once)],
            [1000 * (plain_many - plain_few) / (count - at_once)],
            by="difference",
        ),
    ]


async def _peaks(role: str, server: ServerInfo, home: Path, counts: tuple[int, int]) -> tuple[float, float] | None:
    async with served(role, server, home, str(DELAY_SECONDS)) as worker:
        run = _plain if role == "plain-branches" else _ours
        # What a process needs once, however many branches there are, is there after the first two.
        for number in range(2):
            await run(server, home, counts[0], counts[0], f"bench-{number}")
        few = await _peak(worker)
        await run(server, home, counts[1], counts[0], "bench-2")
        many = await _peak(worker)
    return None if few is None or many is None else (few, many)


async def _ours(server: ServerInfo, home: Path, count: int, at_once: int, run_id: str) -> None:
    deployment = await Deployment.connect(bench_settings(home), address=server.address)
    play = Branches(count, at_once)
    run = await admit(deployment, play.team(), RunOrder(goal=play.goal, run_id=run_id, provider="offline"))
    async with asyncio.timeout(PHASE_SECONDS):
        result = await read_result(await start_run(deployment.client, run))
    if result.status is not RunStatus.COMPLETE:
        raise OstinatoError(f"a fan-out of {count} did not end well: {result.failure and result.failure.message}")


async def _plain(server: ServerInfo, home: Path, count: int, at_once: int, run_id: str) -> None:
    del home
    sends = len(Branches(count, at_once).goal)
    crew = PlainCrew([[[PlainStep(model=True, sends=sends, returns=TEXT_BYTES)] for _ in range(count)]], at_once)
    async with asyncio.timeout(PHASE_SECONDS):
        client = await plain_client(server.address)
        await client.execute_workflow("plain-crew", crew, id=run_id, task_queue=PLAIN_WORKFLOWS, result_type=int)


async def _peak(worker: Served) -> float | None:
    return await peak_mb(worker.pid)
