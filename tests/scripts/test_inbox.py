"""``ostinato inbox`` and ``ostinato decide`` as people use them: processes, with nobody serving and with a deployment."""

import json
import signal

import httpx

from tests.scripts.support import Cli, interrupt

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


def test_a_run_that_was_killed_is_decided_by_id_and_goes_on(cli: Cli) -> None:
    user(cli)
    command = ["run", "letters.yaml", "--goal", "Write it.", "--id", "r1", "--json"]
    process = cli.start(*command)
    assert process.stderr
    assert any("waits for nora, ben: Is this" in line for line in process.stderr)
    # Keeps the server, and works on nothing that this run needs.
    other = cli.start("worker", "models-offline", "--json")
    assert other.stdout
    assert json.loads(other.stdout.readline())["pools"] == ["models-offline"]
    assert interrupt(process, signal.SIGKILL).code == -signal.SIGKILL

    listed = cli.run("inbox")
    assert "r1~pipeline~check~ask" in listed.out
    assert "ostinato decide r1~pipeline~check~ask --approve|--edit|--reject" in listed.out
    assert "for nora, ben; until" in listed.out
    assert "decide: ostinato decide r1~pipeline~check~ask --approve|--edit|--reject" in cli.run("show", "r1").out
    (task,) = cli.run("inbox", "--json", "--person", "BEN").json()["tasks"]
    assert (task["question"], task["context"], task["default"]) == ("Is this the number?", {"input": 42}, "reject")

    for arguments, problem in (
        (["r1", "--approve"], "did you mean 'r1~pipeline~check~ask'"),
        (["r1~pipeline~check~ask", "--approve", "--as", "eve"], "'eve' may not decide this"),
    ):
        ended = cli.run("decide", *arguments)
        assert (ended.code, problem in ended.err, "fix:" in ended.err) == (2, True, True), ended.err

    # Nobody serves: this command checks and takes the decision itself.
    decision = ["decide", "r1~pipeline~check~ask", "--edit", "43", "--reason", "it is one more"]
    said = cli.run(*decision)
    assert said.code == 0, said.err
    assert "edit by nora: Is this the number?" in said.out
    assert "no worker serves the run r1" in said.err
    again = cli.run(*decision, "--json").json()
    assert (again["by"], again["answer"], again["served"]) == ("nora", 43, False)

    assert interrupt(other, signal.SIGTERM).code == 0
    result = cli.run(*command).json()
    assert (result["status"], result["output"]) == ("complete", 43)


def test_a_deployment_waits_and_is_decided_over_http(cli: Cli) -> None:
    user(cli)
    deployment = cli.start("up", "--json")
    assert deployment.stdout
    ready = json.loads(deployment.stdout.readline())
    run = cli.start("run", "letters.yaml", "--goal", "Write it.", "--id", "r2")
    assert run.stderr
    waits = next(line for line in run.stderr if "waits for" in line)
    update = {
        "request": {"meta": {"updateId": "u1"}, "input": {"args": [{"by": "ben", "choice": "approve"}]}},
        "waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"},
    }
    url = f"{ready['http']}/api/v1/namespaces/default/workflows/r2~pipeline~check~ask/update/decide"
    said = httpx.post(url, json=update).json()
    assert said["outcome"]["success"][0]["by"] == "ben"
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out.strip().splitlines()[0]) == (0, "42"), err
    assert (
        "pipeline/check/ask waits for nora, ben: Is this the number? (ostinato decide r2~pipeline~check~ask)" in waits
    )
    assert "pipeline/check/ask done approve by ben" in err
    assert "look for a decision" not in err
    # Over, and so it waits for nobody; the tree says who decided.
    assert cli.run("inbox").out == "nothing waits for nora\n"
    assert "approve by ben" in cli.run("watch", "r2").out
    assert interrupt(deployment, signal.SIGINT).code == 0
