"""The schema that editors check team files by says what the reader says, and the committed copy is the current one."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from scripts.cli import execute
from tests.workers.test_team_file import FIELDS
from workers.team_file import load_team
from workers.team_schema import schema_text, team_schema
from workers.team_yaml import read_yaml

TEAMS = Path(__file__).parents[2] / "scripts" / "teams"
FILES = sorted(TEAMS.glob("*.yaml"))
BEYOND = {"server both ways"}
"""What relates two fields to each other, a schema of ours does not say."""


def problems(data: bytes) -> list[str]:
    value, _ = read_yaml(data, Path("team.yaml"))
    return [error.message for error in Draft202012Validator(team_schema()).iter_errors(value)]


def test_the_committed_copy_is_the_current_one() -> None:
    committed = (TEAMS / "team.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: ostinato schema --out scripts/teams/team.schema.json"
    Draft202012Validator.check_schema(team_schema())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_ready_team_fits_and_points_to_it(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=team.schema.json\n")
    assert problems(file.read_bytes()) == []
    load_team(file)


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - BEYOND))
def test_what_the_reader_refuses_the_schema_refuses(name: str) -> None:
    assert problems(FIELDS[name][0].encode())


def test_every_field_of_a_node_is_explained() -> None:
    shared = team_schema()["$defs"]
    assert isinstance(shared, dict)
    for kind in ("PipelineNode", "WorkflowNode", "SupervisorNode", "BudgetSpec", "Grant"):
        assert shared[kind]["description"], kind  # type: ignore[call-overload, index] # JSON
    stages = shared["PipelineNode"]["properties"]["stages"]  # type: ignore[call-overload, index] # JSON
    assert "every key that was committed before" in stages["description"]  # type: ignore[operator, index, call-overload]  # a JSON value


def test_the_command_prints_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == team_schema()
    file = tmp_path / "team.schema.json"
    assert execute(["schema", "--out", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(file)}
    assert file.read_text(encoding="utf-8") == schema_text()
    assert execute(["schema", "--out", str(tmp_path / "nowhere" / "x")]) == 2
    assert "cannot be written" in capsys.readouterr().err
