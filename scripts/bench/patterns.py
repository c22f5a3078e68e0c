"""The rows about patterns: what each of them costs at its smallest, next to plain code that makes the same calls.

The plain side knows beforehand how many calls there will be and in which order; the pattern finds out. What a pattern
costs more is in its model calls, which both sides make: they are what the guide "Which pattern?" is about.
"""

from collections.abc import Sequence
from functools import partial

from activities.errors import OstinatoError
from scripts.bench.floor import PlainCrew
from scripts.bench.harness import Batch, Harness, Notify, Sides, interleaved
from scripts.bench.histories import Whole, whole
from scripts.bench.pattern_plays import SHOWN, PatternPlay
from scripts.bench.rows import Row, compare, single


async def pattern_rows(harness: Harness, rounds: int, notify: Notify) -> list[Row]:
    """Every pattern, by the number of its model calls; and the most that one adds to the events of its calls."""
    rows: list[Row] = []
    added: list[int] = []
    for kind, shown in SHOWN.items():
        notify(f"the smallest {kind}, rounds: {rounds}")
        play = PatternPlay(kind)
        floor = await harness.floor_of_crew(play)
        sides = await interleaved(rounds, partial(harness.ours, play), partial(harness.theirs, play, floor))
        mine, theirs = [[whole(await harness.histories(batch)) for batch in side] for side in sides]
        rows += [*_calls(play, floor, sides[0][0]), *_rows(kind, sides, mine, theirs)]
        if not shown.managers:
            added.append(mine[0].own_events - theirs[0].own_events)
    # A timer for the deadlines of all steps is set and taken back, once more where a step has less time than those before.
    # Workflow tasks are left out: how many there are depends on which answers come together.
    label = f"events that a pattern adds to those of its calls, the most of {len(added)}"
    return [*rows, single((label, "events"), max(added), target="<= 4")]


def _calls(play: PatternPlay, floor: PlainCrew, batch: Batch) -> list[Row]:
    """How many there are, and how many of them nobody can do side by side: with a real model that is the time it takes."""
    calls = batch.results[0].usage.model_calls
    lines = [[sum(step.model for step in line) for line in lines] for lines in floor.phases]
    if calls != sum(map(sum, lines)):
        raise OstinatoError(f"the bench's {play.kind} makes {calls} model calls, and its plain side {lines}")
    return [
        single((f"model calls, {play.kind}", "calls"), calls),
        single((f"model calls one after the other, {play.kind}", "calls"), sum(map(max, lines))),
    ]


def _rows(kind: str, sides: Sides, mine: Sequence[Whole], theirs: Sequence[Whole]) -> list[Row]:
    ours, plain = sides
    return [
        compare(
            (f"history events, {kind}", "events"), [m.events for m in mine], [t.events for t in theirs], by="ratio"
        ),
        compare(
            (f"wall time, {kind}", "ms"),
            [1000 * batch.seconds for batch in ours],
            [1000 * batch.seconds for batch in plain],
            by="ratio",
        ),
    ]
