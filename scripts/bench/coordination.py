"""The rows about coordination: what a handoff adds, and how much of a run is not the workers' work, by their number.

A handoff is one subtask going out to a worker and its result coming back. Both sides make the same calls in the same
order: one that plans, two calls of a model and one of a tool for each worker side by side, one that writes, one that
reviews, one gate. So what is compared is the contract around the calls, not the calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scripts.bench.crews import WORKER, Crew
from scripts.bench.harness import Harness, Notify, interleaved
from scripts.bench.histories import Whole, whole
from scripts.bench.rows import Comparison, Label, Row, compare, single
from workflows.contracts import RunResult


@dataclass(frozen=True)
class _Measured:
    rows: list[Row]
    ours: list[Whole]
    plain: list[Whole]


async def coordination_rows(harness: Harness, workers: Sequence[int], rounds: int, notify: Notify) -> list[Row]:
    """Coordinated crews of each size, and what one worker more adds to the history."""
    measured = {count: await _measure(harness, count, rounds, notify) for count in workers}
    rows = [row for each in measured.values() for row in each.rows]
    few, many = min(workers), max(workers)
    if few == many:
        return rows
    between, small, large = f"{few} to {many} workers", measured[few], measured[many]

    def more(what: str, label: Label, by: Comparison) -> Row:
        # What every run has once (plan, synthesis, review, gate) falls out of the difference.
        ours, plain = (
            [(getattr(b, what) - getattr(a, what)) / (many - few) for a, b in zip(*pair, strict=True)]
            for pair in ((small.ours, large.ours), (small.plain, large.plain))
        )
        return compare(label, ours, plain, by=by)

    return [
        *rows,
        more("bytes_of_work", (f"history bytes per handoff, {between}", "bytes"), "difference"),
        more("events", (f"history events per handoff, {between}", "events"), "ratio"),
    ]


async def _measure(harness: Harness, count: int, rounds: int, notify: Notify) -> _Measured:
    called = f"{count} worker{'s' * (count > 1)}"
    notify(f"coordination of {called}, rounds: {rounds}")
    crew = Crew(workers=count, coordinated=True)
    floor = await harness.floor_of_crew(crew)
    ours, plain = await interleaved(rounds, lambda: harness.ours(crew), lambda: harness.theirs(crew, floor))
    wall = compare(
        (f"time per handoff, {called}", "ms"),
        [1000 * batch.seconds / count for batch in ours],
        [1000 * batch.seconds / count for batch in plain],
        by="difference",
    )
    return _Measured(
        rows=[wall, *_shares(called, ours[0].results[0])],
        ours=[whole(await harness.histories(batch)) for batch in ours],
        plain=[whole(await harness.histories(batch)) for batch in plain],
    )


def _shares(called: str, result: RunResult) -> list[Row]:
    """What everybody but the workers used. The same in every round: the model counts what it is told."""
    tokens, cost = _share(result, "tokens"), _share(result, "cost_usd")
    return [
        single((f"tokens that go into coordination, {called}", "%"), tokens),
        single((f"cost that goes into coordination, {called}", "%"), cost),
    ]


def _share(result: RunResult, what: Literal["tokens", "cost_usd"]) -> float:
    used: dict[str, float] = {
        usage.agent.partition("/")[2].partition("@")[0]: getattr(usage, what) for usage in result.agents
    }
    return 100 * (1 - used.get(WORKER, 0) / sum(used.values()))
