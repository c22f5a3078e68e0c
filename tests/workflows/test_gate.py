"""The gate end to end: grants, the deployment's policy and people decide right before an effect."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.contracts.failures import FailureKind
from activities.contracts.profile import Effect
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.mcp.support import stdio_server
from tests.support.scripted import calls, in_order, says
from tests.support.supervision import SUBTASKS, obedient, spacious
from tests.support.supervision import team as supervised
from tests.support.teams import one_agent
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

MAIL = ("send_mail", {"to": "ann"})
ROOM = ("book_room", {"room": "blue"})


def done(effects: Path) -> list[str]:
    """What the tools have done since the test began."""
    return [line.split(maxsplit=2)[0] + " " + line.split(maxsplit=2)[2] for line in effects.read_text().splitlines()]


@pytest.fixture
def noted(effects: Path) -> Path:
    effects.write_text("")
    return effects


def policy(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "policy.yaml"
    path.write_text(text)
    return {"policy": path}


def verdicts(result: RunResult) -> list[tuple[str, str, str]]:
    return [(d.tool, d.verdict.value, d.by) for d in result.decisions]


async def test_an_argument_that_a_grant_does_not_allow_is_blocked_and_the_agent_goes_on(
    workers: Workers, noted: Path
) -> None:
    script = in_order(calls(("send_mail", {"to": "eve"})), calls(MAIL), says("done"))
    async with workers(script) as bench:
        team = one_agent(tools=["send_mail"], grants={"send_mail": {"arguments": {"to": {"one_of": ["ann", "bob"]}}}})
        result = await bench.run(team)
        told = bench.provider.calls[1].messages[-1].text
    assert result.status is RunStatus.COMPLETE
    assert done(noted) == ["send_mail ann"]
    assert 'to has to be one of ["ann", "bob"], and is "eve"' in told
    assert verdicts(result) == [("send_mail", "block", "grant")]
    assert len(result.done) == 1


async def test_with_a_policy_what_no_rule_allows_is_blocked_and_reads_go_on(
    workers: Workers, noted: Path, tmp_path: Path
) -> None:
    rules = "rules:\n  - {tool: book_room, verdict: edit, replace: {room: red}, reason: blue is being painted}\n"
    script = in_order(calls(MAIL, ROOM, ("add", {"a": 1, "b": 2})), says("done"))
    async with workers(script, **policy(tmp_path, rules)) as bench:
        result = await bench.run(one_agent(tools=["send_mail", "book_room", "add"]))
        told = [message.text for message in bench.provider.calls[1].messages[-3:]]
    assert done(noted) == ["book_room red"]
    assert told[1:] == ["booked red", "3.0"]
    assert "no rule of the deployment's policy allows this action" in told[0]
    assert sorted(verdicts(result)) == [("book_room", "edit", "policy"), ("send_mail", "block", "policy")]


async def test_a_halt_ends_the_run_and_nothing_stands_in(workers: Workers, noted: Path, tmp_path: Path) -> None:
    rules = "rules:\n  - {tool: send_mail, verdict: halt, reason: no mail today}\n  - {verdict: proceed}\n"
    team = TeamSpec.model_validate(
        {
            "team": "t",
            "agents": {
                "a": {"instructions": "You are a.", "tools": ["send_mail"]},
                "b": {"instructions": "You are b."},
            },
            "root": {
                "kind": "pipeline",
                "stages": [
                    {"kind": "agent", "agent": "a", "critical": False, "fallback": {"kind": "constant", "value": 1}},
                    {"kind": "agent", "agent": "b"},
                ],
            },
        }
    )
    async with workers(in_order(calls(MAIL)), **policy(tmp_path, rules)) as bench:
        result = await bench.run(team)
        assert len(bench.provider.calls) == 1
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert result.failure.kind is FailureKind.HALTED
    assert "no mail today" in result.failure.message
    assert done(noted) == []
    assert verdicts(result) == [("send_mail", "halt", "policy")]


async def test_a_halt_stops_what_is_under_way_in_other_workflows(workers: Workers, noted: Path, tmp_path: Path) -> None:
    rules = "rules:\n  - {tool: send_mail, verdict: halt, reason: no mail today}\n  - {verdict: proceed}\n"
    worker_b = {
        "node": {"kind": "call", "name": "mail", "tool": "send_mail", "arguments": {"to": "$task"}},
        "attempts": 5,
    }
    begun = asyncio.Event()

    async def script(call: ProviderCall, index: int) -> ProviderAnswer:
        begun.set()
        await asyncio.sleep(60)  # cancelled with its workflow
        return obedient(call, index)

    team = spacious(supervised(subtasks=SUBTASKS, workers={"a": {"node": {"agent": "a"}}, "b": worker_b}))
    async with workers(script, **policy(tmp_path, rules)) as bench, asyncio.timeout(30):
        handle = await bench.start(team)
        result = await read_result(handle)
        other = bench.deployment.client.get_workflow_handle(f"{handle.id}/supervisor/s1-1")
        assert (await other.describe()).status is WorkflowExecutionStatus.CANCELED
    assert result.failure
    assert result.failure.kind is FailureKind.HALTED
    assert done(noted) == []
    assert verdicts(result) == [("send_mail", "halt", "policy")]


async def test_a_tool_of_an_mcp_server_passes_the_same_gate_whatever_its_team_says_of_it(
    workers: Workers, tmp_path: Path
) -> None:
    local = stdio_server(tmp_path)
    team = one_agent("gated", tools=["s__add"], grants={"s__add": {"arguments": {"a": {"maximum": 5}}}}).model_copy(
        update={"mcp": {"s": local.declared(add=Effect.READ)}}
    )
    rules = "rules:\n  - {effect: read, verdict: proceed}\n  - {tool: s__*, arguments: {b: {one_of: [2]}}, verdict: proceed}\n"
    wanted = calls(*(("s__add", {"a": a, "b": b}) for a, b in ((1, 2), (6, 2), (1, 3))))
    async with workers(
        in_order(wanted, says("done")), mcp_allowed=(local.allowed,), **policy(tmp_path, rules)
    ) as bench:
        result = await bench.run(team)
        told = [message.text for message in bench.provider.calls[1].messages[-3:]]
    assert result.status is RunStatus.COMPLETE
    assert told[0] == "3"
    assert "a has to be at most 5, and is 6" in told[1]
    assert "no rule of the deployment's policy" in told[2]
    assert local.effects() == ["add 1 2"]


async def test_what_is_let_through_costs_no_event(workers: Workers, noted: Path, tmp_path: Path) -> None:
    lengths = []
    grants = {"send_mail": {"arguments": {"to": {"max_length": 9}}}}
    for changes in ({}, policy(tmp_path, "rules: [{tool: send_mail, verdict: proceed}]\n")):
        async with workers(in_order(calls(MAIL), says("done")), **changes) as bench:
            handle = await bench.start(one_agent(tools=["send_mail"], grants=grants if changes else {}))
            result = await read_result(handle)
            lengths.append((await handle.describe()).history_length)
        assert result.decisions == ()
    assert lengths[0] == lengths[1]
    assert done(noted) == ["send_mail ann", "send_mail ann"]
