"""Monitors: what a step had said when a limit or a budget ended it goes on only as far as they let it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.monitors import TONE, done, judges, talks, verdicts, watched
from tests.support.people import decides
from tests.support.scripted import calls, in_order, says, says_json
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

MAIL = r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"
BLOCK = {"text": MAIL, "on": ["answer"], "verdict": "block", "reason": "it names an address"}
REDACT = {"text": MAIL, "on": ["answer"], "verdict": "edit", "redact": "[x]"}
ADDRESS = "ask ann@example.com"
PARTIAL: dict[str, Any] = {"limits": {"turns": 1}, "on_limit": "partial"}
SHORT: dict[str, Any] = {"model_calls": 1, "on_breach": "partial"}


@pytest.fixture
def noted(effects: Path) -> Path:
    effects.write_text("")
    return effects


def posts(*rules: dict[str, Any], node: dict[str, Any] | None = None, more: Any = None, **agent: Any) -> TeamSpec:
    """What an agent ``a`` says, or another node, is mailed."""
    mail = {"kind": "call", "name": "post", "tool": "send_mail", "arguments": {"to": "$input"}}
    stages = [node or {"kind": "agent", "agent": "a"}, mail]
    agents = {"a": agent, "referee": {}} if (more or {}).get("judges") else {"a": agent}
    return watched({"kind": "pipeline", "stages": stages}, *rules, agents=agents, **(more or {}))


def beside_a_call(text: str) -> ProviderAnswer:
    return replace(calls(("add", {"a": 1, "b": 2})), text=text)


def lacks(result: RunResult) -> bool:
    return any("what a had said does not go on: it names an address" in line for line in result.missing)


async def test_what_was_blocked_goes_on_from_no_limit_and_no_budget(workers: Workers, noted: Path) -> None:
    short: dict[str, Any] = {"kind": "agent", "agent": "a", "budget": SHORT}
    own = {"limits": {"model_calls": 200}}  # in a workflow of its own
    crew = {
        "kind": "supervisor",
        "workers": {"w": {"node": short, "attempts": 1}},
        "subtasks": [{"type": "w", "task": "Go."}],
    }
    teams = [
        posts(BLOCK, **PARTIAL),
        posts(BLOCK, node=short),
        posts(BLOCK, node=short, **own),
        posts(BLOCK, node=crew),
    ]
    async with workers(lambda _, __: says(ADDRESS)) as bench:
        results = await asyncio.gather(*map(bench.run, teams))
    for result in results:
        assert ("answer", "block", "monitor") in verdicts(result)
        assert result.status is RunStatus.FAILED
        assert lacks(result)
        assert "@" not in str((result.output, result.so_far, [commit.value for commit in result.state]))
    assert done(noted) == []


async def test_a_text_beside_a_call_is_reviewed_where_it_stands_for_the_answer(workers: Workers, noted: Path) -> None:
    async with workers(lambda _, __: beside_a_call(ADDRESS)) as bench:
        redacted = await bench.run(posts(REDACT, tools=["add"], **PARTIAL))
        blocked = await bench.run(posts(BLOCK, tools=["add"], **PARTIAL))
        breached = await bench.run(posts(REDACT, tools=["add"], node={"kind": "agent", "agent": "a", "budget": SHORT}))
    assert done(noted) == ["send_mail ask [x]"] * 2
    assert redacted.status is breached.status is RunStatus.PARTIAL
    assert lacks(blocked)
    assert [d.ordinal for d in blocked.decisions if d.action == "answer"] == ["t1.partial"]


async def test_a_budgets_time_ends_with_what_rules_alone_let_pass(workers: Workers, noted: Path) -> None:
    node = {"kind": "agent", "agent": "a", "budget": {"seconds": 1, "on_breach": "partial"}}
    texts = {"fine": "ask ann", "bad": ADDRESS}

    def script(text: str) -> Any:
        async def answer(call: ProviderCall) -> ProviderAnswer:
            if len(call.messages) > 1:
                await asyncio.sleep(30)  # cancelled with its step
            return beside_a_call(text)

        return lambda call, _: answer(call)

    told = {}
    for name, text in texts.items():
        async with workers(script(text)) as bench, asyncio.timeout(30):
            told[name] = await bench.run(posts(BLOCK, tools=["add"], node=node))
            if name == "fine":
                judge: dict[str, Any] = {"judges": [{**TONE, "on": ["answer"]}]}
                late = await bench.run(posts(BLOCK, tools=["add"], node=node, more=judge))
                asks = await bench.run(posts({**BLOCK, "text": "ann", "verdict": "ask"}, tools=["add"], node=node))
    assert told["fine"].status is RunStatus.PARTIAL
    assert done(noted) == ["send_mail ask ann"]
    assert lacks(told["bad"])
    for result in (late, asks):  # nobody can be asked any more
        assert result.status is RunStatus.FAILED
        assert any("there is no time left to ask about it" in line for line in result.missing)


async def test_a_judge_looks_at_it_while_there_is_budget(workers: Workers, noted: Path) -> None:
    judge: dict[str, Any] = {"judges": [{**TONE, "on": ["answer"]}]}
    short: dict[str, Any] = {"kind": "agent", "agent": "a", "budget": SHORT}
    three = [beside_a_call(text) for text in ("dear sir", "you fool", "dear madam")]
    async with workers(talks(*three)) as bench:
        fine = await bench.run(posts(more=judge, tools=["add"], **PARTIAL))
        bad = await bench.run(posts(more=judge, tools=["add"], **PARTIAL))
        asked = sum(map(judges, bench.provider.calls))
        poor = await bench.run(posts(more=judge, tools=["add"], node=short))
        assert sum(map(judges, bench.provider.calls)) == asked == 3  # the two, and what was mailed
    assert done(noted) == ["send_mail dear sir"]
    assert fine.status is RunStatus.PARTIAL
    assert any("somebody is insulted" in line for line in bad.missing)
    assert any("tone could not judge it" in line for line in poor.missing)


async def test_rules_on_fields_hold_for_what_is_cut_off_too(workers: Workers, noted: Path) -> None:
    contract = {"schema": {"type": "object", "properties": {"amount": {"type": "number"}, "for": {"type": "string"}}}}
    rule = {
        "on": ["answer"],
        "arguments": {"amount": {"minimum": 501}},
        "verdict": "block",
        "reason": "it names an address",
    }
    texts = ['{"amount": 900}', '{"for": "it", "amount": 900', '{"amount": 3}']
    async with workers(in_order(*map(beside_a_call, texts))) as bench:
        results = [await bench.run(posts(rule, tools=["add"], output=contract, **PARTIAL)) for _ in texts]
    assert lacks(results[0])
    assert any("it cannot be judged: it is not whole, or no JSON" in line for line in results[1].missing)
    assert done(noted) == ['send_mail {"amount": 3}']


async def test_a_halt_at_it_ends_the_run(workers: Workers, noted: Path) -> None:
    node = {"kind": "agent", "agent": "a", "fallback": {"kind": "constant", "value": "nobody"}}
    async with workers(in_order(beside_a_call(ADDRESS))) as bench:
        result = await bench.run(posts({**BLOCK, "verdict": "halt"}, node=node, tools=["add"], **PARTIAL))
    assert result.failure
    assert result.failure.kind is FailureKind.HALTED
    assert done(noted) == []


async def test_a_transfer_does_not_take_a_blocked_answer_along(workers: Workers) -> None:
    agents = {"a": {"transfers_to": ["b"]}, "b": {}}
    script = in_order(says(ADDRESS), calls(("transfer", {"to": "b", "reason": "it is yours"})), says("done"))
    async with workers(script) as bench:
        result = await bench.run(watched({"kind": "agent", "agent": "a"}, BLOCK, agents=agents))
        told = bench.provider.calls[2].messages[-1].text
    assert result.output == "done"
    assert "it is yours" in told
    assert "@" not in told


async def test_an_edit_that_python_takes_for_the_same_is_made(workers: Workers) -> None:
    contract = {"schema": {"type": "object", "properties": {"approved": {}}, "required": ["approved"]}}
    answer = {"on": ["answer"], "verdict": "edit", "replace": {"approved": False}}
    call = {"tool": "tell", "verdict": "edit", "replace": {"payload": False}}
    tell = {"kind": "call", "name": "e", "tool": "tell", "arguments": {"event_type": "x", "payload": 0}}
    async with workers(in_order(says_json({"approved": 0}))) as bench:
        agent = await bench.run(watched({"kind": "agent", "agent": "a"}, answer, agents={"a": {"output": contract}}))
        own = await bench.run(watched(tell, call))
    assert str(agent.output) == "{'approved': False}"
    assert "'payload': False" in str(own.output)


async def test_what_a_person_makes_of_a_call_for_the_gate_is_held_against_the_rules(
    workers: Workers, noted: Path
) -> None:
    asked = {"grants": {"send_mail": {"ask": True}}}
    eve = {"tool": "send_mail", "arguments": {"to": {"one_of": ["eve"]}}, "verdict": "block", "reason": "never eve"}
    bob = {"tool": "send_mail", "arguments": {"to": {"one_of": ["bob"]}}, "verdict": "edit", "replace": {"to": "rob"}}
    call = {"kind": "call", "name": "c", "tool": "send_mail", "arguments": {"to": "ann"}, **asked}

    async def run(to: str, *more: Choice, **given: Any) -> RunResult:
        handle = await bench.start(watched(call, eve, bob, **given))
        task = await decides(bench.deployment.client, handle.id, Choice.EDIT, arguments=f'{{"to": "{to}"}}')
        for choice in more:
            task = await decides(bench.deployment.client, handle.id, choice, after=task)
        async with asyncio.timeout(30):
            return await read_result(handle)

    async with workers(in_order()) as bench:
        refused = await run("eve")
        assert done(noted) == []
        fine = await run("ada")
        assert done(noted) == ["send_mail ada"]
        edited = await run("bob", Choice.APPROVE)  # what a rule has made of it nobody had approved
    assert done(noted) == ["send_mail ada", "send_mail rob"]
    assert refused.failure
    assert "never eve" in refused.failure.message
    assert verdicts(refused)[-1] == ("tool_call", "block", "monitor")
    assert fine.status is edited.status is RunStatus.COMPLETE
