"""The command ``ostinato bench``: ours and plain Temporal, side by side in one run on a server of its own."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from activities.errors import ConfigurationInvalid
from scripts.bench.growth import LEAST_TURNS, growth_rows
from scripts.bench.harness import bench_workers
from scripts.bench.machine import describe_machine
from scripts.bench.report import Report, show
from scripts.bench.rows import Row
from scripts.bench.steps import Notify, history_rows, latency_row, slow_model_row, throughput_rows
from workers.pools import EXIT_PAUSE_SECONDS
from workers.server import dev_server

BOUNDS = {"turns": (LEAST_TURNS, 300), "rounds": (1, 50), "runs": (1, 200), "growth_turns": (LEAST_TURNS, 300)}


async def bench(
    *,
    turns: int = 30,
    rounds: int = 5,
    runs: int = 20,
    growth_turns: int = 50,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Measure what a durable step costs next to plain Temporal (about 2 minutes, on a throw-away server).

    Args:
        turns: model calls of one sequential run; each but the last is followed by a tool call.
        rounds: how often each comparison is made; medians and their spread are shown.
        runs: how many runs are under way at once where throughput is measured.
        growth_turns: length of the conversations whose growth is measured.
        json: print one object instead of the table.

    Raises:
        ConfigurationInvalid: a number out of bounds, or no Temporal server can be started.
    """
    given = {"turns": turns, "rounds": rounds, "runs": runs, "growth_turns": growth_turns}
    for name, (least, most) in BOUNDS.items():
        if not least <= given[name] <= most:
            raise ConfigurationInvalid(
                f"{name} is {given[name]}", fix=f"give --{name.replace('_', '-')} from {least} to {most}"
            )
    errors = Console(stderr=True, highlight=False)
    report = await measure(given, lambda what: errors.print(f"bench: {what}", style="dim", soft_wrap=True))
    show(report, json=json)
    return 0


async def measure(sizes: dict[str, int], notify: Notify) -> Report:
    """Start a server, run every comparison, stop the server.

    Raises:
        ConfigurationInvalid: no Temporal server can be started.
    """
    turns, rounds, runs = sizes["turns"], sizes["rounds"], sizes["runs"]
    started = time.monotonic()
    rows: list[Row] = []
    # The server ends a moment after its last user and may still be writing when the folder goes.
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        async with dev_server(home, notify=notify) as server:
            async with bench_workers(server, home) as harness:
                rows += await history_rows(harness, turns, notify)
                rows.append(await latency_row(harness, turns, rounds, notify))
                rows += await throughput_rows(harness, max(LEAST_TURNS, turns // 3), rounds, runs, notify)
                rows.append(await slow_model_row(harness, LEAST_TURNS, rounds, notify))
                rows += await growth_rows(harness, sizes["growth_turns"], notify)
            await asyncio.sleep(EXIT_PAUSE_SECONDS)
        machine = await describe_machine(server.version)
    return Report(
        measured_on=machine,
        turns=turns,
        rounds=rounds,
        runs=runs,
        seconds=round(time.monotonic() - started, 1),
        all_met=all(row.met is not False for row in rows),
        rows=tuple(rows),
    )
