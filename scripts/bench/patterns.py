"""The rows about patterns: what each of them costs at its smallest, next to plain code that makes the same calls.

The plain side knows beforehand how many calls there will be and in which order; the pattern finds out. What a pattern
costs more is in its model calls, which both sides make: they are what the guide "Which pattern?" is about.
"""

from collections.abc import Sequence

from activities.errors import OstinatoError
from scripts.bench.harness import Batch, Harness, Notify, interleaved
from scripts.bench.histories import Whole, whole
from scripts.bench.pattern_plays import SHOWN, PatternPlay
from scripts.bench.rows import Row, compare, single


async def pattern_rows(harness: Harness, rounds: int, notify: Notify) -> list[Row]:
    """Every pattern, from the cheapest on."""
    rows: list[Row] = []
    for kind in SHOWN:
        notify(f"the smallest {kind}, rounds: {rounds}")
        rows += await _rows(harness, PatternPlay(kind), rounds)
    return rows


async def _rows(harness: Harness, play: PatternPlay, rounds: int) -> list[Row]:
    floor = await harness.floor_of_crew(play)
    ours, plain = await interleaved(rounds, lambda: harness.ours(play), lambda: harness.theirs(play, floor))
    mine, theirs = await _wholes(harness, ours), await _wholes(harness, plain)
    calls = ours[0].results[0].usage.model_calls
    planned = sum(step.model for lines in floor.phases for line in lines for step in line)
    if calls != planned:
        raise OstinatoError(f"the bench's {play.kind} makes {calls} model calls, and its plain side {planned}")
    return [
        single((f"model calls, {play.kind}", "calls"), calls),
        compare(
            (f"history events, {play.kind}", "events"), [m.events for m in mine], [t.events for t in theirs], by="ratio"
        ),
        compare(
            (f"wall time, {play.kind}", "ms"),
            [1000 * batch.seconds for batch in ours],
            [1000 * batch.seconds for batch in plain],
            by="ratio",
        ),
    ]


async def _wholes(harness: Harness, batches: Sequence[Batch]) -> list[Whole]:
    return [whole(await harness.histories(batch)) for batch in batches]
