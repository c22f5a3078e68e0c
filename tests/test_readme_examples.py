"""What the README says of teams holds: its examples pass the check, its tables name what there is."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from activities.tools.base import Tool, collect_tools
from scripts.cli import build_app
from scripts.team_tree import TeamTree
from tests.support.readme import README, ROOT, blocks_of, rows, section_of
from workers.checks.inspection import Inspection, inspect_team
from workers.deployment import load_tools
from workers.policy import load_policy
from workers.settings import Settings, load_settings
from workers.team_check import check_parts, complete
from workers.team_file import load_team
from workflows.teams.tree import NODE_KINDS, Fallback, Node, NodeBase, PipelineNode, TeamSpec


def section(title: str, level: str = "##") -> str:
    """The text below a heading, up to the next of its level."""
    return section_of(README, title, level)


def blocks(language: str, text: str = README) -> list[str]:
    return blocks_of(text, language)


def whole_teams() -> dict[str, str]:
    """Name to text; the one of "Writing your own pattern" has a test that follows it literally."""
    text = README.replace(section("Writing your own pattern"), "")
    return {match[1]: block for block in blocks("yaml", text) if (match := re.search(r"(?m)^team: (\S+)$", block))}


def in_code(cell: str) -> Any:
    return yaml.safe_load(cell.strip("`"))


@pytest.fixture(scope="module")
def own_tools() -> dict[str, Tool]:
    """The tools of the README's examples, and the built-in ones."""
    module = ModuleType("readme_tools")
    code = next(block for block in blocks("python", section("State and the way back")) if "compensate=" in block)
    exec(code, module.__dict__)  # the README's own code
    return {**load_tools(load_settings()), **collect_tools([module])}


@pytest.fixture
def offline() -> Settings:
    return Settings(provider="offline", models={}, prices={})


def looked_at(text: str, folder: Path, offline: Settings, tools: dict[str, Tool]) -> Inspection:
    file = folder / "letter.yaml"
    file.write_text(text, encoding="utf-8")
    return inspect_team(file, offline, tools)


@pytest.mark.parametrize("name", whole_teams())
def test_every_team_passes_the_check(name: str, tmp_path: Path, offline: Settings, own_tools: dict[str, Tool]) -> None:
    found = looked_at(whole_teams()[name], tmp_path, offline, own_tools)
    assert [found.sentence(error) for error in found.errors] == []


def test_there_are_the_teams_that_the_sections_need() -> None:
    assert set(whole_teams()) >= {"letter", "desk", "quick", "rooms", "notice"}


def test_the_tables_of_nodes_fields_and_fallbacks_are_complete_and_valid() -> None:
    composing, node, fallback = section("Composing teams"), TypeAdapter(Node), TypeAdapter(Fallback)
    table = {row[0].strip("`"): row[2] for row in rows(composing) if len(row) == 3}
    shown = {kind: node.validate_python(in_code(table[kind]), extra="forbid") for kind in NODE_KINDS}
    assert {kind: made.kind for kind, made in shown.items()} == {kind: kind for kind in NODE_KINDS}
    fields = set(NodeBase.model_fields)
    assert set(table) - set(NODE_KINDS) - {"kind", "field", "---"} == fields
    for field in fields:
        said = in_code(table[field])
        assert set(said) == {field}
        node.validate_python({"kind": "agent", "agent": "a", **said}, extra="forbid")
    replaced = [
        row[0].partition("}`")[0] + "}`" for row in rows(section("Budgets, fallbacks and time")) if "{kind" in row[0]
    ]
    kinds = {fallback.validate_python(in_code(cell), extra="forbid").kind for cell in replaced}
    assert kinds == {"agent", "tier", "person", "constant", "skip"}


def test_the_ready_teams_are_all_in_the_table() -> None:
    told = {row[0].strip("`") for row in rows(section("Teams that are there")) if row[0].startswith("`")}
    assert told == {f"scripts/teams/{file.name}" for file in (ROOT / "scripts" / "teams").glob("*.yaml")}


def test_the_check_says_what_the_readme_shows(tmp_path: Path, offline: Settings, own_tools: dict[str, Tool]) -> None:
    letter = whole_teams()["letter"]
    good, bad = blocks("text", section("Composing teams"))
    found = looked_at(letter, tmp_path, offline, own_tools)
    said = [*(f"warning: {warning}" for warning in found.warnings), *TeamTree(found.view).lines()]
    assert "\n".join(said).replace(f"{tmp_path}/", "") == good.strip()
    found = looked_at(letter.replace("text: $signoff", "text: $singoff"), tmp_path, offline, own_tools)
    (error,) = found.errors
    assert f"error: {found.sentence(error)}\nfix: {error.fix}".replace(f"{tmp_path}/", "") == bad.strip()


def test_the_policy_is_read(tmp_path: Path, own_tools: dict[str, Tool]) -> None:
    (text,) = [block for block in blocks("yaml", section("The gate: grants and policy")) if "rules:" in block]
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    policy = load_policy(file, own_tools)
    assert policy
    assert [rule.verdict.value for rule in policy.rules] == ["proceed", "ask", "edit", "proceed", "halt"]


def test_the_team_in_python_is_the_one_in_yaml(tmp_path: Path, own_tools: dict[str, Tool]) -> None:
    (code,) = blocks("python", section("Composing teams"))
    names: dict[str, Any] = {}
    exec(code, names)  # the README's own code
    spec = names["spec"]
    assert isinstance(spec, TeamSpec)
    check_parts(complete(spec), own_tools)
    file = tmp_path / "letter.yaml"
    file.write_text(whole_teams()["letter"], encoding="utf-8")
    written = load_team(file).root
    assert isinstance(spec.root, PipelineNode)
    assert isinstance(written, PipelineNode)
    assert spec.root.stages == written.stages


def test_all_commands_are_in_the_table_with_options_that_they_have() -> None:
    app, told = build_app(), set[str]()
    for row in rows(section("Commands")):
        names = re.findall(r"`ostinato ([a-z]+)", row[0])
        told.update(names)
        known = {
            flag
            for name in names
            for command in ([app[name]["export"]] if name == "history" else [app[name]])
            for argument in command.assemble_argument_collection()
            for flag in argument.names
        }
        assert set(re.findall(r"--[a-z-]+", " ".join(row))) <= known, names
    assert told == {name for name in app if not name.startswith("-")}
