"""The rows about nesting: what a pattern costs that stands in another one, next to a plain child workflow.

The same two calls are made at every depth: in a pipeline, in a pipeline that is the only stage of another, and so on.
"""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from activities.providers.base import ProviderAnswer, ProviderCall
from scripts.bench.harness import Batch, Harness, Notify
from scripts.bench.histories import Whole, whole
from scripts.bench.pattern_plays import SHOWN, SINGLE, WORKER, Node, PatternPlay, in_role, team_of
from scripts.bench.rows import Row, compare, pooled, single
from scripts.bench.scripted import TEXT_BYTES
from scripts.bench.steps import LATENCY_PAIRS
from scripts.bench.tools import make_text
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec


@dataclass(frozen=True)
class Nest:
    """Two steps, so many patterns deep."""

    depth: int
    delay_seconds: float = 0.0
    provider: str = "offline"
    at_once: int = 0

    @property
    def goal(self) -> str:
        """A short one."""
        return make_text("goal", TEXT_BYTES)

    @property
    def phases(self) -> Sequence[str]:
        """The two steps."""
        return (".*a$", ".*b$")

    def called(self, output: JsonValue) -> tuple[JsonValue, JsonValue]:
        """There is no call."""
        return None, output

    def team(self) -> TeamSpec:
        """Pipelines in each other; names are of one length at every depth."""
        stages: list[Node] = [{"kind": "agent", "agent": WORKER, "key": key} for key in "ab"]
        node: Node = {"kind": "pipeline", "name": f"p{self.depth}", "stages": stages}
        for level in reversed(range(self.depth)):
            node = {"kind": "pipeline", "name": f"p{level}", "stages": [node]}
        return team_of(node)

    def answer(self, call: ProviderCall) -> ProviderAnswer:
        """What the worker says."""
        return in_role(call)


async def nesting_rows(harness: Harness, depth: int, rounds: int, notify: Notify) -> list[Row]:
    """What a level adds, and how many child workflows nested patterns come to."""
    notify(f"the same calls at depths 0 and {depth}, rounds: {rounds}")
    return [*await _levels(harness, depth, rounds), *await _children(harness, notify)]


@dataclass
class _Side:
    """Runs of one side at one depth."""

    run: Callable[[], Awaitable[Batch]]
    seconds: list[float] = field(default_factory=list)
    wholes: list[Whole] = field(default_factory=list)


async def _levels(harness: Harness, depth: int, rounds: int) -> list[Row]:
    floor = await harness.floor_of_crew(Nest(0))
    deep_floor = replace(floor, depth=depth)
    flat, deep, plain, plain_deep = sides = (
        _Side(lambda: harness.ours(Nest(0))),
        _Side(lambda: harness.ours(Nest(depth))),
        _Side(lambda: harness.theirs(Nest(0), floor)),
        _Side(lambda: harness.theirs(Nest(depth), deep_floor)),
    )
    for number in range(rounds * LATENCY_PAIRS + 1):
        # To and fro, so that whatever drifts on the machine meets all of them. The first round warms them up.
        for side in sides if number % 2 else reversed(sides):
            batch = await side.run()
            if number:
                side.seconds.append(batch.seconds)
                side.wholes.append(whole(await harness.histories(batch)))

    def each(what: str, few: _Side, many: _Side) -> list[float]:
        return [(getattr(b, what) - getattr(a, what)) / depth for a, b in zip(few.wholes, many.wholes, strict=True)]

    def row(what: str, name: str, unit: str, target: str = "") -> Row:
        ours, theirs = each(what, flat, deep), each(what, plain, plain_deep)
        return compare((f"{name} added by a level", unit), ours, theirs, by="difference", target=target)

    def added(few: _Side, many: _Side) -> float:
        return 1000 * (statistics.median(many.seconds) - statistics.median(few.seconds)) / depth

    differences = [
        1000 * (b - a - d + c) / depth
        for a, b, c, d in zip(*(side.seconds for side in (flat, deep, plain, plain_deep)), strict=True)
    ]
    return [
        row("children", "child workflows", "workflows", "= 0"),
        row("events", "history events", "events", "<= 0"),
        row("bytes_of_work", "history bytes", "bytes"),
        pooled(("p50 added by a level", "ms"), (added(flat, deep), added(plain, plain_deep)), differences),
    ]


async def _children(harness: Harness, notify: Notify) -> list[Row]:
    """Every pattern with patterns in it: no history holds more child workflows than nested patterns were run."""
    found: dict[str, float] = {}
    for kind, shown in SHOWN.items():
        if kind in SINGLE:
            continue
        notify(f"patterns nested in a {kind}")
        for nested in (False, True):
            batch = await harness.ours(PatternPlay(kind, nested=nested))
            result: RunResult = batch.results[0]
            runs = shown.managers + nested * sum(_is_worker(report.agent) for report in result.steps)
            children = whole(await harness.histories(batch)).children
            found[f"{kind} nested" if nested else kind] = children / runs if runs else float(children)
    inline = [value for name, value in found.items() if not name.endswith("nested") and not SHOWN[name].managers]
    others = [value for name, value in found.items() if name.endswith("nested") or SHOWN[name].managers]
    return [
        single(
            (f"child workflows of inline agents, the most in {len(inline)} patterns", "workflows"),
            max(inline),
            target="= 0",
        ),
        single(
            (f"child workflows for a nested pattern, the most in {len(SHOWN) - len(SINGLE)} patterns", "workflows"),
            max(others),
            target="= 1",
        ),
    ]


def _is_worker(agent: str) -> bool:
    """Whether a report is of whoever does a pattern's own work."""
    return agent.partition("/")[2].partition("@")[0] == WORKER
