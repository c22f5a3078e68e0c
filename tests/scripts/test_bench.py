"""The bench at its smallest: that it runs, what it prints, and the rows that no clock has a part in."""

import json
from typing import Any

import pytest

from activities.contracts.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from activities.errors import ConfigurationInvalid
from scripts.bench.command import bench, measure
from scripts.bench.floor import PLAIN_MODELS, PLAIN_TOOLS, PLAIN_WORKFLOWS, PlainActivities, PlainStep
from scripts.bench.payload import plain_steps, saved_by_reference
from scripts.bench.report import Report, show
from scripts.bench.rows import compare, single
from scripts.bench.tools import make_text, pieces_of
from workflows import steps

pytestmark = pytest.mark.timeout(180)

SMALL = {"turns": 6, "rounds": 1, "runs": 3, "growth_turns": 12}


@pytest.fixture(scope="module")
async def report() -> Report:
    return await measure(SMALL, lambda _: None)


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
    assert set(printed) == {"measured_on", "turns", "rounds", "runs", "seconds", "all_met", "rows"}
    assert set(printed["measured_on"]) == {
        *("cpu", "cores", "system", "python", "temporalio", "server", "commit", "date")
    }
    assert all(printed["measured_on"][name] for name in ("cpu", "cores", "python", "temporalio", "server", "date"))
    for row in printed["rows"]:
        assert set(row) == {
            *("name", "unit", "ours", "plain", "compared", "value", "lowest", "highest", "target", "met")
        }
        assert row["lowest"] <= row["value"] <= row["highest"]
        assert (row["met"] is None) == (row["target"] == "")


async def test_the_table_says_what_it_was_measured_on(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    show(report, json=False)
    table = capsys.readouterr().out
    assert "history events per step" in table
    assert f"Python {report.measured_on.python}" in table


@pytest.mark.parametrize("wrong", [{"turns": 4}, {"rounds": 0}, {"runs": 1000}, {"growth_turns": 1}])
async def test_numbers_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(ConfigurationInvalid) as refused:
        await bench(**wrong)
    assert name in str(refused.value)


def test_the_floor_moves_the_text_of_the_conversation() -> None:
    call = ToolCall(tool_call_id="1", tool="look", arguments='{"a": 1}')
    conversation: list[Message] = [
        UserMessage(text="x" * 50),
        AssistantMessage(text="ok", tool_calls=(call,)),
        ToolMessage(tool_call_id="1", tool="look", text="y" * 70),
        AssistantMessage(text="z" * 30),
    ]
    asked = len("look") + len('{"a": 1}') + 2  # two quotation marks, escaped
    assert plain_steps(conversation) == [
        PlainStep(model=True, sends=50, returns=2 + asked),
        PlainStep(model=False, sends=asked, returns=70),
        PlainStep(model=True, sends=70, returns=30),
    ]
    assert saved_by_reference(plain_steps(conversation)) == 30


async def test_the_floor_returns_what_it_is_asked_for() -> None:
    assert len(await PlainActivities().model("120 xxx")) == 120
    assert len(await PlainActivities().tool("7 ")) == 7


def test_the_floor_has_no_longer_names_than_ours() -> None:
    """They are in every event: a byte more there would be a byte less extra for us."""
    ours = [steps.WORKFLOW_QUEUE, steps.model_queue("offline"), steps.TOOL_QUEUE]
    assert [len(name) for name in (PLAIN_WORKFLOWS, PLAIN_MODELS, PLAIN_TOOLS)] == [len(name) for name in ours]


def test_a_row_says_whether_its_target_is_met() -> None:
    assert compare(("n", "u"), [10, 30, 20], [10, 10, 10], by="ratio", target="<= 1.5").met is False
    row = compare(("n", "u"), [10, 30, 20], [10, 10, 10], by="difference", target=">= 10")
    assert (row.ours, row.plain, row.value, row.lowest, row.highest, row.met) == (20, 10, 10, 0, 20, True)
    assert single(("n", "u"), 1.5, target="= 1").met is False
    assert single(("n", "u"), 1.5).met is None


def test_no_piece_of_a_document_repeats() -> None:
    pieces = pieces_of(make_text("seed", 15_000))
    assert len(pieces) == len(set(pieces)) == 150
