"""The rows about many at once: a supervisor's fan-out next to ``asyncio.gather`` over as many plain activities."""

from collections.abc import Sequence

from scripts.bench.crews import Crew
from scripts.bench.harness import Harness, Notify, interleaved
from scripts.bench.histories import whole
from scripts.bench.rows import Row, compare


async def fan_out_rows(harness: Harness, workers: Sequence[int], rounds: int, notify: Notify) -> list[Row]:
    """Bare crews of each size: their workers inside the supervisor's workflow, and as workflows of their own."""
    rows: list[Row] = []
    for children in (False, True):
        for count in workers:
            rows += await _rows(harness, Crew(workers=count, children=children), rounds, notify)
    return rows


async def _rows(harness: Harness, crew: Crew, rounds: int, notify: Notify) -> list[Row]:
    count = crew.workers
    called = f"{count} worker{'s' * (count > 1)}"
    if crew.children:
        called += " as children" if count > 1 else " as a child"
    notify(f"fan-out to {called}, rounds: {rounds}")
    floor = await harness.floor_of_crew(crew)
    ours, plain = await interleaved(rounds, lambda: harness.ours(crew), lambda: harness.theirs(crew, floor))
    mine = [whole(await harness.histories(batch)) for batch in ours]
    theirs = [whole(await harness.histories(batch)) for batch in plain]
    return [
        compare(
            (f"wall time, {called}", "ms"),
            [1000 * batch.seconds for batch in ours],
            [1000 * batch.seconds for batch in plain],
            by="ratio",
        ),
        compare(
            (f"history events, {called}", "events"), [m.events for m in mine], [t.events for t in theirs], by="ratio"
        ),
        compare(
            (f"history bytes per worker, {called}", "bytes"),
            [m.bytes_of_work / count for m in mine],
            [t.bytes_of_work / count for t in theirs],
            by="difference",
        ),
    ]
