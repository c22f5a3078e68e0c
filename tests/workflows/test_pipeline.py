"""Pipelines on a real server: order, contracts between stages, nesting, deadlines, cancellation, and what they come to."""

import asyncio
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.people import decides
from tests.support.scripted import says, says_json
from workers.runs import read_result
from workflows.contracts import RunStatus
from workflows.teams.bounds import inline_places
from workflows.teams.building import agent, own
from workflows.teams.tree import PipelineNode, TeamSpec


def agents(*names: str, **fields: Any) -> dict[str, Any]:
    return {
        name: {"instructions": f"You are {name}.", "tier": "small", "limits": {"model_calls": 4}, **fields}
        for name in names
    }


def team(*stages: dict[str, Any], agents: dict[str, Any], **pipeline: Any) -> TeamSpec:
    root = {"kind": "pipeline", "stages": [{"kind": "agent", **stage} for stage in stages], **pipeline}
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def name_of(call: ProviderCall) -> str:
    return call.instructions.removeprefix("You are ").split(".")[0]


def echoing(call: ProviderCall, index: int) -> ProviderAnswer:
    """Each agent puts its name behind what it was given."""
    del index
    prompt = call.messages[-1].text
    return says(f"{prompt.rpartition('Input:')[2].strip()} {name_of(call)}".strip())


async def test_each_stage_gets_what_the_one_before_has_made(workers: Workers) -> None:
    async with workers(echoing) as bench:
        result = await bench.run(
            team({"agent": "a"}, {"agent": "b"}, {"agent": "c"}, agents=agents("a", "b", "c")), "go"
        )
    assert result.status is RunStatus.COMPLETE
    assert result.output == "go a b c"
    assert [step.step for step in result.steps] == ["pipeline/a", "pipeline/b", "pipeline/c"]
    assert [(commit.version, commit.key, commit.value) for commit in result.state] == [
        (1, "a", "go a"),
        (2, "b", "go a b"),
        (3, "c", "go a b c"),
    ]


def call(tool: str, name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"kind": "call", "tool": tool, "name": name, "arguments": arguments}


async def test_a_call_takes_the_goal_the_input_and_every_key_committed_before(workers: Workers) -> None:
    spec = team(
        {"agent": "a", "key": "first"},
        call("echo", "goal", text="$goal"),
        call("echo", "again", text="$first"),
        call("echo", "last", text="$input"),
        agents=agents("a"),
    )
    async with workers(echoing) as bench:
        result = await bench.run(spec, "go")
    assert [(commit.key, commit.value) for commit in result.state] == [
        ("first", "go a"),
        ("goal", "go"),
        ("again", "go a"),
        ("last", "go a"),
    ]


async def test_what_is_structured_is_passed_as_json_and_as_it_is(workers: Workers) -> None:
    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        return says_json({"n": 1, "of": ["x"]}) if index == 0 else says(call.messages[-1].text)

    output = {"schema": {"type": "object"}}
    spec = team(
        {"agent": "a"}, {"agent": "b", "key": "b"}, call("strict_gate", "gate", draft="$a", final=True),
        agents={**agents("a", output=output), **agents("b")},
    )  # fmt: skip
    async with workers(script) as bench:
        result = await bench.run(spec, "go")
    assert result.state[1].value == 'go\n\nInput:\n{"n": 1, "of": ["x"]}'
    assert result.output == {"accepted": True, "problems": [], "output": [{"n": 1, "of": ["x"]}, None, True]}


async def test_an_input_too_long_for_a_prompt_says_so_and_a_call_gets_all_of_it(workers: Workers) -> None:
    seen: list[str] = []

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        seen.append(call.messages[-1].text)
        return says("short")

    spec = team(
        call("big", "big", size=140_000), {"agent": "a"}, call("echo", "echo", text="$big"),
        agents=agents("a", limits={"model_calls": 2, "tokens": 10_000_000}),
    )  # fmt: skip
    async with workers(script) as bench:
        result = await bench.run(spec, "go")
    assert result.status is RunStatus.PARTIAL, result.failure
    assert result.missing == ("a was shown the first 131,072 of 140,000 characters of its input",)
    assert len(seen[0]) < 132_000
    assert seen[0].endswith("\n[cut: the first 131,072 of 140,000 characters]")
    assert result.output == "x" * 140_000


