"""The command ``ostinato bench``: ours and plain Temporal, side by side in one run on a server of its own."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from scripts.bench import steps
from scripts.bench.branch_memory import branch_memory_rows
from scripts.bench.coordination import coordination_rows
from scripts.bench.fan_out import fan_out_rows
from scripts.bench.growth import LEAST_TURNS, growth_rows
from scripts.bench.harness import Harness, Notify, bench_workers
from scripts.bench.long_agent import long_agent_rows
from scripts.bench.machine import describe_machine
from scripts.bench.memory import memory_rows
from scripts.bench.nesting import nesting_rows
from scripts.bench.patterns import pattern_rows
from scripts.bench.recovery import recovery_rows
from scripts.bench.report import Report, show
from scripts.bench.rows import Row
from scripts.bench.sizes import FULL, QUICK, SECTIONS, Section, Sizes, Told, sizes_of
from workers.pools import EXIT_PAUSE_SECONDS
from workers.server import dev_server

NOTHING_TOLD = Told()
Measure = Callable[[Harness, Sizes, Notify], Awaitable[list[Row]]]

SIDE_BY_SIDE: dict[Section, Measure] = {
    "history": lambda on, sizes, notify: steps.history_rows(on, sizes.turns, notify),
    "latency": lambda on, sizes, notify: steps.latency_rows(on, sizes.turns, sizes.rounds, notify),
    "throughput": lambda on, sizes, notify: steps.throughput_rows(
        on, max(LEAST_TURNS, sizes.turns // 3), sizes.rounds, sizes.runs, notify
    ),
    "slow-model": lambda on, sizes, notify: steps.slow_model_rows(on, LEAST_TURNS, sizes.rounds, notify),
    "patterns": lambda on, sizes, notify: pattern_rows(on, sizes.rounds, notify),
    "nesting": lambda on, sizes, notify: nesting_rows(on, sizes.depth, sizes.rounds, notify),
    "fan-out": lambda on, sizes, notify: fan_out_rows(
        on, sizes.fan_out, (sizes.branches, sizes.at_once), sizes.rounds, notify
    ),
    "coordination": lambda on, sizes, notify: coordination_rows(on, sizes.agents, sizes.rounds, notify),
    "growth": lambda on, sizes, notify: growth_rows(on, sizes.growth_turns, notify),
    "long-agent": lambda on, sizes, notify: long_agent_rows(on, sizes.long_turns, notify),
}
"""What is measured with workers of both kinds in this process. The other sections have processes of their own."""


async def bench(
    told: Annotated[Told, Parameter(name="*")] = NOTHING_TOLD,
    *,
    only: Annotated[tuple[Section, ...], Parameter(negative="")] = (),
    quick: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Measure what durability costs next to plain Temporal (5 to 6 minutes, on throw-away servers).

    Args:
        told: numbers in place of the default ones.
        only: this section alone; may be given several times.
        quick: less of everything, in a minute; its times scatter.
        json: print one object instead of the table.

    Raises:
        ConfigurationInvalid: a number out of bounds, or no Temporal server can be started.
    """
    sizes = sizes_of(QUICK if quick else FULL, told)
    errors = Console(stderr=True, highlight=False)
    started = time.monotonic()

    def notify(what: str) -> None:
        errors.print(f"bench: {time.monotonic() - started:4.0f} s  {what}", style="dim", soft_wrap=True)

    show(await measure(sizes, notify, only or SECTIONS), json=json)
    return 0


async def measure(sizes: Sizes, notify: Notify, only: tuple[Section, ...] = SECTIONS) -> Report:
    """Start servers, make the comparisons in their fixed order, stop the servers.

    Raises:
        ConfigurationInvalid: no Temporal server can be started.
        OstinatoError: a run did not end as it has to: then its figures would mean nothing.
    """
    started = time.monotonic()
    rows: list[Row] = []
    # The server ends a moment after its last user and may still be writing when the folder goes.
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        async with dev_server(home, notify=notify) as server:
            if wanted := {name: section for name, section in SIDE_BY_SIDE.items() if name in only}:
                async with bench_workers(server, home) as harness:
                    for name, section in wanted.items():
                        rows += _grouped(name, await section(harness, sizes, notify))
            await asyncio.sleep(EXIT_PAUSE_SECONDS)
        machine = await describe_machine(server.version)
    if "memory" in only:
        rows += _grouped("memory", await memory_rows(sizes.waiting, notify))
        rows += _grouped("memory", await branch_memory_rows(sizes.branches, sizes.at_once, notify))
    if "recovery" in only:
        rows += _grouped("recovery", await recovery_rows(sizes.kills, notify))
    return Report(
        measured_on=machine,
        sizes=sizes,
        seconds=round(time.monotonic() - started, 1),
        all_met=all(row.met is not False for row in rows),
        rows=tuple(rows),
    )


def _grouped(name: Section, rows: list[Row]) -> list[Row]:
    return [row.model_copy(update={"group": name}) for row in rows]
