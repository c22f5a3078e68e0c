"""Handoffs: what travels, who takes it, and what becomes of a step that nobody takes."""

import asyncio
from typing import Any

import pytest

from activities.contracts.base import MAX_TEXT
from activities.contracts.failures import FailureKind
from activities.contracts.handoffs import MAX_OWNERS, Handoff, RejectionReason
from activities.errors import ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.handing_on import SEARCH, WRITE, roles, said_to, team
from tests.support.scripted import says, says_json
from workers.runs import read_input, read_result
from workflows.contracts import RunResult, RunStatus, Task
from workflows.handoffs import received, with_cut
from workflows.needs import told
from workflows.teams.tree import AgentNode, TeamSpec

OBJECT = {"type": "object", "required": ["title", "found"], "properties": {"found": {"type": "string"}}}


async def test_every_handoff_is_taken_and_measured(workers: Workers) -> None:
    async with workers(roles(search="fact", write="text")) as bench:
        result = await bench.run(team(SEARCH, {**WRITE, "needs": ["found"]}))
    assert result.status is RunStatus.COMPLETE
    search, write = result.handoffs
    assert (search.sender, search.receiver, search.version) == ("t/line@1", "t/search@1", 0)
    assert (write.step, write.sender, write.receiver, write.version) == ("line/write", "t/line@1", "t/write@1", 1)
    assert (write.declared, write.present, write.asked_again, write.rejected) == (1, 1, 0, None)
    assert write.size_bytes > 200
    assert 0 < write.milliseconds < 5000


async def test_what_the_input_contract_asks_for_is_supplied_from_the_state(workers: Workers) -> None:
    """The stage before gives a title alone; ``found`` was committed earlier, and is put in at the second offer."""
    title = {"output": {"schema": {"type": "object"}}}
    spec = team(SEARCH, {"kind": "agent", "agent": "title"}, {**WRITE, "input": OBJECT}, agents={"title": title})
    async with workers(roles(search="fact", title=says_json({"title": "T"}), write="text")) as bench:
        result = await bench.run(spec)
    assert result.status is RunStatus.COMPLETE
    offers = [(r.receiver, r.rejected.reason if r.rejected else None) for r in result.handoffs]
    assert offers == [
        ("t/search@1", None),
        ("t/title@1", None),
        ("t/write@1", RejectionReason.INPUT_MISMATCH),
        ("t/write@1", None),
    ]
    assert "found:\nfact" in said_to(bench, "write")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "string", "enum": ["a", "b"]}, "is not one of ['a', 'b']"),
        ({"type": "string", "pattern": "^[0-9]+$"}, "does not match '^[0-9]+$'"),
        ({"type": "string", "maxLength": 2}, "is too long"),
    ],
)
async def test_input_that_does_not_fit_is_refused_before_anything_is_paid(
    workers: Workers, schema: dict[str, Any], problem: str
) -> None:
    async with workers(roles(search="fact")) as bench:
        result = await bench.run(team(SEARCH, {**WRITE, "input": schema}))
    assert result.failure
    assert result.failure.kind is FailureKind.HANDOFF_REJECTED
    assert problem in result.failure.message
    assert len(bench.provider.calls) == 1


@pytest.mark.parametrize("root", ["line", "write"])
async def test_what_a_root_is_given_is_the_goal(workers: Workers, root: str) -> None:
    spec = team(WRITE)
    node = spec.root if root == "line" else AgentNode(agent="write")
    spec = spec.model_copy(update={"root": node.model_copy(update={"input": {"type": "string", "pattern": "^Do"}})})
    async with workers(roles(write="text")) as bench:
        good, bad = await bench.run(spec, "Do it."), await bench.run(spec, "Leave it.")
    assert good.output == "text"
    assert bad.failure
    assert bad.failure.message.startswith(f"{root} does not take the step: its input does not fit: $: 'Leave it.'")
    assert len(bench.provider.calls) == 1


