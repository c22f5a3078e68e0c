"""``ostinato watch``: a run with all that is nested in it, live and after its end, in lines, JSON and a terminal's tree."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from typing import Any

from tests.scripts.support import ROOT, Cli, interrupt, until

TEAM = """team: gates
root:
  kind: supervisor
  name: boss
  workers:
    gate:
      node: {kind: call, name: gate, tool: wait_at_gate, arguments: {who: $task}}
    group:
      node:
        kind: supervisor
        name: group
        workers:
          inner: {node: {kind: call, name: inner, tool: wait_at_gate, arguments: {who: $task}}}
        subtasks: [{type: inner, task: deep}]
    clumsy:
      node: {kind: call, name: clumsy, tool: stumble, arguments: {what: $task}}
      attempts: 2
  subtasks:
    - {type: gate, task: flat}
    - {type: group, task: all of it}
    - {type: clumsy, task: fall}
"""
STEPS = {"boss/s1-1", "boss/s1-2", "boss/s1-2/s1-1", "boss/s1-3", "boss/s1-3/2"}


def start(cli: Cli) -> "subprocess.Popen[str]":
    """A run that waits at two gates, one of them in a nested workflow."""
    (cli.folder / "gates.yaml").write_text(TEAM)
    run = cli.start("run", "gates.yaml", "--goal", "Go.", "--id", "gates")
    until(lambda: cli.arrived("flat") and cli.arrived("deep"))
    return run


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_supervised_run_is_watched_live_with_everything_nested(cli: Cli) -> None:
    run = start(cli)
    plain, as_json = cli.start("watch", "gates"), cli.start("watch", "gates", "--json")
    assert plain.stdout
    assert as_json.stdout
    seen: list[dict[str, Any]] = []
    while {"boss/s1-1", "boss/s1-2/s1-1"} - {entry["path"] for entry in seen if entry["state"] == "started"}:
        seen.append(json.loads(as_json.stdout.readline()))
    assert "boss supervisor: started" in plain.stdout.readline()
    cli.open_gate("flat")
    cli.open_gate("deep")
    out, err = run.communicate(timeout=60)
    assert run.returncode == 3, err  # partial: the clumsy one was given up
    assert "boss/s1-2/s1-1 inner: wait_at_gate: done" in err
    assert "boss/s1-3/2 clumsy: stumble: done" in err
    assert '"given_up"' in out

    said, _ = plain.communicate(timeout=60)
    assert plain.returncode == 3
    assert re.search(r"\d\d:\d\d:\d\d boss/s1-2/s1-1 inner: wait_at_gate: done \(\d+\.\d s\)", said)
    assert "answered with an error: raised" in said
    assert "├── s1-1 gate complete" in said
    assert "attempt 2 clumsy failed" in said
    rest, _ = as_json.communicate(timeout=60)
    assert as_json.returncode == 3
    seen += objects(rest)
    assert {entry["path"] for entry in seen if "path" in entry} == {"boss", *STEPS}
    assert (seen[-1]["run_id"], seen[-1]["status"]) == ("gates", "partial")
    ends = [entry for entry in seen if entry.get("kind") == "workflow" and entry["state"] == "done"]
    assert [entry["path"] for entry in ends] == ["boss/s1-2", "boss"]
    cli.all_gone()

    # It has ended, and so has everything that ran it: the same tree, and the same lines of JSON.
    later = cli.run("watch", "gates")
    assert later.code == 3
    assert later.out[later.out.index("├──") :] == said[said.index("├──") :]
    again = objects(cli.run("watch", "gates", "--json").out)
    assert {entry["path"] for entry in again if "path" in entry} == {"boss", *STEPS}
    missing = cli.run("watch", "gate")
    assert (missing.code, "did you mean 'gates'" in missing.err) == (2, True)


def test_a_terminal_shows_a_tree_that_grows_and_a_killed_server_does_not_end_it(cli: Cli) -> None:
    run = start(cli)
    ours, theirs = pty.openpty()
    watching = subprocess.Popen(
        [sys.executable, "-m", "scripts.cli", "watch", "gates"],
        cwd=cli.folder,
        env={**cli.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    assert "s1-1 gate running" in _until_shown(ours, "wait_at_gate running")
    os.kill(json.loads((cli.home / "server" / "state.json").read_text())["server_pid"], signal.SIGKILL)
    cli.open_gate("flat")
    cli.open_gate("deep")
    _, err = run.communicate(timeout=60)
    assert run.returncode == 3, err
    final = _until_shown(ours, "run gates: partial")
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 3, err
    os.close(ours)
    assert "s1-2 supervisor complete" in final


def test_ctrl_c_ends_watching_and_nothing_else(cli: Cli) -> None:
    run = start(cli)
    watching = cli.start("watch", "gates", "--json")
    assert watching.stdout
    assert json.loads(watching.stdout.readline())["path"] == "boss"
    ended = interrupt(watching, signal.SIGINT)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert run.poll() is None
    cli.open_gate("flat")
    cli.open_gate("deep")
    run.communicate(timeout=60)
    assert run.returncode == 3


def _until_shown(terminal: int, wanted: str) -> str:
    """What a terminal shows, until the wanted text is there. Bounded by the test's own time limit."""
    shown = ""
    while wanted not in (bare := re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)):
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other side has closed
            part = b""
        assert part, f"{wanted!r} was never shown: {shown[-2000:]}"
        shown += part.decode("utf-8", "replace")
    return bare
