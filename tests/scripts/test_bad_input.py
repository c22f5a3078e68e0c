"""Bad input: one sentence, one fix, exit code 2, within seconds, and nothing made or left running."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.cli import execute
from tests.scripts.support import ASK, Cli

TEAM = ASK.read_text()


def _fifo(cli: Cli) -> None:
    os.mkfifo(cli.folder / "pipe")


def _only_unreadable(cli: Cli) -> None:
    folder = cli.folder / "odd"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(cli.documents / "harbour.md")
    (folder / "loop").symlink_to(folder)
    (folder / "binary\n\x1b[2J").write_bytes(b"\0\xff")
    (folder / "empty.md").touch()
    (folder / os.fsdecode(b"not-utf8-\xff")).write_text("x")


def _team(change: Callable[[str], str]) -> Callable[[Cli], None]:
    def write(cli: Cli) -> None:
        (cli.folder / "team.yaml").write_text(change(TEAM))

    return write


CASES: dict[str, tuple[Callable[[Cli], object], list[str], str]] = {
    "missing folder": (lambda _: None, ["--input", "nowhere"], "cannot be read"),
    "empty folder": (lambda cli: (cli.folder / "empty").mkdir(), ["--input", "empty"], "it is empty"),
    "pipe": (_fifo, ["--input", "pipe"], "not a regular file"),
    "nothing readable": (_only_unreadable, ["--input", "odd"], "6 files were skipped"),
    "include finds nothing": (lambda _: None, ["--include", "*.pdf"], "no file fits --include"),
    "unknown provider": (lambda _: None, ["--provider", "opanai"], "did you mean 'openai'?"),
    "provider without a key": (lambda _: None, ["--provider", "openai"], "set OPENAI_API_KEY"),
    "bad id": (lambda _: None, ["--id", "a/../b"], "the run id"),
    "detach without a deployment": (lambda _: None, ["--detach"], "ostinato up"),
    "unknown option": (lambda _: None, ["--inptu", "x"], "Unknown option"),
    "typo in the team": (
        _team(lambda t: t.replace("tools:", "tolls:")),
        [],
        "did you mean 'tools'?",
    ),
    "unknown tool": (_team(lambda t: t.replace("read_document", "read_dokument")), [], "did you mean 'read_document'?"),
    "unknown tier": (_team(lambda t: t.replace("tier: small", "tier: smal")), [], "did you mean 'small'?"),
}


@pytest.fixture
def here(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The user's folder and environment in this process: nothing is started in these cases, so none is needed for them."""
    for name in set(os.environ) - set(cli.environment):
        monkeypatch.delenv(name)
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(cli.folder)
    return cli


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_a_sentence_and_a_fix(here: Cli, capsys: pytest.CaptureFixture[str], name: str) -> None:
    prepare, options, expected = CASES[name]
    prepare(here)
    team = Path("team.yaml") if Path("team.yaml").exists() else ASK
    given = options if "--input" in options else ["--input", "documents", *options]
    with ThreadPoolExecutor(1) as own_thread:  # the loop of this one is pytest's
        code = own_thread.submit(execute, ["run", str(team), "--goal", "What?", *given, "--json"]).result(30)
    out, err = capsys.readouterr()
    assert code == 2, err
    error, fix = err.splitlines()
    assert error.startswith("error: ")
    assert fix.startswith("fix: ")
    assert expected in error + fix
    assert json.loads(out) == {"error": error.removeprefix("error: "), "fix": fix.removeprefix("fix: ")}
    assert "\x1b" not in err
    assert not here.home.exists()


@pytest.mark.parametrize(("goal", "given"), [("-", "x" * 1_000_000), ("y" * 100_000, ""), (" \n ", "")])
def test_a_goal_that_cannot_work_is_refused(cli: Cli, goal: str, given: str) -> None:
    ended = cli.run("run", ASK, "--goal", goal, "--input", "documents", given=given)
    assert ended.code == 2, ended.err
    assert ended.err.startswith("error: the goal")
    assert len(ended.err) < 1000
    assert not cli.home.exists()


def test_a_team_file_that_is_a_pipe_is_refused(cli: Cli) -> None:
    _fifo(cli)
    ended = cli.run("run", "pipe", "--goal", "What?")
    assert ended.code == 2
    assert "no regular file" in ended.err


def test_a_server_that_is_not_there_is_one_sentence(cli: Cli) -> None:
    cli.extra["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
    for command in (["show", "x"], ["worker", "all"]):
        ended = cli.run(*command)
        assert ended.code == 2, ended.err
        assert "127.0.0.1:1" in ended.err
        assert "fix: " in ended.err
    doctor = cli.run("doctor")
    assert doctor.code == 1
    assert "fail server" in doctor.out


def test_commands_on_runs_start_nothing_where_there_are_none(cli: Cli) -> None:
    for command in (["show", "x"], ["delete", "x"], ["doctor"], ["replay", "nothing.json"], ["worker", "tols"]):
        ended = cli.run(*command)
        assert ended.code == (0 if command == ["doctor"] else 2), ended.err
        assert "Traceback" not in ended.err
    assert not cli.home.exists()


def test_a_full_disk_or_a_foreign_home_is_one_sentence(cli: Cli) -> None:
    cli.home.write_text("a file where a folder should be")
    ended = cli.ask()
    assert ended.code == 2, ended.err
    assert "OSTINATO_HOME" in ended.err
    cli.home.unlink()


def test_the_quoted_path_of_a_team_cannot_drive_the_terminal(cli: Cli) -> None:
    ended = cli.run("run", Path("\x1b[2J\u202e.yaml"), "--goal", "What?")
    assert ended.code == 2
    assert not set("\x1b\u202e") & set(ended.err)