async def test_a_pattern_that_cannot_be_checked_safely_is_refused_at_admission(workers: Workers) -> None:
    schema = {"type": "string", "pattern": "(?=a)b"}
    async with workers(roles()) as bench:
        with pytest.raises(ConfigurationInvalid, match="cannot be checked in linear time"):
            await bench.admit(team({**WRITE, "input": schema}))


async def test_constraints_are_in_every_prompt_and_the_rest_of_the_handoff_in_that_of_full_context(
    workers: Workers,
) -> None:
    spec = team(
        SEARCH,
        {**WRITE, "context": "full", "constraints": ["In French."]},
        {"kind": "agent", "agent": "stand-in"},
        constraints=["No names."],
    )
    async with workers(roles(search="fact", write="text", stand_in="end")) as bench:
        result = await bench.run(spec)
    assert result.status is RunStatus.COMPLETE
    told = said_to(bench, "write")
    for part in (
        "What holds for all of it:\n- No names.\n- In French.",
        "What is done:\n- found",
        "What follows:\n- stand-in",
    ):
        assert part in told
    assert told.count("Do it.") == 1
    other = said_to(bench, "stand-in")
    assert other.endswith("\n\nWhat holds for all of it:\n- No names.")
    assert "What is done" not in other


def test_a_prompt_makes_room_for_its_constraints_and_what_is_cut_says_so() -> None:
    handoff = Handoff(
        task_id="a", needs=("b", "c", "d"), given=("b", "c", "d"), constraints=("No names.", "One\nline.")
    )
    values = {"b": "y" * MAX_TEXT, "c": "short", "d": "z" * 1000}
    task = told(AgentNode(agent="a"), Task(prompt="x" * MAX_TEXT), handoff, values)
    prompt, part = task.prompt, MAX_TEXT // 2 - 2000
    assert MAX_TEXT - 200 < len(prompt) <= MAX_TEXT
    assert prompt.endswith("\n\nWhat holds for all of it:\n- No names.\n- One line.")
    assert "c:\nshort\n" in prompt
    assert "z" * 1000 in prompt
    assert ("x" * part in prompt, "y" * part in prompt, prompt.count(f"of {MAX_TEXT:,} characters]")) == (True, True, 2)
    assert task.handoff
    report = received(task.handoff, None, None)
    assert (report.cut, report.declared, report.present) == (("b", "the task"), 3, 2)
    result = with_cut(task, AgentNode(agent="a"), RunResult(status=RunStatus.COMPLETE))
    assert (result.status, result.missing) == (
        RunStatus.PARTIAL, ("a was shown only the start of what it was given: b, the task",)
    )  # fmt: skip


async def test_a_large_value_is_in_no_history_and_reaches_only_who_declares_it(workers: Workers) -> None:
    """100 kB: two nested pipelines follow, and one of them needs it."""
    large = "".join(f"{number:07d} " for number in range(12_500))
    mark = large[50_000:50_400]

    def nested(name: str, **declared: Any) -> dict[str, Any]:
        stage = {"kind": "agent", "agent": name, "key": f"{name}-stage", **declared}
        return {"kind": "pipeline", "name": f"{name}-line", "stages": [stage], **declared}

    small = {"kind": "agent", "agent": "stand-in", "key": "small"}
    spec = team(SEARCH, small, nested("write"), nested("stand-in", needs=["found"]))
    async with workers(roles(search=large, write="text", stand_in="end")) as bench:
        handle = await bench.start(spec)
        result = await read_result(handle)
        client = bench.deployment.client
        children = [f"{handle.id}/line/{name}-line" for name in ("write", "stand-in")]
        histories = [await client.get_workflow_handle(name).fetch_history() for name in (handle.id, *children)]
        without, declared = [await read_input(client, name) for name in children]
    assert result.status is RunStatus.COMPLETE
    for history in histories:
        raw = b"".join(event.SerializeToString() for event in history.events)
        assert mark.encode() not in raw
        assert len(raw) < 64_000
    assert without.task
    assert declared.task
    assert large not in without.task.inputs.values()
    assert len(without.model_dump_json()) < 8_000
    assert declared.task.inputs["found"] == large
    prompts = [c.messages[0].text for c in bench.provider.calls]
    assert [mark in text for text in prompts] == [False, True, False, True], "the first is made from the stage before"


