"""The supervisor: decomposition, routing, attempts, re-routing, follow-ups, synthesis, gate."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus

from activities.contracts.failures import FailureKind
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import calls, in_order, says, says_json
from tests.support.supervision import (
    CALL_A,
    SUBTASKS,
    A,
    B,
    failing,
    growing,
    obedient,
    prompt,
    spacious,
    subtask_id,
    team,
)
from workers.runs import read_result
from workflows.contracts import RunStatus
from workflows.progress import AGENTS
from workflows.teams.agents import AgentLimits


async def test_the_teams_own_subtasks_are_routed_by_type_and_synthesised(workers: Workers) -> None:
    async with workers(obedient) as bench:
        result = await bench.run(team(subtasks=SUBTASKS))
    assert (result.status, result.output) == (RunStatus.COMPLETE, "whole of 2")
    assert [step.step for step in result.steps] == ["supervisor/s1-1", "supervisor/s1-2", "supervisor/synthesis-1"]
    assert [step.agent for step in result.steps] == ["t/a@1", "t/b@1", "t/writer@1"]
    assert {agent.agent for agent in result.agents} == {"t/a@1", "t/b@1", "t/writer@1"}
    assert sum(agent.tokens for agent in result.agents) == result.usage.tokens > 0


async def test_a_worker_that_answers_for_another_subtask_is_corrected_and_then_tried_again(workers: Workers) -> None:
    def confused(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "You are a.":
            return says_json({"subtask_id": "s9-9", "answer": "not mine"})
        return obedient(call, index)

    async with workers(confused) as bench:
        result = await bench.run(team(subtasks=SUBTASKS))
        corrections = [prompt(call) for call in bench.provider.calls if "s9-9" in prompt(call)]
    assert result.status is RunStatus.PARTIAL
    assert "yours is 's1-1'" in corrections[0]
    assert [step.step for step in result.steps[:2]] == ["supervisor/s1-1", "supervisor/s1-1/2"]
    assert result.missing
    assert "s1-1" in result.missing[0]
    assert json.dumps(result.output)


async def test_a_worker_that_always_fails_is_rerouted(workers: Workers) -> None:
    async with workers(failing("a")) as bench:
        result = await bench.run(team(subtasks=SUBTASKS[:1], workers={"a": {**A, "reroute": ["b"]}, "b": B}))
    assert result.status is RunStatus.COMPLETE
    assert [(s.agent, s.status) for s in result.steps] == [
        ("t/a@1", RunStatus.FAILED),
        ("t/a@1", RunStatus.FAILED),
        ("t/b@1", RunStatus.COMPLETE),
        ("t/writer@1", RunStatus.COMPLETE),
    ]
    assert "does not fit" in result.steps[0].reason


async def test_the_synthesis_is_told_what_is_missing(workers: Workers) -> None:
    async with workers(failing("a")) as bench:
        result = await bench.run(team(subtasks=SUBTASKS))
        told = prompt(bench.provider.calls[-1])
    assert result.status is RunStatus.PARTIAL
    assert "subtask s1-1 (a: one)" in result.missing[0]
    assert "These parts are missing, and your answer has to say so:\n- subtask s1-1 (a: one)" in told
    assert '"status": "given_up"' in told


async def test_a_run_of_which_every_subtask_was_given_up_fails_with_the_cause(workers: Workers) -> None:
    async with workers(failing("a", "b")) as bench:
        result = await bench.run(team(subtasks=SUBTASKS))
        assert not [call for call in bench.provider.calls if "write" in call.instructions]
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert result.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert len(result.steps) == 4


async def test_a_planner_that_invents_worker_types_spends_nothing_but_its_own_calls(workers: Workers) -> None:
    def inventive(call: ProviderCall, index: int) -> ProviderAnswer:
        del call, index
        return says_json({"subtasks": [{"type": "wizard", "task": "magic"}]})

    async with workers(inventive) as bench:
        result = await bench.run(team(planner="boss"))
        assert {call.instructions for call in bench.provider.calls} == {"You plan."}
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert result.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert "wizard" in result.failure.message


async def test_a_planner_asks_for_more_until_it_is_content_also_across_a_continue_as_new(workers: Workers) -> None:
    for events in (4000, 12):
        async with workers(growing) as bench:
            handle = await bench.start(team(planner="boss", rounds=5), max_history_events=events)
            result = await read_result(handle)
            follow_ups = [prompt(call) for call in bench.provider.calls if "results so far" in prompt(call)]
            told, calls_made = prompt(bench.provider.calls[-1]), len(bench.provider.calls)
            first = await bench.deployment.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).describe()  # fmt: skip
        assert first.status is (WorkflowExecutionStatus.COMPLETED if events > 12 else WorkflowExecutionStatus.CONTINUED_AS_NEW)  # fmt: skip
        assert (result.status, result.output, calls_made) == (RunStatus.COMPLETE, "whole of 2", 6)
        assert sorted(s.step.removeprefix("supervisor/") for s in result.steps) == [
            "plan-1", "plan-2", "plan-3", "s1-1", "s2-1", "synthesis-1",
        ]  # fmt: skip
        assert '"done_by": "b"' in follow_ups[0]
        assert "round 1" in told
        assert "round 2" in told
        if events > 12:
            assert [s.step.removeprefix("supervisor/") for s in result.steps][:3] == ["plan-1", "plan-2", "plan-3"]


async def test_more_subtasks_than_allowed_are_named_and_not_begun(workers: Workers) -> None:
    def greedy(call: ProviderCall, index: int) -> ProviderAnswer:
        if "plan" in call.instructions:
            return says_json({"subtasks": [{"type": "a", "task": "one"}, {"type": "a", "task": "two"}]})
        return obedient(call, index)

    async with workers(greedy) as bench:
        result = await bench.run(team(planner="boss", max_subtasks=3, rounds=3))
    assert result.status is RunStatus.PARTIAL
    assert result.missing == ("1 more subtasks were planned than max_subtasks=3 allows",)
    assert [s.step for s in result.steps if "/s" in s.step][:3] == [
        "supervisor/s1-1",
        "supervisor/s1-2",
        "supervisor/s2-1",
    ]


async def test_a_tool_decomposes(workers: Workers) -> None:
    arguments = {"goal": "$goal", "round": "$round", "results": "$results"}
    split = {"kind": "call", "name": "words", "tool": "split_words", "arguments": arguments}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        return says("it fits no contract") if subtask_id(call) == "s1-2" else obedient(call, index)

    async with workers(script) as bench:
        result = await bench.run(team(split=split, rounds=3, synthesis=None), "count these")
    assert result.status is RunStatus.PARTIAL
    outputs: Any = result.output
    assert [(item["task"], item.get("done_by")) for item in outputs] == [("count", "a"), ("these", None)]
    tried = [step.step for step in result.steps if "s1-2" in step.step]
    assert tried == ["supervisor/s1-2", "supervisor/s1-2/2"], "as often as the team says of the worker type"


async def test_a_tool_that_decomposes_into_unknown_types_fails_before_anything_is_spent(workers: Workers) -> None:
    split = {"kind": "call", "name": "words", "tool": "split_wrongly", "arguments": {"goal": "$goal"}}
    async with workers(in_order()) as bench:
        result = await bench.run(team(split=split))
    assert result.failure
    assert result.failure.kind is FailureKind.CONFIGURATION_INVALID
    assert result.usage.model_calls == 0


async def test_no_more_workers_than_allowed_are_under_way(workers: Workers) -> None:
    under_way: list[int] = [0]
    seen: list[int] = []

    async def slow(call: ProviderCall, index: int) -> ProviderAnswer:
        if "write" in call.instructions:
            return obedient(call, index)
        under_way[0] += 1
        seen.append(under_way[0])
        await asyncio.sleep(0.05)  # the model's own time
        under_way[0] -= 1
        return obedient(call, index)

    async with workers(slow) as bench:
        result = await bench.run(team(subtasks=SUBTASKS * 4, max_parallel=3))
    assert result.status is RunStatus.COMPLETE
    assert max(seen) == 3


async def test_a_worker_that_does_not_end_is_given_up_at_its_timeout(workers: Workers) -> None:
    async def hanging(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "You are a.":
            await asyncio.sleep(60)
        return obedient(call, index)

    slow = {**A, "timeout_seconds": 0.5, "attempts": 1}
    async with workers(hanging) as bench:
        result = await bench.run(team(subtasks=SUBTASKS, workers={"a": slow, "b": B}))
    assert result.status is RunStatus.PARTIAL
    assert "did not end within 0.5 s" in result.missing[0]


async def test_what_is_not_begun_when_the_time_is_used_up_is_given_up(workers: Workers) -> None:
    async def hanging(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "You are a.":
            await asyncio.sleep(60)
        return obedient(call, index)

    subtasks = [SUBTASKS[1], SUBTASKS[0], SUBTASKS[1]]
    async with workers(hanging) as bench:
        result = await bench.run(team(subtasks=subtasks, max_parallel=1, seconds=1.5))
    assert result.status is RunStatus.PARTIAL
    assert "s1-2" in result.missing[0]
    assert "time of 1.5 s is used up" in result.missing[1]
    assert result.output == "whole of 1"


async def test_an_attempt_that_had_an_effect_is_not_made_again(workers: Workers, effects: Path) -> None:
    def mailing(call: ProviderCall, index: int) -> ProviderAnswer:
        if "plan" in call.instructions and len(call.messages) == 1:
            return calls(("send_mail", {"to": "someone"}))
        return says("") if "plan" in call.instructions else obedient(call, index)

    spec = team(subtasks=SUBTASKS, workers={"a": {"node": {"agent": "boss"}, "attempts": 3, "reroute": ["b"]}, "b": B})
    boss = spec.agents["boss"].model_copy(update={"tools": ("send_mail",)})
    spec = spec.model_copy(update={"agents": {**spec.agents, "boss": boss}})
    before = effects.read_text().count("send_mail")
    async with workers(mailing) as bench:
        result = await bench.run(spec)
    assert effects.read_text().count("send_mail") == before + 1
    assert result.status is RunStatus.PARTIAL
    assert "it was not tried again" in result.missing[0]


async def test_a_call_can_be_a_worker(workers: Workers, effects: Path) -> None:
    async with workers(obedient) as bench:
        result = await bench.run(team(subtasks=[{"type": "a", "task": "you-of-the-supervisor"}], workers={"a": CALL_A}))
    assert result.status is RunStatus.COMPLETE
    assert effects.read_text().count("you-of-the-supervisor") == 1


async def test_workers_beyond_the_bounds_of_one_history_are_workflows_of_their_own(workers: Workers) -> None:
    spec = spacious(team(subtasks=SUBTASKS))
    async with workers(obedient) as bench:
        handle = await bench.start(spec)
        result = await read_result(handle)
        child = bench.deployment.client.get_workflow_handle(f"{handle.id}/supervisor/s1-1")
        described = await child.describe()
    assert (result.status, result.output) == (RunStatus.COMPLETE, "whole of 2")
    assert described.workflow_type == "agent"
    assert described.typed_search_attributes.get(AGENTS) == ["a"]
    assert [s.step for s in result.steps][:2] == ["supervisor/s1-1", "supervisor/s1-2"]


async def test_a_child_that_fails_is_tried_again_with_its_cause(workers: Workers) -> None:
    spec = spacious(team(subtasks=SUBTASKS))
    async with workers(failing("a")) as bench:
        result = await bench.run(spec)
    assert [s.step for s in result.steps][:2] == ["supervisor/s1-1", "supervisor/s1-1/2"]
    assert "does not fit" in result.missing[0]
    assert sum(s.tokens for s in result.steps) == result.usage.tokens


async def test_a_supervisor_can_be_a_worker(workers: Workers) -> None:
    inner = {
        "kind": "supervisor",
        "name": "inner",
        "workers": {"b": {"node": {"kind": "agent", "agent": "b"}}},
        "subtasks": [{"type": "b", "task": "deep"}],
    }
    async with workers(obedient) as bench:
        result = await bench.run(team(subtasks=SUBTASKS[:1], workers={"a": {"node": inner}}))
    assert result.status is RunStatus.COMPLETE
    assert [s.step for s in result.steps] == ["supervisor/s1-1/s1-1", "supervisor/synthesis-1"]


@pytest.mark.parametrize("model_calls", [4, 500])
async def test_a_stopped_run_leaves_nothing_open(workers: Workers, model_calls: int) -> None:
    begun = asyncio.Event()

    async def hanging(call: ProviderCall, index: int) -> ProviderAnswer:
        begun.set()
        await asyncio.sleep(60)
        return obedient(call, index)

    spec = team(subtasks=SUBTASKS)
    agent = spec.agents["a"].model_copy(update={"limits": AgentLimits(model_calls=model_calls)})
    spec = spec.model_copy(update={"agents": {**spec.agents, "a": agent, "b": agent}})
    async with workers(hanging) as bench:
        handle = await bench.start(spec)
        async with asyncio.timeout(20):
            await begun.wait()
        await handle.cancel()
        result = await read_result(handle)
        client = bench.deployment.client
        children = [client.get_workflow_handle(f"{handle.id}/supervisor/s1-{n}") for n in (1, 2)]
        states = [(await child.describe()).status for child in children] if model_calls == 500 else []
    assert result.failure
    assert result.failure.kind is FailureKind.CANCELLED
    assert all(state is WorkflowExecutionStatus.CANCELED for state in states)


async def test_details_show_a_row_a_step_and_the_sum(workers: Workers) -> None:
    async with workers(obedient) as bench:
        handle = await bench.start(team(subtasks=SUBTASKS))
        await read_result(handle)
        details = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    rows = details.current_details.splitlines()
    assert rows[2].startswith("| s1-1 | a | complete | 1 |")
    assert rows[4].startswith("| synthesis-1 | writer | complete |")
    assert rows[5].startswith("| all |")


async def test_a_worker_that_loops_is_given_up_at_its_limits(workers: Workers) -> None:
    def looping(call: ProviderCall, index: int) -> ProviderAnswer:
        return calls(("add", {"a": index, "b": 1})) if call.instructions == "You are a." else obedient(call, index)

    spec = team(subtasks=SUBTASKS)
    spec = spec.model_copy(
        update={"agents": {**spec.agents, "a": spec.agents["a"].model_copy(update={"tools": ("add",)})}}
    )
    async with workers(looping) as bench:
        result = await bench.run(spec)
        asked = [call for call in bench.provider.calls if call.instructions == "You are a."]
    assert result.status is RunStatus.PARTIAL
    assert "asked for more than 2 tool calls" in result.missing[0]
    assert len(asked) == 6, "two attempts of two tool calls and the one too many"


async def test_a_synthesis_that_fails_fails_the_run_and_keeps_what_was_spent(workers: Workers) -> None:
    def wordless(call: ProviderCall, index: int) -> ProviderAnswer:
        return says("") if "write" in call.instructions else obedient(call, index)

    async with workers(wordless) as bench:
        result = await bench.run(team(subtasks=SUBTASKS))
    assert result.failure
    assert result.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert [step.step for step in result.steps] == ["supervisor/s1-1", "supervisor/s1-2", "supervisor/synthesis-1"]
    assert result.usage.model_calls == 5


async def test_a_planner_that_plans_nothing_fails_the_run(workers: Workers) -> None:
    async with workers(lambda *_: says_json({"subtasks": []})) as bench:
        result = await bench.run(team(planner="boss"))
    assert result.failure
    assert result.failure.message == "the planner 'boss' made no subtasks"


async def test_a_subtasks_time_bounds_a_nested_supervisor_with_its_synthesis(workers: Workers) -> None:
    async def slow_writer(call: ProviderCall, index: int) -> ProviderAnswer:
        if "write" in call.instructions:
            await asyncio.sleep(60)
        return obedient(call, index)

    inner = {
        "kind": "supervisor",
        "name": "inner",
        "workers": {"b": {"node": {"kind": "agent", "agent": "b"}}},
        "subtasks": [{"type": "b", "task": "deep"}],
        "synthesis": {"kind": "agent", "agent": "writer"},
    }
    nested = {"node": inner, "timeout_seconds": 2, "attempts": 1}
    async with workers(slow_writer) as bench:
        result = await bench.run(team(subtasks=SUBTASKS, workers={"a": nested, "b": B}, synthesis=None))
    assert result.status is RunStatus.PARTIAL
    assert "'writer' did not end within" in result.missing[0]
    assert max(step.milliseconds for step in result.steps) < 10_000


async def test_a_decomposition_that_is_too_long_says_so(workers: Workers) -> None:
    split = {"kind": "call", "name": "words", "tool": "big", "arguments": {"size": 300_000}}
    async with workers(in_order()) as bench:
        result = await bench.run(team(split=split))
    assert result.failure
    assert result.failure.kind is FailureKind.PAYLOAD_TOO_LARGE
    assert "'big' returned 300,000 bytes" in result.failure.message
    assert result.failure.fix
