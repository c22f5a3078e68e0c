"""The gate asks people: a call is made with their yes, with their arguments, or not at all."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.contracts.failures import FailureKind
from activities.contracts.people import Asking, Choice, DecideRequest, HumanDecision
from tests.conftest import Bench, Workers
from tests.support.people import until_asked
from tests.support.scripted import calls, in_order, says
from tests.support.teams import one_agent
from workers.runs import RunHandle, read_result, start_run
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

ASKS = {"send_mail": {"ask": True}}


@pytest.fixture
def noted(effects: Path) -> Path:
    effects.write_text("")
    return effects


def sent(effects: Path) -> list[str]:
    return [line.split(maxsplit=2)[2] for line in effects.read_text().splitlines()]


def verdicts(result: RunResult) -> list[tuple[str, str]]:
    return [(decision.verdict.value, decision.by) for decision in result.decisions]


async def decide(bench: Bench, task: str, **said: Any) -> HumanDecision:
    """Decide a human task as soon as it is there."""
    await opens(bench, task)
    handle = bench.deployment.client.get_workflow_handle(task)
    request = DecideRequest(**{"by": "petra", **said})
    return cast("HumanDecision", await handle.execute_update("decide", request, result_type=HumanDecision))


async def opens(bench: Bench, task: str) -> datetime:
    """When a human task was opened, as soon as it is."""
    async with asyncio.timeout(20):
        while True:
            try:
                return (await bench.deployment.client.get_workflow_handle(task).describe()).start_time
            except RPCError:
                await asyncio.sleep(0.05)  # it is not open yet


async def ends(handle: RunHandle) -> RunResult:
    async with asyncio.timeout(30):
        return await read_result(handle)


def mail_team(**agent: Any) -> TeamSpec:
    return one_agent(tools=["send_mail"], grants=ASKS, **agent)


async def test_an_approved_call_is_made_once_and_the_person_is_named(workers: Workers, noted: Path) -> None:
    async with workers(in_order(calls(("send_mail", {"to": "ann"})), says("done"))) as bench:
        handle = await bench.start(mail_team())
        said = await decide(bench, f"{handle.id}~a~t1.c0.ask", choice=Choice.APPROVE)
        result = await ends(handle)
    assert (result.status, result.output) == (RunStatus.COMPLETE, "done")
    assert sent(noted) == ["ann"]
    assert said.task_id == f"{handle.id}~a~t1.c0.ask"
    assert verdicts(result) == [("ask", "grant"), ("proceed", "petra")]


async def test_a_persons_arguments_are_used_and_a_rejection_is_read_by_the_agent(workers: Workers, noted: Path) -> None:
    script = in_order(calls(("send_mail", {"to": "ann"}), ("send_mail", {"to": "eve"})), says("done"))
    async with workers(script) as bench:
        handle = await bench.start(mail_team())
        await decide(bench, f"{handle.id}~a~t1.c0.ask", choice=Choice.EDIT, arguments='{"to": "bob"}')
        await decide(bench, f"{handle.id}~a~t1.c1.ask", choice=Choice.REJECT, reason="eve is on leave")
        result = await ends(handle)
        told = [message.text for message in bench.provider.calls[1].messages[-2:]]
    assert sent(noted) == ["bob"]
    assert told == ["sent to bob", "petra does not allow this call: eve is on leave."]
    assert ("edit", "petra") in verdicts(result)
    assert ("block", "petra") in verdicts(result)
    assert [effect.ordinal for effect in result.done] == ["t1.c0"]


async def test_a_person_cannot_exceed_grants_and_policy(workers: Workers, noted: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "rules:\n"
        "  - {tool: send_mail, arguments: {to: {one_of: [ceo]}}, verdict: block, reason: never the ceo}\n"
        "  - {tool: send_mail, verdict: ask, asking: {people: [petra], seconds: 60}}\n"
    )
    team = one_agent(tools=["send_mail"], grants={"send_mail": {"arguments": {"to": {"max_length": 5}}}})
    script = in_order(calls(("send_mail", {"to": "ann"}), ("send_mail", {"to": "bob"})), says("done"))
    async with workers(script, policy=path) as bench:
        handle = await bench.start(team)
        await decide(bench, f"{handle.id}~a~t1.c0.ask", choice=Choice.EDIT, arguments='{"to": "ceo"}')
        await decide(bench, f"{handle.id}~a~t1.c1.ask", choice=Choice.EDIT, arguments='{"to": "everybody"}')
        result = await ends(handle)
        told = [message.text for message in bench.provider.calls[1].messages[-2:]]
    assert sent(noted) == []
    assert result.status is RunStatus.COMPLETE
    assert "never the ceo" in told[0]
    assert "to has to be at most 5 long" in told[1]


async def test_a_call_that_a_person_rejects_fails_as_not_allowed_and_costs_nothing(
    workers: Workers, noted: Path
) -> None:
    """While the person thinks it holds nothing: the other call gets the one that the budget has."""
    mail = {"kind": "call", "name": "mail", "tool": "send_mail", "arguments": {"to": "ann"}, "grants": ASKS}
    book = {"kind": "call", "name": "book", "tool": "book_room", "arguments": {"room": "red"}}
    root = {
        "kind": "supervisor",
        "budget": {"tool_calls": 1},
        "subtasks": [{"type": "mail", "task": "mail"}, {"type": "book", "task": "book"}],
        "workers": {name: {"node": node, "attempts": 1} for name, node in (("mail", mail), ("book", book))},
    }
    async with workers(in_order()) as bench:
        handle = await bench.start(TeamSpec.model_validate({"team": "t", "root": root}))
        await opens(bench, f"{handle.id}~supervisor~s1-1~t1.ask")
        async with asyncio.timeout(20):
            while not sent(noted):
                await asyncio.sleep(0.05)  # it is not booked yet
        said = {"choice": Choice.REJECT, "reason": "not today"}
        await decide(bench, f"{handle.id}~supervisor~s1-1~t1.ask", **said)
        result = await ends(handle)
    assert (result.status, sent(noted), result.usage.tool_calls) == (RunStatus.PARTIAL, ["red"], 1)
    assert "petra does not allow this call: not today" in result.missing[-1]


async def test_the_time_of_people_is_not_the_agents(workers: Workers, noted: Path) -> None:
    async with workers(in_order(calls(("send_mail", {"to": "ann"})), says("done"))) as bench:
        handle = await bench.start(mail_team(limits={"seconds": 1.5}))
        opened = await opens(bench, f"{handle.id}~a~t1.c0.ask")
        while datetime.now(UTC) < opened + timedelta(seconds=2.5):
            assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
            await asyncio.sleep(0.1)  # time has to pass: more than the agent has
        await decide(bench, f"{handle.id}~a~t1.c0.ask", choice=Choice.APPROVE)
        result = await ends(handle)
    assert (result.status, result.output) == (RunStatus.COMPLETE, "done")
    assert sent(noted) == ["ann"]


async def test_nobody_decides_in_time(workers: Workers, noted: Path) -> None:
    team = mail_team().model_copy(update={"people": Asking(seconds=1)})
    async with workers(in_order(calls(("send_mail", {"to": "ann"})))) as bench:
        result = await bench.run(team)
    assert result.failure
    assert result.failure.kind is FailureKind.DEADLINE_EXCEEDED
    assert verdicts(result) == [("ask", "grant"), ("block", "nobody")]
    assert sent(noted) == []


async def test_a_run_of_the_same_lineage_asks_nobody_again(workers: Workers, noted: Path) -> None:
    wanted = calls(("send_mail", {"to": "ann"}), ("send_mail", {"to": "eve"}))
    anew = calls(("send_mail", {"to": "zoe"}))
    async with workers(in_order(wanted, says("done"), anew, says("done anew"))) as bench:
        run = await bench.admit(mail_team())
        handle = await start_run(bench.deployment.client, run)
        await decide(bench, f"{handle.id}~a~t1.c0.ask", choice=Choice.APPROVE)
        await decide(bench, f"{handle.id}~a~t1.c1.ask", choice=Choice.EDIT, arguments='{"to": "bob"}')
        first = await ends(handle)
        again = await ends(await start_run(bench.deployment.client, run.model_copy(update={"run_id": "another"})))
        assert sorted(sent(noted)) == ["ann", "bob"]
        # Where it is taken anew under the same id, its question has the id of the old one, and its yes is a new one.
        fresh_run = run.model_copy(update={"generation": 1})
        handle = await start_run(bench.deployment.client, fresh_run, place="again")
        (asked,) = await until_asked(bench.deployment.client, handle.id)
        await decide(bench, asked.task_id, choice=Choice.APPROVE)
        fresh = await ends(handle)
    assert (fresh.output, sorted(sent(noted))) == ("done anew", ["ann", "bob", "zoe"])
    assert (again.status, again.output, again.usage.model_calls) == (RunStatus.COMPLETE, "done", 0)
    assert {("proceed", "petra"), ("edit", "petra")} <= set(verdicts(first)) & set(verdicts(again))


async def test_decisions_outlive_a_continue_as_new(workers: Workers, noted: Path) -> None:
    grants = {"send_mail": {"arguments": {"to": {"one_of": ["bob"]}}}}
    script = in_order(calls(("send_mail", {"to": "ann"})), calls(("add", {"a": 1, "b": 2})), says("done"))
    async with workers(script) as bench:
        team = one_agent(tools=["send_mail", "add"], grants=grants)
        handle = await bench.start(team, max_history_events=1)
        result = await ends(handle)
    assert (result.status, verdicts(result)) == (RunStatus.COMPLETE, [("block", "grant")])
    assert sent(noted) == []
