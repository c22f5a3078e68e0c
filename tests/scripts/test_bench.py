"""The bench at its smallest: that it runs, what it prints, and the rows that no clock has a part in."""

import asyncio
import contextlib
import itertools
import json
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.errors import ConfigurationInvalid, OstinatoError
from scripts.bench.command import bench, measure
from scripts.bench.crews import Crew
from scripts.bench.harness import Batch, bench_workers, plain_client
from scripts.bench.histories import SCHEDULED, bytes_of_turns
from scripts.bench.long_agent import turn_rows
from scripts.bench.pattern_plays import SHOWN
from scripts.bench.processes import served
from scripts.bench.report import Report, show
from scripts.bench.rows import Row
from scripts.bench.scripted import Shape
from scripts.bench.sizes import FULL, QUICK, SECTIONS, Section, Sizes, Told, sizes_of
from workers.admission import RunOrder, admit
from workers.runs import start_run
from workers.server import ServerInfo
from workflows.teams.tree import NODE_KINDS

pytestmark = pytest.mark.timeout(300)

SMALL = Sizes(
    turns=6,
    rounds=1,
    runs=3,
    depth=1,
    fan_out=(1, 2),
    branches=4,
    at_once=2,
    agents=(1, 2),
    growth_turns=12,
    long_turns=10,
    waiting=10,
    kills=1,
)
OWN_PROCESSES: tuple[Section, ...] = ("memory", "recovery")
ONE_AND_TWO = ("1 worker", "2 workers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the bench's throw-away folders are made: its processes are known by this path."""
    path = tmp_path_factory.mktemp("bench")
    before, tempfile.tempdir = tempfile.tempdir, str(path)
    yield path
    tempfile.tempdir = before


@pytest.fixture(scope="module")
async def report(folder: Path) -> Report:
    """Everything once, at its smallest. What has processes of its own runs beside the rest: no test looks at a time."""
    del folder
    beside = tuple(name for name in SECTIONS if name not in OWN_PROCESSES)
    reports = await asyncio.gather(*(measure(SMALL, lambda _: None, only) for only in (beside, *zip(OWN_PROCESSES))))
    return reports[0].model_copy(update={"rows": tuple(row for each in reports for row in each.rows)})


def rows_of(report: Report, group: Section) -> dict[str, Row]:
    return {row.name: row for row in report.rows if row.group == group}


def command_lines() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines


def value_of(report: Report, name: str) -> float:
    return next(row.value for row in report.rows if row.name == name)


async def test_a_step_costs_as_many_events_as_plain_temporal(report: Report) -> None:
    rows = [row for row in report.rows if row.name.startswith("history events per step")]
    assert [(row.ours, row.plain, row.value, row.met) for row in rows] == [(6, 6, 1, True)] * 2


async def test_history_is_linear_in_turns(report: Report) -> None:
    rows = [row for row in report.rows if row.name.startswith("history of turns 11..12 / 2..3")]
    assert len(rows) == 3
    for row in rows:
        assert row.value == pytest.approx(1, abs=0.02), row.name


async def test_the_input_of_a_model_call_does_not_grow(report: Report) -> None:
    rows = [row for row in report.rows if row.name.startswith("model input at turn 12 - turn 3")]
    assert len(rows) == 3
    for row in rows:
        assert 0 <= row.value <= 8, row.name


async def test_a_document_is_not_copied_with_every_turn(report: Report) -> None:
    """Twelve turns would make twelve copies."""
    rows = [row for row in report.rows if row.name.startswith("copies in")]
    assert len(rows) == 6
    for row in rows:
        assert 0.5 <= row.value <= 3, row.name
    assert value_of(report, "copies in history, 15 kB from a tool") == 1
    assert value_of(report, "copies in history, 20 kB from a tool") < 1
    assert value_of(report, "copies in the object store, 15 kB as the goal") == 1


async def test_extra_bytes_are_the_same_in_every_round(report: Report) -> None:
    """No clock has a part in them; the bound is a loose one, the target is the bench's to judge."""
    assert 0 < value_of(report, "extra history bytes per step, model and tool in turn") < 800


async def test_json_is_one_object_with_what_it_was_measured_on(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    show(report, json=True)
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"measured_on", "sizes", "seconds", "all_met", "rows"}
    assert set(printed["measured_on"]) == {
        *("cpu", "cores", "system", "python", "temporalio", "server", "commit", "date")
    }
    assert all(printed["measured_on"][name] for name in ("cpu", "cores", "python", "temporalio", "server", "date"))
    for row in printed["rows"]:
        assert set(row) == {
            *("group", "name", "unit", "ours", "plain", "compared", "value", "lowest", "highest", "target", "met")
        }
        assert row["lowest"] <= row["value"] <= row["highest"]
        assert (row["met"] is None) == (row["target"] == "")


async def test_the_table_says_what_it_was_measured_on(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    show(report, json=False)
    table = capsys.readouterr().out
    assert "history events per step" in table
    assert f"Python {report.measured_on.python}" in table


async def test_every_section_has_its_rows(report: Report) -> None:
    assert [group for group, _ in itertools.groupby(row.group for row in report.rows)] == list(SECTIONS)
    assert {row.name for row in report.rows if row.met is None} == {row.name for row in report.rows if not row.target}
    for row in report.rows:
        assert row.unit
        assert all(map(math.isfinite, (row.ours, row.value))), row


async def test_latency_has_the_median_and_the_tail(report: Report) -> None:
    p50, p99 = rows_of(report, "latency").values()
    assert p50.name.startswith("p50 per step")
    assert p99.name.startswith("p99 per step")
    assert p99.ours >= p50.ours
    assert p99.plain
    assert p50.plain
    assert p99.plain >= p50.plain


async def test_fan_out_is_measured_inline_and_as_children(report: Report) -> None:
    rows = rows_of(report, "fan-out")
    assert {row.name for row in rows.values() if row.met is False} == set(), "it has no more events than a gather"
    sizes = ("1 worker", "2 workers", "1 worker as a child", "2 workers as children")
    branches = ("1 branch", "2 branches", "4 branches, 2 at a time")
    assert len(rows) == 4 * len(sizes + branches)
    for size in sizes + branches:
        assert rows[f"wall time, {size}"].plain
        each = "worker" if "worker" in size else "branch"
        assert rows[f"history bytes per {each}, {size}"].value > 0
        # One worker is one activity on the plain side: 6 events, and the run's own.
        if size.startswith("1"):
            assert rows[f"history events, {size}"].plain == 11
    # A child is a workflow of its own, with all its events.
    assert rows["history events, 1 worker as a child"].ours > rows["history events, 1 worker"].ours + 10


async def test_each_pattern_makes_the_calls_that_its_plain_side_makes(report: Report) -> None:
    rows = rows_of(report, "patterns")
    assert len(rows) == 4 * len(SHOWN) + 1
    calls = {kind: rows[f"model calls, {kind}"].ours for kind in SHOWN}
    assert calls == {
        "call": 0,
        "agent": 1,
        "router": 2,
        "monitor": 2,
        "pipeline": 3,
        "network": 3,
        "fan_out": 4,
        "supervisor": 4,
        "plan": 4,
        "refine": 4,
        "debate": 7,
        "hierarchy": 10,
    }
    assert list(calls.values()) == sorted(calls.values())
    in_a_row = {kind: rows[f"model calls one after the other, {kind}"].ours for kind in SHOWN}
    assert {kind for kind in SHOWN if in_a_row[kind] < calls[kind]} == {
        *("fan_out", "supervisor", "plan", "debate", "hierarchy")
    }
    (added,) = (row for name, row in rows.items() if name.startswith("events that a pattern adds"))
    assert added.met
    for kind in SHOWN:
        events, wall = rows[f"history events, {kind}"], rows[f"wall time, {kind}"]
        assert events.plain
        # The run's own five events, and three of each activity at least.
        assert min(events.ours, events.plain) >= 5 + 3 * max(1, calls[kind])
        assert min(wall.ours, wall.plain or 0) > 0


def test_every_kind_of_node_that_runs_by_itself_is_among_the_patterns() -> None:
    assert set(SHOWN) == set(NODE_KINDS) - {"person", "workflow"}


async def test_a_nested_pattern_is_one_child_workflow(report: Report) -> None:
    rows = rows_of(report, "nesting")
    assert {row.name for row in rows.values() if row.met is False} == set()
    level = rows["child workflows added by a level"]
    assert (level.ours, level.plain) == (1, 1)
    assert rows["history events added by a level"].ours > 10
    assert sum("child workflows" in name for name in rows) == 3


async def test_a_long_agent_takes_all_its_turns(report: Report) -> None:
    rows = rows_of(report, "long-agent")
    assert rows["history bytes of turns 9..10 / 2..3"].value == pytest.approx(1, abs=0.02)
    assert rows["continued as new, 10 turns"].value == 0
    assert rows["wall time, 10 turns"].value > 0


async def test_a_long_agent_is_one_however_often_it_continues(server: ServerInfo, home: Path) -> None:
    """Its turns are counted over all executions."""
    async with bench_workers(server, home) as harness:
        harness.model.shape = shape = Shape(turns=13)
        order = RunOrder(goal=shape.goal, run_id="bench-long", provider="offline")
        run = await admit(harness.deployment, shape.team(), order)
        handle = await start_run(harness.deployment.client, run.model_copy(update={"max_history_events": 40}))
        batch = Batch([handle], [await handle.result()], 1.0, 1.0)
        histories = await harness.histories(batch)
    rows = {row.name: row for row in turn_rows(histories, batch.seconds, 12)}
    assert rows["continued as new, 12 turns"].value == len(histories) - 1 >= 2
    assert sum(event.event_type == SCHEDULED for history in histories for event in history) == 25
    # A beginning brings the run's input along.
    alone = bytes_of_turns(histories[0], 1, 2) / 2
    assert rows["history bytes per turn, 12 turns"].value > alone


async def test_coordination_costs_a_smaller_share_of_more_workers(report: Report) -> None:
    rows = rows_of(report, "coordination")
    for what in ("tokens", "cost"):
        one, two = (rows[f"{what} that go{'es' * (what == 'cost')} into coordination, {n}"].value for n in ONE_AND_TWO)
        assert 100 > one > two > 0
    # Coordination has the dearer model.
    assert (
        rows["cost that goes into coordination, 1 worker"].value
        > rows["tokens that go into coordination, 1 worker"].value
    )
    assert rows["history bytes per handoff, 1 to 2 workers"].plain
    assert all(rows[f"time per handoff, {n}"].ours > 0 for n in ONE_AND_TWO)


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the bench leaves these rows out without /proc and ps"
)
async def test_memory_is_that_of_a_worker_process_and_the_server(report: Report) -> None:
    rows = rows_of(report, "memory")
    assert len(rows) == 7
    branches = rows["worker process at its largest, 4 branches, 2 at a time"]
    assert 20 < branches.ours < 2000
    assert rows["the same against 2 branches"].ours >= 1
    idle = rows["worker process before, idle"]
    assert idle.plain
    for mb in (idle.ours, idle.plain):
        assert 20 < mb < 2000  # a Python process with the SDK in it, in megabytes


async def test_recovery_is_timed_from_the_kill(report: Report) -> None:
    attempt, run = rows_of(report, "recovery").values()
    assert attempt.target == "<= 4"
    assert 0 < attempt.value < run.value


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found in /proc")
async def test_nothing_is_left_running(report: Report, folder: Path) -> None:
    """Servers end two seconds after their last user, worker processes before the bench does."""
    assert report.rows
    deadline = time.monotonic() + 60
    while left := [line for line in command_lines() if str(folder) in line]:
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.1)
    assert not any("scripts.bench.served" in line and str(folder) in line for line in command_lines())


