"""``ostinato run`` without a deployment: server and workers in its own process, and a run that outlives it."""

import json
import os
import signal
import time
from pathlib import Path

from tests.scripts.support import ASK, QUESTION, Cli, interrupt, until

KEYS = {
    "run_id",
    "workflow_id",
    "status",
    "output",
    "artifacts",
    "usage",
    "steps",
    "agents",
    "effects",
    "missing",
    "notes",
}
USAGE = {"input_tokens", "output_tokens", "cost_usd", "model_calls", "tool_calls"}
STEP = {"agent", "step", "status", "attempts", "tokens", "cost_usd", "milliseconds", "model", "task", "reason"}


def test_a_question_is_answered_from_documents_with_its_source(cli: Cli) -> None:
    (cli.documents / "odd\n\x1b]0;name\x07.md").write_text("The odd harbour opens \x1b[31mnever\x1b[0m in winter.\n")
    (cli.documents / "binary.md").write_bytes(b"\0\1\2")
    (cli.documents / "western.txt").write_bytes("Müller waits.\n".encode("cp1252"))
    (cli.documents / "link.md").symlink_to("/etc/hostname")
    text = cli.ask()
    assert text.code == 0, text.err
    assert "(offline model: extractive, no language model)" in text.out
    assert "> The harbour opens at six in the morning." in text.out
    assert "> -- harbour.md:3" in text.out
    assert "missing: input file binary.md: binary" in text.out
    assert "note: input file western.txt: 1 line is not UTF-8 and was read as Windows-1252" in text.out
    assert "missing: input file link.md: a symbolic link" in text.out
    assert "researcher: turn 1: done" in text.err
    assert "/namespaces/default/workflows/ask-" in text.err
    answer = Path(text.out.rsplit("saved: ", 1)[1].strip())
    assert "six in the morning" in (cli.folder / answer).read_text()

    ended = cli.ask("--json", "--id", "as-json", "--include", "harbour.md")
    value = ended.json()
    assert ended.code == 0, ended.err
    assert set(value) == KEYS
    assert set(value["usage"]) == USAGE
    assert set(value["steps"][0]) == STEP
    assert (value["run_id"], value["workflow_id"], value["status"]) == ("as-json", "as-json", "complete")
    assert value["output"]["quotes"][0] == {
        "source": "harbour.md:3",
        "quote": "The harbour opens at six in the morning.",
    }
    assert [Path(path).name for path in value["artifacts"]] == ["result.json", "answer.md"]
    assert all(Path(path).is_file() for path in value["artifacts"])

    hostile = cli.run("run", ASK, "--goal", "When does the odd harbour open in winter?", "--input", "documents")
    assert "\\x1b[31mnever" in hostile.out
    assert not set("\x1b\x07") & set(hostile.out + hostile.err)
    cli.all_gone()

    # Nothing runs any more: the run is shown all the same, by a server that comes up for it.
    assert cli.run("show", "as-json", "--json").json()["status"] == "complete"


def test_a_killed_run_is_taken_up_again_by_the_same_command(cli: Cli) -> None:
    command = ["run", "gated.yaml", "--goal", "dora", "--id", "again", "--json"]
    killed = cli.start(*command)
    until(lambda: cli.arrived("dora"), by=killed)
    assert interrupt(killed, signal.SIGKILL).code == -signal.SIGKILL
    again = cli.start(*command)
    until(lambda: cli.calls("dora") == 2, by=again)
    cli.open_gate("dora")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert '"dora went through"' in out
    assert '"attempts": 2' in out
    assert "attached to run again" in err
    assert "attempt 1" in err


def test_ctrl_c_ends_an_embedded_run_at_once_and_stop_ends_it_for_good(cli: Cli) -> None:
    command = ["run", "gated.yaml", "--goal", "emil", "--id", "later"]
    process = cli.start(*command)
    until(lambda: cli.arrived("emil"))
    process.send_signal(signal.SIGINT)
    assert process.stderr
    said = [process.stderr.readline()]
    while said[-1] and "Ctrl-C" not in said[-1]:
        said.append(process.stderr.readline())
    begun = time.monotonic()
    ended = interrupt(process, signal.SIGINT)
    assert ended.code == 130
    assert time.monotonic() - begun < 5
    assert any("--id later goes on with it" in line for line in said)
    assert "Traceback" not in "".join(said) + ended.err
    # No worker is there: stop brings one.
    assert cli.run("stop", "later", "--json").json() == {
        "run_id": "later",
        "workflow_id": "later",
        "stopped": True,
        "status": "failed",
    }
    shown = cli.run("show", "later").out
    assert "failed, 1 attempts" in shown  # its one step, although the run has no result of its own
    assert "failure: cancelled" in shown
    assert "fix:" not in shown
    again = cli.run(*command)
    assert again.code == 1
    assert "ended already: run later" in again.err


def test_a_run_goes_on_when_the_workers_that_served_it_end(cli: Cli) -> None:
    first = cli.start("run", "gated.yaml", "--goal", "first", "--id", "first")
    until(lambda: cli.arrived("first"))
    detached = cli.run("run", "gated.yaml", "--goal", "third", "--detach")
    assert (detached.code, "fix:" in detached.err) == (2, True)  # workers that leave with their run are no deployment
    second = cli.start("run", "gated.yaml", "--goal", "second", "--id", "second")
    until(lambda: cli.arrived("second"))
    assert interrupt(first, signal.SIGKILL).code == -signal.SIGKILL
    killed = time.monotonic()
    assert second.stderr
    assert any("this command goes on with it" in line for line in second.stderr)
    assert time.monotonic() - killed < 30  # the server itself remembers the dead worker for minutes
    for who in ("first", "second"):
        cli.open_gate(who)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert "second went through" in out


def test_a_partial_result_exits_with_3_and_says_what_is_missing(cli: Cli) -> None:
    team = (
        ASK.read_text()
        .replace("      turns: 8\n", "      model_calls: 1\n")
        .replace("    tier: small\n", "    tier: small\n    on_limit: partial\n")
    )
    (cli.folder / "short.yaml").write_text(
        team.replace("tools: [search_documents, read_document]", "tools: []").replace(
            "checks: [check_quotes]", "checks: [picky]"
        )
    )
    ended = cli.run("run", "short.yaml", "--goal", QUESTION, "--input", "documents", "--json")
    value = ended.json()
    assert (ended.code, value["status"]) == (3, "partial"), ended.err
    assert value["failure"]["kind"] == "limit_exceeded"
    assert value["failure"]["message"] in value["missing"]


def test_run_says_soon_that_its_server_does_not_answer(cli: Cli) -> None:
    process = cli.start("run", "gated.yaml", "--goal", "olga", "--id", "lost")
    until(lambda: cli.arrived("olga"))
    state = json.loads((cli.home / "server" / "state.json").read_text())
    os.kill(state["keeper_pid"], signal.SIGKILL)
    os.kill(state["server_pid"], signal.SIGKILL)
    killed = time.monotonic()
    assert process.stderr
    assert any("the Temporal server does not answer: waiting up to 60 s" in line for line in process.stderr)
    assert time.monotonic() - killed < 20  # the SDK alone would say it after a minute
    assert interrupt(process, signal.SIGKILL).code == -signal.SIGKILL


def test_up_ends_with_a_reason_when_its_server_and_keeper_are_killed(cli: Cli) -> None:
    process = cli.start("up", "--json")
    assert process.stdout
    assert json.loads(process.stdout.readline())["pools"]
    state = json.loads((cli.home / "server" / "state.json").read_text())
    os.kill(state["keeper_pid"], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "killed together with its keeper" in err
    assert "fix:" in err
