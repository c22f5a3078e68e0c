"""Commands next to a deployment: ``ostinato up`` runs, and everything else uses it."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scripts.support import ASK, QUESTION, Cli, interrupt, until


class Up:
    """A user with a running deployment."""

    def __init__(self, cli: Cli) -> None:
        self.cli = cli
        self.process = cli.start("up", "--json")
        assert self.process.stdout
        self.ready = json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def up(new_user: Callable[[], Cli]) -> Iterator[Up]:
    running = Up(new_user())
    yield running
    ended = interrupt(running.process, signal.SIGTERM)
    assert ended.code == 0, ended.err


@pytest.fixture(scope="module")
def asked(up: Up) -> str:
    """A run that has ended."""
    ended = up.cli.ask("--json", "--id", "asked")
    assert ended.code == 0, ended.err
    return "asked"


def stored(cli: Cli, run_id: str) -> list[Path]:
    return sorted((cli.home / "store" / "lineages" / run_id).rglob("*"))


def test_up_says_where_it_is(up: Up) -> None:
    assert up.ready["address"].startswith("127.0.0.1:")
    assert up.ready["ui"].startswith("http://127.0.0.1:")
    assert up.ready["pools"][:3] == ["workflows", "tools", "models-offline"]
    assert {"models-openai", "models-anthropic", "models-gemini"} <= set(up.ready["pools"])


def test_a_second_up_is_refused(up: Up) -> None:
    ended = up.cli.run("up")
    assert ended.code == 2
    assert up.ready["address"] in ended.err
    assert "fix:" in ended.err


def test_doctor_finds_all_of_it(up: Up) -> None:
    ended = up.cli.run("doctor", "--json")
    found = {check["what"]: check["state"] for check in ended.json()["checks"]}
    assert ended.code == 0
    assert found["server"] == found["pools"] == found["search attributes"] == found["store binding"] == "ok"


def test_doctor_never_prints_a_key(up: Up) -> None:
    up.cli.extra["OPENAI_API_KEY"] = "sk-secret-secret-secret"
    ended = up.cli.run("doctor")
    del up.cli.extra["OPENAI_API_KEY"]
    assert "a key is set" in ended.out
    assert "secret" not in ended.out + ended.err


def test_the_second_run_of_an_id_prints_the_result_of_the_first(up: Up, asked: str) -> None:
    before, first = stored(up.cli, asked), (up.cli.home / "runs" / asked / "result.json").read_text()
    ended = up.cli.ask("--json", "--id", asked)
    assert ended.json() == json.loads(first)
    assert "note:" not in ended.err
    assert stored(up.cli, asked) == before


def test_what_differs_from_the_run_of_that_id_is_said(up: Up, asked: str) -> None:
    other = up.cli.folder / "other"
    other.mkdir()
    (other / "a.txt").write_text("Another document.")
    ended = up.cli.run("run", ASK, "--goal", "Something else?", "--input", other, "--id", asked, "--json")
    assert ended.code == 0
    assert "another goal and another input" in ended.err
    assert "six in the morning" in ended.json()["output"]["answer"]


def test_show_tells_the_run_and_its_thread(up: Up, asked: str) -> None:
    ended = up.cli.run("show", asked, "--thread", "--json")
    value = ended.json()
    assert (value["status"], value["goal"], value["input"]["files"]) == ("complete", QUESTION, 1)
    assert value["ui"].endswith(f"/workflows/{asked}")
    assert [message["role"] for message in value["thread"]][:3] == ["user", "assistant", "tool"]
    assert value["steps"][0]["agent"] == "ask/researcher@1"
    shown = up.cli.run("show", asked, "--thread").out
    assert "offline model" in shown
    assert "-> search_documents" in shown


def test_an_unknown_run_names_the_nearest(up: Up, asked: str) -> None:
    until(lambda: asked in up.cli.run("show", "askd").err)
    ended = up.cli.run("show", "askd")
    assert ended.code == 2
    assert "did you mean 'asked'?" in ended.err


def test_detach_leaves_the_run_to_the_deployment_and_run_attaches(up: Up) -> None:
    gated = ["run", "gated.yaml", "--goal", "anna", "--id", "gated-anna", "--json"]
    detached = up.cli.run(*gated, "--detach")
    assert (detached.code, detached.json()["status"]) == (0, "running"), detached.err
    until(lambda: up.cli.arrived("anna"))
    assert up.cli.run("show", "gated-anna", "--json").json()["status"] == "running"
    attached = up.cli.start(*gated)
    assert attached.stderr
    assert any("attached to run gated-anna" in line for line in attached.stderr)
    up.cli.open_gate("anna")
    out, err = attached.communicate(timeout=60)
    assert attached.returncode == 0, err
    assert json.loads(out)["output"] == "anna went through"
    assert up.cli.calls("anna") == 1


def test_ctrl_c_leaves_the_run_to_the_deployment(up: Up) -> None:
    process = up.cli.start("run", "gated.yaml", "--goal", "berta", "--id", "gated-berta")
    until(lambda: up.cli.arrived("berta"))
    ended = interrupt(process, signal.SIGINT)
    assert ended.code == 130
    assert "goes on without this command" in ended.err
    assert "Traceback" not in ended.err
    refused = up.cli.run("delete", "gated-berta")
    assert refused.code == 2
    assert "ostinato stop gated-berta" in refused.err
    assert up.cli.run("stop", "gated-berta", "--json").json()["stopped"] is True
    shown = up.cli.run("show", "gated-berta", "--json").json()
    assert shown["failure"]["kind"] == "cancelled"
    again = up.cli.run("stop", "gated-berta")
    assert again.code == 0
    assert "has ended already" in again.out


def test_a_forced_stop_ends_a_run_at_once(up: Up) -> None:
    up.cli.run("run", "gated.yaml", "--goal", "carl", "--id", "gated-carl", "--detach")
    until(lambda: up.cli.arrived("carl"))
    assert up.cli.run("stop", "gated-carl", "--force").code == 0
    assert up.cli.run("show", "gated-carl", "--json").json()["status"] == "failed"
    up.cli.open_gate("carl")


def test_a_failed_run_exits_with_1_and_says_why(up: Up) -> None:
    (up.cli.folder / "stumble.yaml").write_text(
        "team: s\nroot: {kind: call, tool: stumble, arguments: {what: $goal}}\n"
    )
    ended = up.cli.run("run", "stumble.yaml", "--goal", "\x1b[31mred", "--json")
    assert ended.code == 1
    value = ended.json()
    assert (value["status"], value["failure"]["kind"]) == ("failed", "tool_failed")
    assert value["usage"]["model_calls"] == 0
    assert "error:" in ended.err
    assert "\x1b" not in ended.out + ended.err


def test_delete_leaves_nothing(up: Up) -> None:
    assert up.cli.ask("--id", "doomed").code == 0
    assert stored(up.cli, "doomed")
    ended = up.cli.run("delete", "doomed", "--json")
    assert ended.json()["deleted"] is True, ended.err
    assert not [path for path in stored(up.cli, "doomed") if path.is_file()]
    assert not (up.cli.home / "runs" / "doomed").exists()
    assert up.cli.run("delete", "doomed").code == 2


def test_an_exported_history_replays_and_a_changed_one_does_not(up: Up, asked: str, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    exported = up.cli.run("history", "export", asked, "--output", bundles / "good.json", "--json")
    assert exported.json()["executions"] == 1, exported.err
    good = up.cli.run("replay", bundles)
    assert (good.code, good.out.startswith("ok ")) == (0, True), good.out
    text = (bundles / "good.json").read_text()
    (bundles / "bad.json").write_text(text.replace('"tool.call"', '"tool.called"'))
    bad = up.cli.run("replay", bundles, "--json")
    assert bad.code == 1
    assert [replay["state"] for replay in bad.json()["replays"]] == ["failed", "ok"]
    (bundles / "bad.json").write_text(text[:-100])
    assert up.cli.run("replay", bundles).code == 2


def test_a_reader_that_leaves_is_no_error(up: Up, asked: str) -> None:
    process = up.cli.start("show", asked, "--thread")
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    said = process.stderr.read()
    process.wait(timeout=60)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    for pipe in (process.stdin, process.stderr):
        with contextlib.suppress(OSError):
            assert pipe
            pipe.close()


def test_a_worker_without_its_providers_key_is_refused(up: Up) -> None:
    ended = up.cli.run("worker", "models-openai")
    assert ended.code == 2
    assert "OPENAI_API_KEY" in ended.err


def test_a_health_address_that_is_taken_is_said(up: Up) -> None:
    up.cli.extra["OSTINATO_HEALTH_ADDRESS"] = up.ready["address"]
    ended = up.cli.run("worker", "tools")
    del up.cli.extra["OSTINATO_HEALTH_ADDRESS"]
    assert ended.code == 2
    assert "OSTINATO_HEALTH_ADDRESS" in ended.err


def test_a_worker_serves_the_server_that_runs_and_logs_json(up: Up) -> None:
    worker = up.cli.start("worker", "tools", "models-offline", "--json")
    assert worker.stdout
    assert json.loads(worker.stdout.readline())["pools"] == ["tools", "models-offline"]
    ended = interrupt(worker, signal.SIGTERM)
    assert ended.code == 0
    said = [line for line in ended.err.splitlines() if line.startswith("{")]
    assert all(json.loads(line)["event"] for line in said)
