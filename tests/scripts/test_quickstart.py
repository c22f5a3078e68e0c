"""``scripts/quickstart``: what it makes of its arguments. Set-up and command are stand-ins here; CI runs the real ones."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scripts.support import ROOT

SETUP = 'cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1\necho preparing\nexport PATH="$PWD/bin:$PATH"\n'
OSTINATO = (
    '#!/bin/sh\npwd\necho "home $OSTINATO_HOME"\nfor argument in "$@"; do printf "<%s>" "$argument"; done\nexit 3\n'
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's folder as the script sees it, with a space in its name."""
    folder = tmp_path / "the project"
    (folder / "scripts").mkdir(parents=True)
    (folder / "bin").mkdir()
    shutil.copy(ROOT / "scripts" / "quickstart", folder / "scripts")
    (folder / "scripts" / "setup.sh").write_text(SETUP)
    (folder / "bin" / "ostinato").write_text(OSTINATO)
    (folder / "bin" / "ostinato").chmod(0o755)
    return folder


def quickstart(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    caller = project.parent / "caller"
    caller.mkdir(exist_ok=True)
    script = os.path.relpath(project / "scripts" / "quickstart", caller)
    return subprocess.run([script, *arguments], cwd=caller, capture_output=True, text=True, timeout=30, check=False)


def test_without_arguments_it_asks_the_projects_own_documentation(project: Path) -> None:
    ended = quickstart(project)
    folder, home, command = ended.stdout.splitlines()
    assert home == f"home {project}/.ostinato"
    assert Path(folder) == project.parent / "caller"
    assert command.startswith(f"<run><{project}/scripts/teams/brief.yaml><--goal=What happens to a run")
    assert command.endswith(f"<--input={project}><--include><README.md><--include><*/README.md>")
    assert ended.returncode == 3
    assert "set-up: ready after" in ended.stderr
    assert "preparing" in ended.stderr


def test_a_relative_folder_is_the_callers_and_options_are_passed_on(project: Path) -> None:
    ended = quickstart(project, "my docs", "-why?", "--provider", "openai", "--json")
    assert ended.returncode == 2
    ended = quickstart(project, "my docs", "--provider", "openai", "--json", "--", "-why?")
    _, home, command = ended.stdout.splitlines()
    assert home == f"home {project}/.ostinato"
    assert f"<--goal=-why?><--input={project.parent / 'caller' / 'my docs'}>" in command
    assert command.endswith("<--provider><openai><--json>")


WRONG = [["a", "b", "c"], ["--provider"], ["--inptu", "x"], ["docs"], ["docs", ""], ["docs", " \n"], ["", "Why?"]]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_arguments_are_refused_before_anything_is_set_up(project: Path, arguments: list[str]) -> None:
    ended = quickstart(project, *arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "fix: " in ended.stderr
    assert "preparing" not in ended.stdout + ended.stderr
