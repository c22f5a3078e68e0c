"""The person of a supervisor: who failed for good, what no gate accepts, and how long she has."""

import asyncio
from typing import Any

from activities.contracts.people import Choice
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.people import decides, until_asked
from tests.support.scripted import says, says_json
from tests.support.supervision import (
    SUBTASKS,
    A,
    failing,
    obedient,
    prompt,
    team,
)
from workers.runs import read_result
from workflows.contracts import RunStatus

PERSON = {
    "kind": "person",
    "name": "lead",
    "choices": ["approve", "edit", "answer", "reject"],
    "asking": {"people": ["nora"], "seconds": 60},
}


CLOSED = {"kind": "call", "name": "gate", "tool": "closed_gate", "arguments": {"draft": "$draft"}}


async def test_a_subtask_that_was_given_up_goes_to_the_person_and_holds_nobody_up(workers: Workers) -> None:
    async with workers(failing("a")) as bench:
        client = bench.deployment.client
        spec = team(subtasks=[*SUBTASKS, SUBTASKS[1]], max_parallel=1, escalate=PERSON)
        handle = await bench.start(spec)
        (task,) = await until_asked(client, handle.id)
        async with asyncio.timeout(20):  # the others are done meanwhile, one at a time
            while sum(call.instructions == "You are b." for call in bench.provider.calls) < 2:
                await asyncio.sleep(0.01)
        await decides(client, handle.id, Choice.ANSWER, answer={"subtask_id": "s1-1", "answer": "by hand"})
        result = await read_result(handle)
        told = prompt(bench.provider.calls[-1])

        refused = await bench.start(team(subtasks=SUBTASKS, escalate=PERSON))
        await decides(client, refused.id, Choice.REJECT, reason="let it be")
        without = await read_result(refused)
    assert task.step == "supervisor/s1-1/escalate.person"
    assert any("does not fit" in reason for reason in task.reasons)
    assert task.question.startswith("one")
    assert (result.status, result.output, result.missing) == (RunStatus.COMPLETE, "whole of 3", ())
    assert '"done_by": "lead", "output": {"subtask_id": "s1-1", "answer": "by hand"}' in told
    assert [s.step.removeprefix("supervisor/") for s in result.steps] == [
        "s1-1", "s1-1/2", "s1-1/escalate.person", "s1-2", "s1-3", "synthesis-1",
    ]  # fmt: skip
    assert (without.status, without.output) == (RunStatus.PARTIAL, "whole of 1")
    assert without.missing[0].startswith("subtask s1-1 (a: one)")
    assert "nora rejected 'lead': let it be" in without.missing[0]
    assert "s1-1: nora rejected 'lead': let it be" in without.log
    assert task.choices == (Choice.ANSWER, Choice.REJECT), "there is nothing to approve or to edit"


async def test_a_person_reads_who_failed_and_how_and_that_it_was_re_routed(workers: Workers) -> None:
    boom = {"kind": "call", "name": "archive", "tool": "explode", "arguments": {"what": "the shelf"}}
    types = {"a": {**A, "attempts": 2, "reroute": ["b"]}, "b": {"node": boom, "attempts": 1}}
    async with workers(failing("a")) as bench:
        handle = await bench.start(team(subtasks=SUBTASKS[:1], workers=types, escalate=PERSON))
        task = await decides(bench.deployment.client, handle.id, Choice.ANSWER, answer="by hand")
        result = await read_result(handle)
    first, second, rerouted, last = task.reasons[:4]
    assert first.startswith("attempt 1, a: ")
    assert second.startswith("attempt 2, a: ")
    assert rerouted == "it was re-routed to b then"
    assert last.startswith("archive failed: the tool 'explode' answered with an error")
    assert result.log[0].startswith("s1-1 is re-routed to b, a failed: ")
    assert result.status is RunStatus.COMPLETE


async def test_a_person_has_the_patterns_time_and_no_more(workers: Workers) -> None:
    """Not what was left of it to whoever failed; and it bounds who is asked after the rounds, too."""
    slow = asyncio.Event()

    async def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "You are a.":
            await slow.wait()
        return says("") if "write" in call.instructions else obedient(call, index)

    async with workers(script) as bench:
        client = bench.deployment.client
        handle = await bench.start(team(subtasks=SUBTASKS, escalate=PERSON, seconds=2))
        task = await decides(client, handle.id, Choice.ANSWER, answer={"subtask_id": "s1-1", "answer": "by hand"})
        result = await asyncio.wait_for(read_result(handle), 20)
        slow.set()
    assert task.step == "supervisor/s1-1/escalate.person", "its own time was over"
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert "; nobody decided" in result.failure.message
    assert any(line.startswith("synthesis-1: nobody decided") for line in result.log)


async def test_a_draft_that_the_gate_does_not_accept_goes_to_the_person(workers: Workers) -> None:
    decisions: list[tuple[Choice, Any, Any]] = [
        (Choice.APPROVE, None, "whole of 2"),
        (Choice.EDIT, "whole of 2, mended", "whole of 2, mended"),
        (Choice.REJECT, None, None),
    ]
    async with workers(obedient) as bench:
        for choice, answer, output in decisions:
            handle = await bench.start(team(subtasks=SUBTASKS, gate=CLOSED, corrections=0, escalate=PERSON))
            task = await decides(bench.deployment.client, handle.id, choice, answer=answer, reason="so be it")
            result = await read_result(handle)
            assert task.step == "supervisor/gate-1/escalate.person"
            assert task.context == {"input": "whole of 2"}, "the draft"
            assert any("not whole of 2" in reason for reason in task.reasons)
            assert result.output == output
            assert result.status is (RunStatus.COMPLETE if output else RunStatus.FAILED)
    assert result.failure
    assert result.failure.message.startswith("the gate 'gate' does not accept the last answer: ")
    assert result.failure.message.endswith("; nora rejected 'lead': so be it")
    assert result.so_far


async def test_what_a_planner_or_a_writer_fails_of_the_person_does(workers: Workers) -> None:
    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if "plan" in call.instructions:
            return says_json({"subtasks": []})
        return says("") if "write" in call.instructions else obedient(call, index)

    gate = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$draft", "final": "$final"}}
    async with workers(script) as bench:
        client = bench.deployment.client
        handle = await bench.start(team(planner="boss", gate=gate, escalate=PERSON))
        first = await decides(client, handle.id, Choice.ANSWER, answer={"subtasks": [{"type": "b", "task": "two"}]})
        last = await decides(client, handle.id, Choice.ANSWER, answer="good", after=first)
        result = await read_result(handle)
    assert first.step == "supervisor/plan-1/escalate.person"
    assert "the planner 'boss' made no subtasks" in first.reasons[0]
    assert first.answer_schema, "a person is asked for what a planner answers"
    assert last.step == "supervisor/synthesis-1/escalate.person"
    assert (result.status, result.output) == (RunStatus.COMPLETE, ["good", None, True]), "the gate has seen it"
    assert [s.step.removeprefix("supervisor/") for s in result.steps] == [
        "plan-1", "plan-1/escalate.person", "s1-1", "synthesis-1", "synthesis-1/escalate.person", "gate-1",
    ]  # fmt: skip