async def test_a_result_that_is_too_long_to_pass_on_fails_its_step_and_says_so(workers: Workers) -> None:
    """A part of it would be read as the whole by the next step, or as broken JSON."""
    async with workers(echoing) as bench:
        result = await bench.run(
            team(call("big", "big", size=300_000), call("echo", "echo", text="$big"), agents={}), "go"
        )
    assert result.failure
    assert result.failure.kind is FailureKind.PAYLOAD_TOO_LARGE
    assert result.failure.message.startswith("the tool 'big' returned 300,000 bytes; at most 262,144 are passed on")
    assert "write an artifact" in result.failure.fix
    assert result.state == ()


WANTS_N = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(("made", "fits"), [({"n": 1}, True), ({"n": "one"}, False), ({}, False)])
async def test_an_input_contract_is_checked_before_the_stage_starts(
    workers: Workers, made: dict[str, Any], fits: bool
) -> None:
    script = [says_json(made), says("done")]
    spec = team(
        {"agent": "a"}, {"agent": "b", "input": WANTS_N}, agents={**agents("a", output={"schema": {}}), **agents("b")}
    )
    async with workers(lambda _, index: script[index]) as bench:
        result = await bench.run(spec, "go")
        calls_made = len(bench.provider.calls)
    assert calls_made == (2 if fits else 1)
    assert result.status is (RunStatus.COMPLETE if fits else RunStatus.FAILED)
    if not fits:
        assert result.failure
        assert result.failure.kind is FailureKind.HANDOFF_REJECTED
        assert "'n'" in result.failure.message or "$.n" in result.failure.message
    assert [commit.key for commit in result.state] == (["a", "b"] if fits else ["a"])


async def test_what_an_input_contract_refuses_its_fallback_may_take(workers: Workers) -> None:
    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        return says_json({"n": "one"}) if name_of(call) == "a" else echoing(call, index)

    spec = team(
        {"agent": "a"}, {"agent": "b", "input": WANTS_N, "fallback": {"kind": "agent", "agent": "c"}},
        agents={**agents("a", output={"schema": {}}), **agents("b", "c")},
    )  # fmt: skip
    async with workers(script) as bench:
        result = await bench.run(spec, "go")
    assert result.output == '{"n": "one"} c'
    assert [step.step for step in result.steps] == ["pipeline/a", "pipeline/b/fallback"]
    assert [report.rejected.reason for report in result.handoffs if report.rejected] == ["input_mismatch"]


async def test_a_stage_that_is_left_out_passes_on_what_it_was_given(workers: Workers) -> None:
    spec = team(
        {"agent": "a"},
        {**call("explode", "explode", what="x"), "critical": False},
        {**call("explode", "bang", what="x"), "fallback": {"kind": "skip"}},
        call("echo", "echo", text="$input"),
        {**call("explode", "boom", what="x"), "fallback": {"kind": "constant", "value": {"n": 1}}},
        {"agent": "b", "input": WANTS_N},
        agents=agents("a", "b"),
    )
    async with workers(echoing) as bench:
        result = await bench.run(spec, "go")
    assert result.status is RunStatus.PARTIAL
    assert result.output == '{"n": 1} b'
    assert len(result.missing) == 3
    assert result.state[1].value == "go a"
    assert [commit.key for commit in result.state] == ["a", "echo", "boom", "b"]


