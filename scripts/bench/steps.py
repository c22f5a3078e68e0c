"""The rows about one step: events, bytes, milliseconds, throughput, next to the floor and interleaved with it."""

from scripts.bench.harness import Harness, Notify, Sides, interleaved
from scripts.bench.histories import StepCost, step_cost
from scripts.bench.payload import saved_by_reference
from scripts.bench.rows import Row, compare, percentile, pooled
from scripts.bench.scripted import Shape

MOST_CORRECTIONS = 20
SLOW_MODEL_SECONDS = 0.3
LATENCY_TURNS = 10
LATENCY_PAIRS = 3
"""Pairs of runs for each round."""


async def history_rows(harness: Harness, turns: int, notify: Notify) -> list[Row]:
    """What a step adds to history. Two rounds, to show that nothing random is in it."""
    notify(f"history of one run, {turns} turns")
    shape = Shape(turns=turns)
    floor = await harness.floor_of(shape)
    ours, plain = await _costs(harness, shape, 2)
    saved = saved_by_reference(floor) / len(floor)
    no_tools = Shape(turns=min(turns, MOST_CORRECTIONS), tools=False)
    alone, bare = await _costs(harness, no_tools, 2)
    return [
        _events("history events per step, model and tool in turn", ours, plain),
        _bytes("extra history bytes per step, model and tool in turn", ours, plain),
        _bytes("the same, had the floor sent tool results on by reference", ours, plain, saved=saved, target=""),
        _events("history events per step, model only", alone, bare),
        _bytes("extra history bytes per step, model only", alone, bare),
    ]


async def latency_rows(harness: Harness, turns: int, rounds: int, notify: Notify) -> list[Row]:
    """What a step adds to the clock, one run at a time. The runs are short, so that the sides alternate often."""
    turns, pairs = min(turns, LATENCY_TURNS), rounds * LATENCY_PAIRS
    notify(f"one run at a time, {turns} turns, pairs: {pairs}")
    ours, plain = await _costs(harness, Shape(turns=turns), pairs)
    mine, theirs = _by_round(ours), _by_round(plain)
    return [
        compare(
            ("p50 per step, one run at a time", "ms"),
            [cost.p50_ms for cost in ours],
            [cost.p50_ms for cost in plain],
            by="difference",
            target="<= 2",
        ),
        # Of all steps of all rounds: one round has too few of them for its 99th percentile to mean anything.
        pooled(
            (f"p99 per step, one run at a time, {sum(map(len, mine))} steps", "ms"),
            (percentile(sum(mine, ()), 99), percentile(sum(theirs, ()), 99)),
            [percentile(a, 99) - percentile(b, 99) for a, b in zip(mine, theirs, strict=True)],
        ),
    ]


async def throughput_rows(harness: Harness, turns: int, rounds: int, runs: int, notify: Notify) -> list[Row]:
    """Many runs at once, as fast as the machine can."""
    notify(f"{runs} runs at once, {turns} turns, rounds: {rounds}")
    shape = Shape(turns=turns)
    total = shape.steps * runs
    ours, plain = await _sides(harness, shape, rounds, runs)
    return [
        compare(
            (f"steps per second, {runs} runs at once", "1/s"),
            [total / batch.seconds for batch in ours],
            [total / batch.seconds for batch in plain],
            by="ratio",
            target=">= 0.85",
        ),
        compare(
            ("CPU per step of the worker process", "ms"),
            [1000 * batch.cpu_seconds / total for batch in ours],
            [1000 * batch.cpu_seconds / total for batch in plain],
            by="difference",
        ),
    ]


async def slow_model_rows(harness: Harness, turns: int, rounds: int, notify: Notify) -> list[Row]:
    """The time that people see, with a model of ordinary speed."""
    notify(f"a model that takes {SLOW_MODEL_SECONDS * 1000:.0f} ms, {turns} turns, rounds: {rounds}")
    shape = Shape(turns=turns, delay_seconds=SLOW_MODEL_SECONDS)
    ours, plain = await _sides(harness, shape, rounds, 1)
    return [
        compare(
            (f"wall time, a model that takes {SLOW_MODEL_SECONDS * 1000:.0f} ms", "s"),
            [batch.seconds for batch in ours],
            [batch.seconds for batch in plain],
            by="ratio",
            target="<= 1.02",
        )
    ]


async def _costs(harness: Harness, shape: Shape, rounds: int) -> tuple[list[StepCost], list[StepCost]]:
    ours, plain = await _sides(harness, shape, rounds, 1)
    return (
        [step_cost(await harness.history(batch)) for batch in ours],
        [step_cost(await harness.history(batch)) for batch in plain],
    )


async def _sides(harness: Harness, shape: Shape, rounds: int, runs: int) -> Sides:
    floor = await harness.floor_of(shape)
    return await interleaved(rounds, lambda: harness.ours(shape, runs), lambda: harness.theirs(shape, floor, runs))


def _by_round(costs: list[StepCost]) -> list[tuple[float, ...]]:
    """All times of each round's runs."""
    return [
        sum((cost.each_ms for cost in costs[start : start + LATENCY_PAIRS]), ())
        for start in range(0, len(costs), LATENCY_PAIRS)
    ]


def _events(name: str, ours: list[StepCost], plain: list[StepCost]) -> Row:
    return compare((name, "events"), [c.events for c in ours], [c.events for c in plain], by="ratio", target="= 1")


def _bytes(
    name: str, ours: list[StepCost], plain: list[StepCost], *, saved: float = 0.0, target: str = "<= 400"
) -> Row:
    return compare(
        (name, "bytes"), [c.bytes for c in ours], [c.bytes - saved for c in plain], by="difference", target=target
    )
