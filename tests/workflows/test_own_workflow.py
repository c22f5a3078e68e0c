"""Patterns of one's own: the README's is followed literally; the door's promises are kept on a real server."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.scripted import says
from workers.admission import RunOrder, admit
from workers.bundles import export_bundle, replay_bundle
from workers.own_workflows import load_workflows
from workers.pools import ALL_WORKFLOWS
from workers.runs import read_result
from workers.settings import Settings
from workflows.contracts import RunStatus
from workflows.teams.tree import TeamSpec

ROOT = Path(__file__).parents[2]
MODULE = "tests.support.own_workflow"

Own = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def own(workers: Workers) -> Own:
    """Workers that know the workflow of ``tests.support.own_workflow``."""

    @asynccontextmanager
    async def start(script: Any) -> AsyncIterator[Bench]:
        async with workers(script, workflow_modules=(MODULE,)) as bench:
            yield bench

    return start


def team(do: str, **node: Any) -> TeamSpec:
    nodes = {
        "a": {"kind": "agent", "agent": "a"},
        "b": {"kind": "agent", "agent": "b"},
        "echo": {"kind": "call", "name": "echo", "tool": "echo"},
        "explode": {"kind": "call", "name": "explode", "tool": "explode"},
    }
    root = {
        "kind": "workflow",
        "name": "own",
        "workflow": "tested_pattern",
        "nodes": nodes,
        "arguments": {"do": do},
        **node,
    }
    limits = {"model_calls": 3, "tool_calls": 2}
    agents = {name: {"instructions": f"You are {name}.", "limits": limits, "tools": ["add"]} for name in "ab"}
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def numbered(call: ProviderCall, index: int) -> ProviderAnswer:
    del call
    return says(f"answer {index}")


async def test_all_kinds_of_steps_go_the_way_that_every_step_goes(own: Own, settings: Settings) -> None:
    async with own(numbered) as bench:
        run = await bench.admit(team("all"), "the goal")
        result = await bench.finish(run)
        bundle = await export_bundle(bench.deployment.client, bench.deployment.store, run.scope_id)
    assert result.status is RunStatus.COMPLETE
    assert result.output == ["answer 2", "$goal"], "what code passes to a tool is passed as it is"
    assert [step.step for step in result.steps] == ["own/a", "own/a.2", "own/echo", "own/b"]
    assert [(commit.key, commit.value) for commit in result.state] == [
        ("a", "answer 0"),
        ("a", "answer 1"),
        ("echo", "$goal"),
        ("b", "answer 2"),
    ]
    assert [report.step for report in result.handoffs] == ["own/a", "own/a.2", "own/echo", "own/b"]
    first, second, third = bench.provider.calls
    assert first.messages[-1].text == 'Say something.\n\nInput:\n{"on": "the goal"}'
    assert len(second.messages) == 3, "the conversation goes on"
    assert [bool(call.tools) for call in (first, second, third)] == [False, False, True]
    await replay_bundle(bundle, settings.model_copy(update={"workflow_modules": (MODULE,)}))


async def test_it_is_a_node_like_any_other(own: Own) -> None:
    inner = team("all").root.model_dump(by_alias=True)
    spec = team("all").model_dump(by_alias=True)
    spec["root"] = {
        "kind": "pipeline",
        "stages": [inner, {"kind": "call", "tool": "echo", "arguments": {"text": "$goal"}}],
    }
    async with own(numbered) as bench:
        result = await bench.run(TeamSpec.model_validate(spec, extra="forbid"), "the goal")
    assert result.output == "the goal"
    assert [step.step for step in result.steps][:2] == ["pipeline/own/a", "pipeline/own/a.2"]


async def test_steps_side_by_side_have_names_of_their_own(own: Own) -> None:
    async with own(numbered) as bench:
        result = await bench.run(team("side by side"))
    assert {step.step for step in result.steps} == {"own/a", "own/a.2", "own/a.3"}
    assert sorted(result.output) == ["answer 0", "answer 1", "answer 2"]  # type: ignore[arg-type, type-var] # a list of texts


async def test_where_one_of_several_fails_the_others_are_ended_and_counted(own: Own) -> None:
    async def slow(call: ProviderCall, index: int) -> ProviderAnswer:
        del call, index
        await asyncio.sleep(60)
        return says("too late")

    async with own(slow) as bench:
        result = await asyncio.wait_for(bench.run(team("one fails")), 30)
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert "explode" in result.failure.message
    assert {step.step for step in result.steps} == {"own/b", "own/explode"}


async def test_a_failed_step_that_is_caught_makes_the_result_partial(own: Own) -> None:
    async with own(numbered) as bench:
        result = await bench.run(team("catch"))
    assert result.status is RunStatus.PARTIAL
    assert str(result.output).startswith("explode: ")
    assert result.missing[0].startswith("explode failed: ")


FAILURES = {
    "swallow": (FailureKind.LIMIT_EXCEEDED, "the workflow 'own' makes more than 4 steps"),
    "swallow all": (FailureKind.LIMIT_EXCEEDED, "the workflow 'own' makes more than 4 steps"),
    "result": (
        FailureKind.CONFIGURATION_INVALID,
        "the workflow 'own' returns a RunResult, which is no JSON value (own_",
    ),
    "tuple": (
        FailureKind.CONFIGURATION_INVALID,
        "the workflow 'own' returns a tuple at pair[0], which is no JSON value",
    ),
    "nan": (FailureKind.CONFIGURATION_INVALID, "the workflow 'own' returns the number nan at [1], which is no JSON"),
    "for ever": (FailureKind.LIMIT_EXCEEDED, "the workflow 'own' makes more than 4 steps"),
    "wait": (FailureKind.DEADLINE_EXCEEDED, "the workflow 'own' did not end within 1 s"),
    "slip": (FailureKind.INTERNAL, "KeyError: 'nothing' (own_workflow.py:"),
    "nowhere": (FailureKind.CONFIGURATION_INVALID, "the workflow 'own' has no node 'aa'"),
}


@pytest.mark.parametrize("do", FAILURES)
async def test_it_is_bounded_and_its_mistakes_have_a_place(own: Own, do: str) -> None:
    kind, message = FAILURES[do]
    async with own(numbered) as bench:
        result = await asyncio.wait_for(bench.run(team(do, max_steps=4, seconds=1 if do == "wait" else 60)), 20)
    assert result.failure
    assert (result.failure.kind, result.failure.message[: len(message)]) == (kind, message)


async def test_a_stopped_one_leaves_nothing_open(own: Own) -> None:
    async with own(numbered) as bench:
        handle = await bench.start(team("wait"))
        await handle.cancel()
        result = await read_result(handle)
    assert result.failure
    assert result.failure.kind is FailureKind.CANCELLED


async def test_a_workflow_that_is_not_there_is_refused_before_anything_is_spent(own: Own) -> None:
    async with own(numbered) as bench:
        wrong = team("all", workflow="tested_patern")
        order = RunOrder(goal="x", run_id="x")
        with pytest.raises(ConfigurationInvalid, match="names the workflow 'tested_patern'") as caught:
            await admit(bench.deployment, wrong, order)
    assert caught.value.fix == "did you mean 'tested_pattern'?"


HEAD = "from temporalio import workflow\nfrom workflows.own import RunInput, RunResult\n"
BODY = "  @workflow.run\n  async def run(self, run: RunInput) -> RunResult: raise ValueError\n"
MODULES = {
    "own_syntax": ("def", "cannot be imported: SyntaxError"),
    "own_raises": ("1 / 0", "cannot be imported: ZeroDivisionError"),
    "own_nothing": ("", "defines no workflow"),
    "own_taken": (f"{HEAD}@workflow.defn(name='pipeline')\nclass X:\n{BODY}", "has the name of a built-in one"),
    "own_unpinned": (f"{HEAD}@workflow.defn\nclass X:\n{BODY}", "has no name of its own"),
    "own_other": (
        f"{HEAD}@workflow.defn(name='own_other')\nclass X:\n  @workflow.run\n  async def run(self, a: str) -> str: return a\n",
        "is no pattern",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text, message = MODULES[name]
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationInvalid, match=re.escape(message)) as caught:
        load_workflows(Settings(home=tmp_path, workflow_modules=(name,)), ALL_WORKFLOWS)
    assert name in str(caught.value)
    assert caught.value.fix


async def test_a_module_that_the_sandbox_refuses_is_one_sentence_at_the_start(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_http.py").write_text(f"import httpx\n{HEAD}@workflow.defn(name='own_http')\nclass X:\n{BODY}")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationInvalid, match="the workflow 'own_http' cannot be loaded in the sandbox") as caught:
        async with workers(numbered, workflow_modules=("own_http",)):
            pass
    assert "imports_passed_through" in caught.value.fix


def readme_blocks() -> dict[str, str]:
    """File name to text of the blocks of the README's section, and the commands under ``""``."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Writing your own pattern\n")[2].partition("\n## ")[0]
    files = re.findall(r"`([a-z_]+\.(?:py|yaml))`:\n\n```[a-z]+\n(.*?)```", section, re.DOTALL)
    commands = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return {**dict(files), "": "".join(commands)}


@pytest.mark.serial
async def test_the_readme_followed_literally(tmp_path: Path) -> None:
    blocks = readme_blocks()
    commands = blocks.pop("")
    assert set(blocks) == {"second_opinion.py", "second_opinion.yaml"}
    assert sum(len([line for line in text.splitlines() if line.strip()]) for text in (*blocks.values(), commands)) <= 48
    for name, text in blocks.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    (handbook / "expenses.md").write_text(
        "# Expenses\n\nExpenses above 500 euros are approved by the head of finance.\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"OSTINATO_TEMPORAL_PORT": "0", "OSTINATO_UI_PORT": "0", "XDG_CACHE_HOME": str(cache_home())}
    process = await asyncio.create_subprocess_exec(
        "bash", "-e", "-c", commands, cwd=tmp_path, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 100)
    said = output.decode()
    assert process.returncode == 0, said
    assert "head of finance" in said, said


def cache_home() -> Path:
    """Where server programs are kept."""
    return Settings().cache_home.expanduser()
