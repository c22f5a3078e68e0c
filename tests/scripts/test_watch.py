"""``ostinato watch``: a run with all that is nested in it, live and after its end, in lines, JSON and a terminal's tree."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from typing import Any

from rich.console import Console

from scripts.tree import RunTree
from tests.scripts.support import ROOT, Cli, interrupt, until
from workers.progress import Progress

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
PLANNED = """team: two
agents:
  reader:
    instructions: Answer from the documents.
    tools: [search_documents]
root:
  kind: supervisor
  name: boss
  workers:
    reader: {node: {kind: agent, agent: reader}}
  subtasks: [{type: reader, task: "When does the harbour open?"}]
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
    early = cli.run("show", "gates", "--step", "boss/s1-1")
    assert (early.code, "has not ended" in early.err, "ostinato watch gates" in early.err) == (2, True, True)
    assert "when the run has ended" in cli.run("show", "gates", "--thread").err
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
    assert "boss/s1-3/2 clumsy: stumble: failed: RuntimeError" in err
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


def _told(path: str, what: str, state: str, **more: Any) -> Progress:
    return Progress(f"worker: {what}", state, path=path, at=time.time(), kind="model", **{"step": what, **more})


def _shown(tree: RunTree, lines: int) -> list[str]:
    console = Console(width=100, height=lines, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(tree.live(), end="")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_tree_higher_than_its_terminal_keeps_what_is_under_way_in_sight() -> None:
    tree = RunTree("run long: team")
    for index in range(1, 41):
        tree.add(_told(f"boss/s1-{index}", "turn 1", "started"))
    tree.add(_told("boss/s1-1", "turn 1", "failed"))
    for index in (2, *range(4, 40)):
        tree.add(_told(f"boss/s1-{index}", "turn 1", "done", is_answer=True))
    small, large = _shown(tree, 24), _shown(tree, 200)
    assert len(small) <= 24
    assert [word for word in ("s1-3 ", "s1-40 ", "38 steps that have ended") if word not in "\n".join(small)] == []
    assert sum("turn 1 running" in line for line in small) == 2
    assert sum("s1-" in line for line in large) == 40
    assert sum("turn 1 failed" in line for line in large) == 1
    # Too much is under way at once: its newest is shown.
    for index in range(50, 90):
        tree.add(_told(f"boss/s1-{index}", "turn 1", "started"))
    shown = _shown(tree, 24)
    assert len(shown) == 24
    assert ("run long" in shown[0], "turn 1 running" in shown[-1], "s1-89 " in shown[-2]) == (True, True, True)


def test_steps_are_closed_by_what_begins_after_them() -> None:
    tree = RunTree("run r: team")
    tree.add(_told("boss/plan-1", "turn 1", "done"))
    tree.add(_told("boss/s1-1", "turn 1", "started"))
    tree.add(_told("boss/s1-1", "turn 1", "done"))
    tree.add(_told("boss/s1-1", "check", "done", is_refused=True))
    tree.add(_told("boss/s1-2", "turn 1", "started"))
    assert "plan-1 worker complete" in "\n".join(_shown(tree, 40))
    assert "s1-1 worker running" in "\n".join(_shown(tree, 40))  # its neighbour runs beside it
    tree.add(_told("boss/s1-1/2", "turn 1", "started"))
    assert "s1-1 worker failed" in "\n".join(_shown(tree, 40))
    assert "attempt 2 worker running" in "\n".join(_shown(tree, 40))
    tree.add(_told("boss/s1-1/2", "turn 1", "done"))
    tree.add(_told("boss/synthesis-1", "turn 1", "started"))
    said = "\n".join(_shown(tree, 40))
    assert "attempt 2 worker complete" in said
    assert "s1-2 worker running" in said  # a call of it is under way, whatever comes after it


def test_a_supervised_run_that_has_ended_names_its_conversations(cli: Cli) -> None:
    (cli.folder / "two.yaml").write_text(PLANNED)
    ended = cli.run("run", "two.yaml", "--goal", "When does the harbour open?", "--input", "documents", "--id", "two")
    assert ended.code in {0, 3}, ended.err
    cli.all_gone()  # the server too, which the next command would share while it ends
    shown = cli.run("show", "two", "--thread")
    assert "conversations by step: ostinato show two --step boss/s1-1" in shown.err
    assert "watch it:" not in shown.out  # the UI ended with the command that showed it
    assert "[assistant]" in cli.run("show", "two", "--step", "boss/s1-1").out
    refused = cli.run("show", "two", "--step", "boss/synthesis-1")
    assert "no conversation" in refused.err or "no step" in refused.err
