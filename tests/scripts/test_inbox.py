"""``ostinato inbox`` and ``ostinato decide`` as people use them: processes, with nobody serving and with a deployment."""

import json
import signal
from typing import Any

import httpx

from tests.scripts.support import Cli, interrupt, until

TEAM = """team: letters
people: {people: [nora, ben], seconds: 86400, default: reject}
root:
  kind: pipeline
  seconds: 90000
  stages:
    - {kind: call, name: write, tool: add_one, arguments: {number: 41}}
    - kind: person
      name: check
      question: Is this the number?
      choices: [approve, edit, reject]
      answer: {type: integer}
"""
TOOL = '''"""Tools of this user."""

from activities.tools.base import tool


@tool(effect="read")
def add_one(number: int) -> int:
    """Add one."""
    return number + 1
'''


def user(cli: Cli) -> Cli:
    (cli.folder / "letters.yaml").write_text(TEAM)
    (cli.folder / "letter_tools.py").write_text(TOOL)
    cli.extra |= {"OSTINATO_TOOL_MODULES": "letter_tools", "OSTINATO_USER": "nora"}
    return cli


def inbox(cli: Cli, *options: str) -> list[dict[str, Any]]:
    tasks = cli.run("inbox", "--json", *options).json().get("tasks", [])  # none where nothing was ever run
    assert isinstance(tasks, list)
    return tasks


def test_a_run_that_was_killed_is_decided_by_id_and_goes_on(cli: Cli) -> None:
    user(cli)
    command = ["run", "letters.yaml", "--goal", "Write it.", "--id", "r1", "--json"]
    process = cli.start(*command)
    until(lambda: inbox(cli), by=process)
    assert interrupt(process, signal.SIGKILL).code == -signal.SIGKILL

    listed = cli.run("inbox")
    assert "r1~pipeline~check~ask" in listed.out
    assert "ostinato decide r1~pipeline~check~ask --approve|--edit|--reject" in listed.out
    assert "for nora, ben; until" in listed.out
    assert "1 more wait for other people" in cli.run("inbox", "--person", "eve").err
    assert inbox(cli, "--person", "BEN") == inbox(cli, "--all") != []
    (task,) = inbox(cli)
    assert (task["question"], task["context"], task["default"]) == ("Is this the number?", {"input": 42}, "reject")

    for arguments, problem in (
        (["r1"], "one of --approve, --reject, --edit and --answer"),
        (["r1", "--approve"], "there is no human task 'r1'"),
        (["r1~pipeline~check~asc", "--approve"], "there is no human task"),
        (["r1~pipeline~check~ask", "--approve", "--as", "eve"], "'eve' may not decide this"),
        (["r1~pipeline~check~ask", "--edit", "many"], "does not fit what is asked for"),
        (["r1~pipeline~check~ask", "--answer", "43"], "answer is not offered here"),
    ):
        ended = cli.run("decide", *arguments)
        assert (ended.code, problem in ended.err, "fix:" in ended.err) == (2, True, True), ended.err
    assert "did you mean 'r1~pipeline~check~ask'" in cli.run("decide", "r1", "--approve").err

    # Nobody serves: this command checks and takes the decision itself.
    decision = ["decide", "r1~pipeline~check~ask", "--edit", "43", "--reason", "it is one more"]
    said = cli.run(*decision)
    assert said.code == 0, said.err
    assert "edit by nora: Is this the number?" in said.out
    assert "no worker serves the run r1" in said.err
    again = cli.run(*decision, "--json").json()
    assert (again["by"], again["answer"], again["served"]) == ("nora", 43, False)
    assert cli.run("inbox").out == "nothing waits for nora\n"
    late = cli.run("decide", "r1~pipeline~check~ask", "--reject")
    assert (late.code, "nora decided already: edit" in late.err) == (2, True), late.err

    result = cli.run(*command).json()
    assert (result["status"], result["output"]) == ("complete", 43)
    closed = cli.run("decide", "r1~pipeline~check~ask", "--reject")
    assert (closed.code, "takes no decision any more: decided" in closed.err) == (2, True), closed.err


def test_a_deployment_waits_and_is_decided_over_http(cli: Cli) -> None:
    user(cli)
    deployment = cli.start("up", "--json")
    assert deployment.stdout
    ready = json.loads(deployment.stdout.readline())
    run = cli.start("run", "letters.yaml", "--goal", "Write it.", "--id", "r2")
    until(lambda: inbox(cli), by=run)
    (task,) = inbox(cli)
    update = {
        "request": {"meta": {"updateId": "u1"}, "input": {"args": [{"by": "ben", "choice": "approve"}]}},
        "waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"},
    }
    url = f"{ready['http']}/api/v1/namespaces/default/workflows/{task['task_id']}/update/decide"
    said = httpx.post(url, json=update).json()
    assert said["outcome"]["success"][0]["by"] == "ben"
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out.strip().splitlines()[0]) == (0, "42"), err
    assert "pipeline/check/ask waits for nora, ben: Is this the number? (ostinato decide r2~pipeline~check~ask)" in err
    assert "pipeline/check/ask done approve by ben" in err
    assert "look for a decision" not in err
    seen = cli.run("watch", "r2")
    assert "approve by ben" in seen.out
    assert interrupt(deployment, signal.SIGINT).code == 0
