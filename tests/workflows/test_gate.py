"""The gate end to end: grants, the deployment's policy and people decide right before an effect."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.contracts.grants import Verdict
from tests.conftest import Bench, Workers
from tests.support.scripted import calls, in_order, says
from tests.support.teams import one_agent
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

MAIL = ("send_mail", {"to": "ann"})
ROOM = ("book_room", {"room": "blue"})


def done(effects: Path, request: str = "") -> list[str]:
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
