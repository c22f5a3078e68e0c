"""The rows about many at once: fan-outs and supervisors next to ``asyncio.gather`` over as many plain activities."""

from collections.abc import Sequence

from scripts.bench.crews import Crew
from scripts.bench.harness import Harness, Notify, interleaved
from scripts.bench.histories import whole
from scripts.bench.pattern_plays import Branches
from scripts.bench.rows import Row, compare


async def fan_out_rows(
    harness: Harness, counts: Sequence[int], many: tuple[int, int], rounds: int, notify: Notify
) -> list[Row]:
    """Of each size: the branches of a fan-out, a supervisor's workers, and these as workflows of their own.

    Args:
        harness: both sides.
        counts: how many, all of them at once.
        many: how many branches of a last fan-out, and how many of them at a time.
        rounds: how often each is run.
        notify: says what is being measured.
    """
    rows: list[Row] = []
    for count in counts:
        rows += await _rows(harness, Branches(count, count), _called("branch", count), rounds, notify)
    count, at_once = many
    called = f"{_called('branch', count)}, {at_once} at a time"
    rows += await _rows(harness, Branches(count, at_once), called, min(2, rounds), notify)
    for count in counts:
        rows += await _rows(harness, Crew(count), _called("worker", count), rounds, notify)
    for count in counts:
        called = f"{_called('worker', count)} as {'children' if count > 1 else 'a child'}"
        rows += await _rows(harness, Crew(count, children=True), called, rounds, notify)
    return rows


def _called(what: str, count: int) -> str:
    return f"{count} {what}{'' if count == 1 else 'es' if what.endswith('h') else 's'}"


async def _rows(harness: Harness, play: Branches | Crew, called: str, rounds: int, notify: Notify) -> list[Row]:
    notify(f"fan-out to {called}, rounds: {rounds}")
    floor = await harness.floor_of_crew(play)
    ours, plain = await interleaved(rounds, lambda: harness.ours(play), lambda: harness.theirs(play, floor))
    mine = [whole(await harness.histories(batch)) for batch in ours]
    theirs = [whole(await harness.histories(batch)) for batch in plain]
    each, count = ("branch", play.count) if isinstance(play, Branches) else ("worker", play.workers)
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
            (f"the same without workflow tasks, {called}", "events"),
            [m.own_events for m in mine],
            [t.own_events for t in theirs],
            by="difference",
            # One timer for the deadlines of all, set and taken back.
            target="" if mine[0].children else "<= 2",
        ),
        compare(
            (f"history bytes per {each}, {called}", "bytes"),
            [m.bytes_of_work / count for m in mine],
            [t.bytes_of_work / count for t in theirs],
            by="difference",
        ),
    ]