async def test_a_stage_that_fails_ends_it_where_it_stands(workers: Workers) -> None:
    spec = team({"agent": "a"}, call("explode", "explode", what="x"), {"agent": "b"}, agents=agents("a", "b"))
    async with workers(echoing) as bench:
        result = await bench.run(spec, "go")
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert result.failure.step == "pipeline/explode"
    assert [commit.key for commit in result.state] == ["a"]
    assert result.output is None


def nested(*stages: dict[str, Any], name: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "pipeline", "name": name, "stages": [{"kind": "agent", **s} for s in stages], **fields}


async def test_pipelines_and_supervisors_nest_both_ways_under_names_that_stay(workers: Workers) -> None:
    lines = {
        "kind": "supervisor",
        "name": "lines",
        "workers": {"w": {"node": nested({"agent": "b"}, call("echo", "again", text="$input"), name="inner")}},
        "subtasks": [{"type": "w", "task": "one"}, {"type": "w", "task": "two"}],
    }
    outer = call("echo", "outer", text="$a")
    spec = team({"agent": "a"}, lines, nested(outer, {"agent": "c"}, name="last"), agents=agents("a", "b", "c"))
    async with workers(echoing) as bench:
        run = await bench.admit(spec, "go")
        result = await bench.finish(run)
        children = await executions(bench, run.scope_id)
    assert result.status is RunStatus.COMPLETE, result.failure
    assert result.output == "go a c", "a nested stage names what was committed outside of it"
    assert children == {
        run.scope_id: "COMPLETED",
        **{f"{run.scope_id}/pipeline/{path}": "COMPLETED" for path in ("lines", "lines/s1-1", "lines/s1-2", "last")},
    }


async def executions(bench: Bench, workflow_id: str) -> dict[str, str]:
    """Every execution of a run, by id, when all of them are visible."""
    query = f"WorkflowId = '{workflow_id}' OR WorkflowId STARTS_WITH '{workflow_id}/'"
    for _ in range(200):
        found = {e.id: e.status.name if e.status else "" async for e in bench.deployment.client.list_workflows(query)}
        if found and "RUNNING" not in found.values():
            return found
        await asyncio.sleep(0.05)
    return found


async def test_a_stopped_pipeline_leaves_nothing_open(workers: Workers) -> None:
    begun = asyncio.Event()

    async def hang(call: ProviderCall, index: int) -> ProviderAnswer:
        del call, index
        begun.set()
        await asyncio.sleep(60)
        return says("late")

    spec = team(nested(nested({"agent": "a"}, name="inner"), name="middle"), {"agent": "b"}, agents=agents("a", "b"))
    async with workers(hang) as bench:
        handle = await bench.start(spec, "go")
        await asyncio.wait_for(begun.wait(), 20)
        await handle.cancel()
        result = await read_result(handle)
        ended = await executions(bench, handle.id)
    assert result.failure
    assert result.failure.kind is FailureKind.CANCELLED
    assert len(ended) == 3
    assert set(ended.values()) == {"CANCELED"}


@pytest.mark.parametrize("inner", [True, False])
async def test_its_time_passes_down_to_what_is_nested_in_it(workers: Workers, inner: bool) -> None:
    async def slow(call: ProviderCall, index: int) -> ProviderAnswer:
        await asyncio.sleep(30 if name_of(call) == "b" else 0)
        return echoing(call, index)

    stage = nested({"agent": "b"}, name="inner") if inner else {"agent": "b"}
    spec = team({"agent": "a"}, stage, {"agent": "c"}, agents=agents("a", "b", "c"), seconds=1.5)
    async with workers(slow) as bench:
        started = asyncio.get_running_loop().time()
        handle = await bench.start(spec, "go")
        result = await read_result(handle)
        took = asyncio.get_running_loop().time() - started
        ended = await executions(bench, handle.id)
    assert took < 6, "a cancelled call ends within the heartbeat's latency"
    assert result.failure
    assert result.failure.kind is FailureKind.DEADLINE_EXCEEDED
    assert [commit.key for commit in result.state] == ["a"]
    assert ended
    assert "RUNNING" not in ended.values()


