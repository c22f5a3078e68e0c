"""``ostinato chat`` as its users run it: processes, with a session that outlives all of them."""

import json
import signal
from typing import Any

from tests.scripts.support import ASK, QUESTION, Cli, interrupt, until

GATED = """team: gated
agents:
  keeper:
    instructions: Ask the gate before you answer.
    tools: [wait_at_gate]
root: {kind: agent, agent: keeper}
"""
WAIT = 'Wait at the gate until it is opened, as "nora".'
KEYS = {
    "run_id",
    "workflow_id",
    "message_id",
    "number",
    "status",
    "output",
    "artifacts",
    "usage",
    "total_tokens",
    "total_cost_usd",
    "missing",
}


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_lines_are_messages_and_a_session_goes_on_after_everything_has_ended(cli: Cli) -> None:
    said = cli.run("chat", ASK, "--input", "documents", "--id", "talk", "--json", given=f"{QUESTION}\n\n{QUESTION}\n")
    assert said.code == 0, said.err
    first, second = lines(said.out)
    assert set(first) == KEYS
    assert (first["run_id"], first["number"], second["number"]) == ("talk", 1, 2)
    assert first["output"]["quotes"][0]["source"] == "harbour.md:3"
    assert "researcher/m1 researcher: turn 1: done" in said.err
    assert "offline model" in said.err
    cli.all_gone()

    # Server and workers are new. The same id is answered without another call of the model.
    one = cli.run("chat", "--id", "talk", "--message", QUESTION, "--message-id", "m-1")
    assert one.code == 0, one.err
    assert "> The harbour opens at six in the morning." in one.out
    again = cli.run("chat", "--id", "talk", "--message", QUESTION, "--message-id", "m-1", "--json").json()
    assert (again["number"], again["message_id"]) == (3, "m-1")
    other = cli.run("chat", "--id", "talk", "--message", "Something else?", "--message-id", "m-1")
    assert (other.code, "another text" in other.err) == (2, True)

    shown = cli.run("show", "talk", "--thread", "--json").json()
    assert shown["status"] == "running"
    assert (shown["session"]["agent"], shown["session"]["messages"]) == ("researcher", 3)
    assert shown["session"]["tokens"] == again["total_tokens"]
    assert [message["text"] for message in shown["thread"] if message["text"] == QUESTION] == [QUESTION] * 3

    assert cli.run("show", "talk").out.count("session with researcher") == 1

    words = cli.run("chat", "--id", "talk", given="/help\n/nope really\n/quit\n")
    assert words.code == 2, words.err
    assert "/end ends the session" in words.err
    assert "there is no /nope, and nothing was sent" in words.err
    assert cli.run("show", "talk", "--json").json()["session"]["messages"] == 3

    ended = cli.run("chat", "--id", "talk", given="/end\n")
    assert (ended.code, "has ended" in ended.err) == (0, True), ended.err
    late = cli.run("chat", "--id", "talk", "--message", "Still there?")
    assert (late.code, "has ended" in late.err, "fix:" in late.err) == (2, True, True)
    kept = cli.run("chat", "--id", "talk", "--message", QUESTION, "--message-id", "m-1", "--json").json()
    assert kept == again
    _exported_and_deleted(cli)


def _exported_and_deleted(cli: Cli) -> None:
    assert cli.run("history", "export", "talk").code == 0
    assert cli.run("replay", "talk.history.json").code == 0
    seen = cli.run("watch", "talk")
    assert (seen.code, "m3 researcher complete" in seen.out) == (0, True)
    assert cli.run("delete", "talk", "--json").json()["deleted"] is True


def test_a_message_whose_worker_was_killed_is_answered_by_the_next_command(cli: Cli) -> None:
    (cli.folder / "gated.yaml").write_text(GATED)
    command = ["chat", "gated.yaml", "--id", "gate", "--message", WAIT, "--message-id", "m1", "--json"]
    killed = cli.start(*command)
    until(lambda: cli.arrived("nora"))
    assert interrupt(killed, signal.SIGKILL).code == -signal.SIGKILL
    again = cli.start(*command)
    until(lambda: cli.calls("nora") == 2)
    cli.open_gate("nora")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    (reply,) = lines(out)
    assert (reply["number"], reply["status"], reply["usage"]["model_calls"]) == (1, "complete", 2)
    assert "goes on: gate" in err
    assert cli.run("stop", "gate", "--json").json()["stopped"] is True


def test_a_command_that_waits_for_an_answer_goes_on_when_the_workers_are_killed(cli: Cli) -> None:
    (cli.folder / "gated.yaml").write_text(GATED)
    deployment = cli.start("up", "--json")
    assert deployment.stdout
    assert json.loads(deployment.stdout.readline())["pools"]
    chat = cli.start("chat", "gated.yaml", "--id", "gate", "--message", WAIT, "--json")
    until(lambda: cli.arrived("nora"))
    assert interrupt(deployment, signal.SIGKILL).code == -signal.SIGKILL
    until(lambda: cli.calls("nora") == 2)
    cli.open_gate("nora")
    out, err = chat.communicate(timeout=60)
    assert chat.returncode == 0, err
    assert lines(out)[0]["status"] == "complete"
    assert "this command goes on with it" in err
    assert "wait_at_gate: failed attempt 1" in err
    assert cli.run("stop", "gate").code == 0


def test_ctrl_c_leaves_and_the_session_stays(cli: Cli) -> None:
    process = cli.start("chat", ASK, "--input", "documents", "--id", "left")
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{QUESTION}\n")
    process.stdin.flush()
    said = ""
    while "harbour.md:3" not in said:
        said = process.stdout.readline()
        assert said, "it ended"
    ended = interrupt(process, signal.SIGINT)
    assert ended.code == 130
    assert "--id left goes on with it" in ended.err
    assert "Traceback" not in ended.err
    assert cli.run("show", "left", "--json").json()["status"] == "running"
    assert cli.run("stop", "left").code == 0


def test_what_cannot_be_is_said_in_a_sentence(cli: Cli) -> None:
    for arguments, problem in (
        (["chat"], "there is nobody to talk to"),
        (["chat", "--id", "nobody", "--message", "x"], "there are no runs"),
        (["chat", str(ASK), "--agent", "resarcher"], "has no agent 'resarcher'"),
        (["chat", str(ASK), "--message-id", "m"], "needs its message"),
        (["chat", str(ASK), "--id", "a b"], "the run id"),
        (["chat", "gated.yaml"], "has no agents"),
    ):
        ended = cli.run(*arguments)
        assert (ended.code, problem in ended.err, "fix:" in ended.err) == (2, True, True), ended.err
    assert not (cli.home / "server").exists()

    assert cli.ask("--id", "a-run").code == 0
    for arguments, problem in (
        (["--id", "a-run", "--message", "x"], "is a run, and no session"),
        (["--id", "nobody", "--message", "x"], "there is no session 'nobody'"),
    ):
        ended = cli.run("chat", *arguments)
        assert (ended.code, problem in ended.err, "fix:" in ended.err) == (2, True, True), ended.err
    refused = cli.run("chat", ASK, "--id", "small", given=f"{'x' * 33_000}\n{QUESTION}\n/quit\nnever\n")
    assert refused.code == 2
    assert "33,000 characters" in refused.err
    assert "message 1:" in refused.err
    assert "message 2:" not in refused.err
    assert cli.run("stop", "small").code == 0