async def test_a_worker_process_ends_when_nobody_holds_it_any_more(server: ServerInfo, home: Path) -> None:
    """Whoever started it may have been killed."""
    async with served("waiting", server, home) as worker:
        assert worker.process.stdin
        worker.process.stdin.close()
        async with asyncio.timeout(30):
            assert await worker.process.wait() == 0


async def test_a_worker_process_that_does_not_come_up_is_an_error(server: ServerInfo, tmp_path: Path) -> None:
    nowhere = replace(server, address="127.0.0.1:1")
    with pytest.raises(OstinatoError, match="did not come up"):
        async with served("plain", nowhere, tmp_path):
            pytest.fail("it is up, without a server")


async def test_the_plain_side_is_plain(server: ServerInfo, home: Path) -> None:
    """No plugin, no interceptor, no codec, no store; nothing of ours in its histories."""
    client = await plain_client(server.address)
    config = client.config()
    assert not config["plugins"]
    assert not config["interceptors"]
    assert config["data_converter"].payload_codec is None
    assert config["data_converter"].external_storage is None
    crew = Crew(workers=2, coordinated=True)
    async with bench_workers(server, home) as harness:
        floor = await harness.floor_of_crew(crew)
        (events,) = await harness.histories(await harness.theirs(crew, floor))
    # One plans; two lines of model, tool, model; then one writes, one reviews, and a gate.
    assert [[[step.model for step in line] for line in lines] for lines in floor.phases] == [
        [[True]],
        [[True, False, True]] * 2,
        [[True]],
        [[True]],
        [[False]],
    ]
    scheduled = [event for event in events if event.event_type == SCHEDULED]
    assert len(scheduled) == 10
    for event in events:
        assert not event.HasField("user_metadata")
        assert not event.activity_task_scheduled_event_attributes.header.fields
        assert b"ostinato" not in event.SerializeToString().lower()


async def test_a_section_can_be_had_alone(folder: Path) -> None:
    del folder
    report = await measure(SMALL, lambda _: None, ("fan-out",))
    assert {row.group for row in report.rows} == {"fan-out"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"turns": 4},
        {"rounds": 0},
        {"runs": 1000},
        {"growth_turns": 1},
        {"branches": 401},
        {"long_turns": 1000},
        {"waiting": 1},
        {"kills": 0},
    ],
)
async def test_numbers_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(ConfigurationInvalid) as refused:
        await bench(Told(**wrong))
    assert name in str(refused.value)


def test_quick_is_less_of_everything() -> None:
    for name, value in QUICK:
        full = getattr(FULL, name)
        assert (len(value) < len(full)) if isinstance(value, tuple) else value < full, name
    assert sizes_of(QUICK, Told(turns=7)) == QUICK.model_copy(update={"turns": 7})
