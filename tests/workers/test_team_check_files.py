"""A bad team file for each error that a check knows: what is said of it, and what is to be done."""

from pathlib import Path

import pytest

from activities.tools.base import collect_tools
from tests.support import tools
from tests.support.growth import calls_of
from workers.checks.findings import Weight
from workers.checks.inspection import Inspection, inspect_team
from workers.settings import Settings, load_settings

KNOWN = collect_tools([tools])
BAD = sorted((Path(__file__).parent / "bad_teams").glob("*.yaml"))
READY = sorted((Path(__file__).parents[2] / "scripts/teams").glob("*.yaml"))


def settings() -> Settings:
    return load_settings().model_copy(update={"unpriced": "count_tokens_only"})


def look(file: Path) -> tuple[Inspection, dict[str, str]]:
    """A file inspected, and what its first lines say that is wrong with it."""
    lines = [line.removeprefix("# ").partition(": ") for line in file.read_text().splitlines() if line.startswith("# ")]
    said = {name: text for name, _, text in lines}
    return inspect_team(file, settings(), KNOWN, said.get("provider", "")), said


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_team_is_refused_with_file_line_and_a_fix(file: Path) -> None:
    found, said = look(file)
    first = found.errors[0]
    assert first.message == said["error"]
    assert first.fix == said["fix"]
    path, line, _ = found.sentence(first).split(":", 2)
    assert path == str(file)
    # The line is of the place, and not the top of the file.
    assert int(line) > len(said)
    at = file.read_text().splitlines()[int(line) - 1]
    assert at.strip()
    assert not at.startswith("#")


def test_every_kind_of_error_has_a_file() -> None:
    weights = {look(file)[0].errors[0].weight for file in BAD}
    assert weights == {Weight.BROKEN, Weight.ERROR}
    assert len({look(file)[0].errors[0].message.partition("'")[0] for file in BAD}) > 20


@pytest.mark.parametrize("file", READY, ids=lambda file: file.stem)
def test_a_ready_team_has_no_fault(file: Path) -> None:
    from workers.deployment import load_tools  # noqa: PLC0415 -- it loads much

    found = inspect_team(file, settings(), load_tools(settings()))
    assert [found.sentence(error) for error in found.errors] == []


def test_the_work_on_a_team_grows_with_its_size_and_no_faster(tmp_path: Path) -> None:
    """The largest file takes 2 s; whatever looks at every pair of nodes would take minutes."""

    def looked_at(pipelines: int) -> tuple[int, Inspection]:
        agents = "".join(f"  a{i}: {{instructions: Do it., tools: [echo, add]}}\n" for i in range(100))
        stages = "".join(
            f"    - kind: pipeline\n      name: p{i}\n      grants: {{echo: {{}}, add: {{}}}}\n      stages:\n"
            + "".join(f"        - {{kind: agent, agent: a{(i * 40 + j) % 100}, key: k{i}-{j}}}\n" for j in range(60))
            for i in range(pipelines)
        )
        file = tmp_path / "large.yaml"
        file.write_text(
            f"team: large\nagents:\n{agents}root:\n  kind: pipeline\n  budget: {{model_calls: 99999}}\n  stages:\n{stages}"
        )
        found = list[Inspection]()
        return calls_of(lambda: found.append(inspect_team(file, settings(), KNOWN))), found[0]

    small, _ = looked_at(15)
    large, found = looked_at(60)
    assert large < 8 * small  # four times the nodes; sixteen times the pairs
    assert found.errors == []
    assert len(found.view.places) == 1 + 60 * 61