def call_of(tool: str, name: str) -> dict[str, Any]:
    return {"kind": "call", "name": name, "tool": tool, "arguments": {"what": "x"}}


async def test_a_nested_pattern_takes_its_handoff_too_and_every_one_has_the_runs_trace(workers: Workers) -> None:
    left_out = {**call_of("explode", "inside"), "fallback": {"kind": "skip"}}
    full = {**WRITE, "context": "full"}
    inner = {"kind": "pipeline", "name": "inner", "stages": [left_out, full], "constraints": ["Short."]}
    last = {"kind": "agent", "agent": "stand-in", "context": "full"}
    async with workers(roles(search="fact", write="text", stand_in="end")) as bench:
        handle = await bench.start(team(SEARCH, inner, last))
        result = await read_result(handle)
        child = await read_input(bench.deployment.client, f"{handle.id}/line/inner")
    assert [(r.sender, r.receiver, r.rejected) for r in result.handoffs] == [
        ("t/line@1", "t/search@1", None),
        ("t/line@1", "t/inner@1", None),
        ("t/inner@1", "t/inside@1", None),
        ("t/inner@1", "t/write@1", None),
        ("t/line@1", "t/stand-in@1", None),
    ]
    assert child.task
    assert child.task.handoff
    handoff = child.task.handoff
    assert (handoff.goal, handoff.path, handoff.version) == ("Do it.", ("t/line@1",), 1)
    assert (handoff.completed, handoff.constraints) == (("found",), ("Short.",))
    (report,) = [r for r in result.handoffs if r.receiver == "t/write@1"]
    assert report.size_bytes > 400
    assert any("inside" in line for line in result.log), "what was decided inside is known outside"
    outer = next(c for c in bench.provider.calls if c.instructions == "You stand-in.").messages[0].text
    assert "inside" in outer
    told_inside = said_to(bench, "write")
    assert "What is done:\n- found" in told_inside
    assert "What follows:\n- stand-in" in told_inside
    assert handoff.deadline is not None
    assert handoff.deadline > handoff.offered_at
    assert len(handoff.trace_id) == 32


async def test_owners_above_each_other_are_bounded(workers: Workers) -> None:
    node: dict[str, Any] = WRITE
    for depth in range(MAX_OWNERS, 0, -1):
        node = {"kind": "pipeline", "name": f"p{depth}", "stages": [node]}
    agents = {"write": {"instructions": "You write.", "tier": "small"}}
    spec = TeamSpec.model_validate({"team": "t", "agents": agents, "root": node}, extra="forbid")
    async with workers(roles(write="text")) as bench:
        run = await bench.admit(spec.model_copy(update={"root": AgentNode(agent="write")}))
        result = await bench.finish(run.model_copy(update={"team": spec}))  # a check at admission refuses it already
    assert result.failure
    assert result.failure.kind is FailureKind.HANDOFF_REJECTED
    assert result.handoffs[-1].rejected is not None
    assert result.handoffs[-1].rejected.reason is RejectionReason.DEPTH
    assert bench.provider.calls == []


async def test_a_step_that_is_not_done_in_time_is_ended_and_reported(workers: Workers) -> None:
    """Inline and as a workflow of its own: a receiver that took the step and goes silent."""

    async def silent(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        if "search" in call.instructions:
            await asyncio.sleep(60)
        return says("text")

    for limits in ({}, {"limits": {"model_calls": 500}}):
        stage = {**SEARCH, "timeout_seconds": 0.7, "critical": False}
        async with workers(silent) as bench:
            result = await asyncio.wait_for(bench.run(team(stage, WRITE, agents={"search": limits})), 30)
        assert (result.status, result.output) == (RunStatus.PARTIAL, "text")
        assert "found is missing" in result.missing[0]
        assert "did not end within" in result.missing[0]
        late = result.handoffs[0]
        assert (late.receiver, late.rejected, late.unanswered) == ("t/search@1", None, True), "it was begun"
