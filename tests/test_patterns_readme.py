"""The patterns' README: its examples pass the check and run as they are written, with the offline model; its table is whole."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import new_run_id
from tests.support.readme import PATTERNS, README, ROOT, blocks_of, rows, section_of
from workers.admission import RunOrder, admit
from workers.checks.inspection import inspect_team
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.settings import Settings
from workers.team_file import load_team
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import NODE_KINDS

SAID = {
    "clerk": "office.txt:5",
    "prices": "prices.md:1",
    "notice": "saved notice.txt",
    "counter": "On Saturday it is open from 9 to 12.",
    "opinions": "60 crowns",
    "report": "12 crowns a night",
    "placard": "rules.md:3",
    "stay": "Electricity costs 4 crowns a day.",
    "verdict": "'position': 'no'",
    "survey": "Ada Brandt",
    "outgoing": "[withheld]",
    "enquiries": "Jon Weir",
}
"""Team to what stands in its output on the goal of its command."""
LOG = {
    "counter": "counter goes to question: the classifier",
    "opinions": "of 3 branches answered",
    "placard": "draft 1 was not accepted",
}
"""Team to what stands in its decision log."""


def examples() -> dict[str, str]:
    """File name to team file: the word before a fence names its file."""
    return dict(re.findall(r"`(\S+\.yaml)`:\n\n```yaml\n(.*?)```", PATTERNS, re.DOTALL))


def commands() -> dict[str, list[str]]:
    """Team file to the words of the command that runs it."""
    found = [shlex.split(line) for block in blocks_of(PATTERNS, "bash") for line in block.splitlines()]
    assert all(words[:2] == ["ostinato", "run"] for words in found)
    return {words[2]: words[3:] for words in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all examples in it."""
    made = tmp_path_factory.mktemp("examples")
    for name, text in examples().items():
        (made / name).write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
async def results(deployment: Deployment, folder: Path) -> dict[str, RunResult]:
    """Team to its result: all examples side by side, on the goals and the folders that their commands name."""

    async def run(name: str, words: list[str]) -> tuple[str, RunResult]:
        options = dict(zip(words[::2], words[1::2], strict=True))
        assert set(options) == {"--goal", "--input"}
        order = RunOrder(goal=options["--goal"], run_id=new_run_id(), folder=ROOT / options["--input"])
        handle = await start_run(deployment.client, await admit(deployment, load_team(folder / name), order))
        return name.removesuffix(".yaml"), await read_result(handle)

    async with running_pools(deployment, ["workflows", "tools", "models-offline"]):
        return dict(await asyncio.gather(*(run(*one) for one in commands().items())))


@pytest.mark.parametrize("name", examples())
def test_an_example_passes_the_check_and_stands_in_the_section_of_its_kind(
    name: str, folder: Path, deployment: Deployment
) -> None:
    found = inspect_team(folder / name, Settings(provider="offline", models={}, prices={}), deployment.tools)
    assert [found.sentence(error) for error in found.errors] == []
    assert found.warnings == []
    team = load_team(folder / name)
    assert team.team == name.removesuffix(".yaml")
    titles = [title for title in re.findall(r"(?m)^## (`.*)$", PATTERNS) if f"`{name}`" in section_of(PATTERNS, title)]
    assert len(titles) == 1
    assert f"`{team.root.kind}`" in titles[0]


@pytest.mark.parametrize("name", SAID)
async def test_an_example_runs_as_it_is_written(name: str, results: dict[str, RunResult]) -> None:
    result = results[name]
    assert result.status is RunStatus.COMPLETE, (result.failure, result.missing)
    assert SAID[name] in str(result.output)
    assert any(LOG.get(name, "") in line for line in result.log or ("",))


def test_every_pattern_has_an_example_a_command_and_a_row() -> None:
    assert {name.removesuffix(".yaml") for name in examples()} == set(SAID)
    assert set(commands()) == set(examples())
    sections = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"(?m)^## (`.*)$", PATTERNS))))
    assert sections == set(NODE_KINDS)
    told = {row[0] for row in _guide(PATTERNS)}
    assert {re.sub(r"\W", "", name.partition("]")[0]) for name in told} == set(NODE_KINDS) - {"person"}


def test_both_guides_say_the_same() -> None:
    here = [[re.sub(r"\[(`\w+`)\]\(\S+\)", r"\1", row[0]), *row[1:5]] for row in _guide(PATTERNS)]
    there = [
        [re.sub(r"\[(`\w+`)\]\(\S+\)", r"\1", row[0]), *row[1:]] for row in _guide(section_of(README, "Which pattern?"))
    ]
    assert here == there


def test_the_ready_teams_that_it_names_are_there_and_have_that_pattern() -> None:
    for row in _guide(PATTERNS):
        kind = re.sub(r"\W", "", row[0].partition("]")[0])
        for name in re.findall(r"`(\w+)`", row[5]):
            text = (ROOT / "scripts" / "teams" / f"{name}.yaml").read_text(encoding="utf-8")
            assert f"kind: {kind}" in text, (name, kind)


def _guide(text: str) -> list[list[str]]:
    """The rows of the table of patterns."""
    return [
        row for row in rows(text) if len(row) >= 5 and row[0] not in {"pattern", "---"} and not row[0].startswith("--")
    ]


@pytest.mark.parametrize("file", ["README.md", "workers/README.md", "workflows/patterns/README.md"])
def test_links_lead_somewhere(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / file).parent / path if path else ROOT / file
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"(?m)^#+ (.*)$", target.read_text(encoding="utf-8"))
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}, link
