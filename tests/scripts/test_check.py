"""``ostinato check``: the tree with its bounds, the chart, and what is refused; ``run`` refuses the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.cli import execute

TEAMS = Path(__file__).parents[2] / "scripts/teams"
BAD = Path(__file__).parents[1] / "workers/bad_teams"


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = execute(["check", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_tree_shows_every_node_with_its_bounds_and_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = checked(capsys, str(TEAMS / "brief.yaml"))
    assert (code, err) == (0, "")
    for shown in (
        "supervisor brief",
        "planner: agent supervisor",
        "worker research: agent researcher",
        "gate: call gate",
    ):
        assert shown in out
    assert "small (offline:extractive); tools search_documents, read_document; turns 6; model calls 9" in out
    assert "at most 9 model calls, 12 tool calls, 500,000 tokens, 0.00 USD, 5 min, each of 12 times" in out
    # Two plans of 8, twelve attempts of 9, two drafts of 6 and their reviews of 5.
    assert f"in all at most {2 * 8 + 12 * 9 + 2 * (6 + 5)} model calls" in out


def test_a_chart_has_every_node_and_the_way_of_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = checked(capsys, str(TEAMS / "brief.yaml"), "--mermaid")
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == "flowchart TD"
    assert lines.count("end") == sum(line.startswith("subgraph") for line in lines) == 1
    for arrow in ("n_0 -- research --> n_1", "n_1 --> n_2", "n_2 --> n_3", "n_3 --> n_4", "n_4 -. correction .-> n_2"):
        assert arrow in lines


def test_json_has_the_worst_case_of_each_node_and_in_all(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = checked(capsys, str(TEAMS / "ask.yaml"), "--json")
    value: dict[str, Any] = json.loads(out)
    assert (code, value["errors"], value["warnings"]) == (0, [], [])
    (node,) = value["nodes"]
    assert (node["at"], node["models"], node["times"]) == ("root", ["offline:extractive"], 1)
    assert value["worst_case"] == node["worst_case"]
    assert (node["worst_case"]["tokens"], node["worst_case"]["seconds"]) == (500_000, 600)


def test_prices_are_those_of_the_provider(capsys: pytest.CaptureFixture[str]) -> None:
    _, free, _ = checked(capsys, str(TEAMS / "ask.yaml"), "--json")
    _, paid, _ = checked(capsys, str(TEAMS / "ask.yaml"), "--json", "--provider", "openai")
    assert json.loads(free)["worst_case"]["cost_usd"] == 0
    assert 0 < json.loads(paid)["worst_case"]["cost_usd"] <= 5


def test_an_error_is_said_with_file_line_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    file = BAD / "same_key_twice.yaml"
    code, out, err = checked(capsys, str(file))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {file}:10: the stages 1 and 2 of the pipeline 'pipeline' have the key 'writer'")
    assert "\nfix: give one of them a key of its own\n" in err
    code, out, _ = checked(capsys, str(file), "--json")
    (error,) = json.loads(out)["errors"]
    assert (code, error["line"], error["at"]) == (2, 10, "root.stages.1")


def test_a_worst_case_above_the_budget_is_a_warning_and_no_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "tight.yaml"
    agents = "agents:\n  writer: {instructions: Write.}\n"
    file.write_text(
        f"team: tight\n{agents}root: {{kind: agent, agent: writer, budget: {{model_calls: 5, seconds: 9}}}}\n"
    )
    code, out, err = checked(capsys, str(file))
    assert code == 0
    assert (
        f"warning: {file}:4: the worst case of the agent 'writer' is 40 model calls, more than its budget of 5" in err
    )
    assert "the agent 'writer' takes 1800 s at most, more than its budget.seconds of 9: it ends then" in err
    assert "in all at most 5 model calls" in out


def test_people_grants_and_what_stands_twice_are_said_as_people_read_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An agent on another tier is told once, a reminder too often is said, and work is told apart from waiting."""
    file = tmp_path / "asks.yaml"
    file.write_text(
        "team: asks\n"
        "agents:\n"
        "  clerk:\n"
        "    {instructions: Write., tools: [write_artifact], grants: {write_artifact: {ask: true, arguments: {name: {}}}}}\n"
        "people: {people: [nora], seconds: 172800, remind_seconds: 60}\n"
        "root: {kind: pipeline, grants: {GRANTED: {}}, stages: [{kind: agent, agent: clerk, fallback: {kind: tier, tier: frontier}}]}\n"
    )
    text = file.read_text()
    file.write_text(text.replace("GRANTED", "echo"))
    code, _, err = checked(capsys, str(file))
    assert code == 2
    assert err.count("the agent 'clerk' has the tool 'write_artifact', which the grants of") == 1
    file.write_text(text.replace("GRANTED", "write_artifact"))
    code, out, err = checked(capsys, str(file))
    assert code == 0, err
    assert ":5: remind_seconds is 60, and a question has at most 100 reminders: there is one each 1728 s" in err
    assert "its own grants write_artifact (a person is asked; conditions on name)" in out
    assert "30 min of work, " in out
    assert " days with people's time" in out


@pytest.mark.parametrize("name", ["same_key_twice", "agent_that_nobody_uses", "budget_below_the_cheapest_path"])
def test_run_refuses_what_check_refuses(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code = execute(["run", str(BAD / f"{name}.yaml"), "--goal", "Do it."])
    refused = capsys.readouterr().err
    _, _, err = checked(capsys, str(BAD / f"{name}.yaml"))
    assert code == 2
    assert refused.startswith("error: ")
    assert err.startswith(refused)