async def test_a_stage_is_not_begun_when_the_time_is_over(workers: Workers) -> None:
    async def slow(call: ProviderCall, index: int) -> ProviderAnswer:
        await asyncio.sleep(5)
        return echoing(call, index)

    spec = team({"agent": "a", "critical": False}, {"agent": "b"}, agents=agents("a", "b"), seconds=1)
    async with workers(slow) as bench:
        result = await bench.run(spec, "go")
        assert len(bench.provider.calls) == 1
    assert result.failure
    assert result.failure.kind in {FailureKind.DEADLINE_EXCEEDED, FailureKind.HANDOFF_REJECTED}
    assert "'b'" in result.failure.message


async def test_a_stage_that_failed_for_good_goes_to_the_person(workers: Workers) -> None:
    """After its fallback; a no, or nobody in time, and it has failed."""
    person = {"kind": "person", "name": "lead", "choices": ["approve", "answer", "reject"]}
    boom = {**call("explode", "boom", what="x"), "fallback": call("explode", "bang", what="x")}
    spec = team(
        {"agent": "a"}, boom, {"agent": "b"}, agents=agents("a", "b"),
        escalate={**person, "asking": {"people": ["nora"], "seconds": 60}},
    )  # fmt: skip
    hurried = {**person, "asking": {"seconds": 0.3}}
    late = team({"agent": "a"}, call("explode", "boom", what="x"), agents=agents("a"), escalate=hurried)
    async with workers(echoing) as bench:
        client, ended = bench.deployment.client, {}
        for choice, answer in ((Choice.ANSWER, "by hand"), (Choice.APPROVE, None), (Choice.REJECT, None)):
            handle = await bench.start(spec, "go")
            task = await decides(client, handle.id, choice, answer=answer)
            ended[choice] = await read_result(handle)
            assert task.step == "pipeline/boom/escalate.person"
            assert task.context == {"input": "go a"}
            assert len(task.reasons) == 1
        nobody = await bench.run(late, "go")
    assert (ended[Choice.ANSWER].status, ended[Choice.ANSWER].output) == (RunStatus.COMPLETE, "by hand b")
    assert ended[Choice.APPROVE].output == "go a b", "what the stage was given stands in for what it makes"
    assert [s.step.removeprefix("pipeline/") for s in ended[Choice.ANSWER].steps] == [
        "a", "boom", "boom/fallback", "boom/escalate.person", "b",
    ]  # fmt: skip
    assert [(commit.key, commit.owner) for commit in ended[Choice.ANSWER].state][1] == ("boom", "t/lead@1")
    assert "boom: lead is asked" in ended[Choice.ANSWER].log[-1]
    for result in (ended[Choice.REJECT], nobody):
        assert result.status is RunStatus.FAILED
        assert result.failure
        assert result.failure.kind is FailureKind.TOOL_FAILED, "the cause, not that nobody helped"
        assert [commit.key for commit in result.state] == ["a"]


def test_stages_run_inside_as_long_as_the_history_has_room() -> None:
    large = agents(*"abcdef", limits={"model_calls": 100, "tool_calls": 60})  # 960 events each
    stages = team(*({"agent": name} for name in "abcdef"), agents=large)
    assert isinstance(stages.root, PipelineNode)
    assert inline_places(stages, stages.root) == {f"stages.{index}" for index in range(4)}
    small = team(
        *({"agent": name} for name in "abcdef"), agents=agents(*"abcdef", limits={"model_calls": 4, "tool_calls": 0})
    )
    assert isinstance(small.root, PipelineNode)
    assert inline_places(small, small.root) == {f"stages.{index}" for index in range(6)}
    for steps, inside in ((100, set("abcdef")), (400, set())):  # of all of its nodes together
        often = own("again", {name: agent(name) for name in "abcdef"}, max_steps=steps)
        assert inline_places(small, often) == {f"nodes.{name}" for name in inside}
