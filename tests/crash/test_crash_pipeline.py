"""A pipeline under SIGKILL: the same output, versions and effects, or the one outcome that nobody can know, listed.

The worker process dies after every activity and between every effect and its record, while the pipeline does its work
and while it undoes what it has done.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from tests.crash.sweep import Outcome, Sweep
from tests.providers.fake_openai import Reply, answer, text
from workers.deployment import Deployment
from workers.server import ServerInfo
from workflows.contracts import RunStatus
from workflows.teams.tree import TeamSpec


def stage(name: str, tool: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": "call", "name": name, "tool": tool, "arguments": arguments}


def team(*more: dict[str, Any]) -> TeamSpec:
    stages = [
        stage("reserve", "reserve_room", room="blue"),
        stage("charge", "charge", amount=12),
        {"kind": "agent", "agent": "a"},
        *more,
    ]
    agents = {"a": {"instructions": "Do it.", "tier": "small", "tools": ["book_room"]}}
    root = {"kind": "pipeline", "name": "trip", "stages": stages}
    return TeamSpec.model_validate({"team": "crash", "agents": agents, "root": root}, extra="forbid")


def model(body: dict[str, Any]) -> Reply:
    if any(message["role"] == "assistant" for message in body["messages"]):
        return text("All done.")
    return answer(None, (("book_room", '{"room": "red"}', "c1"),))


WORK = 5  # reserve, charge, model, book_room, model
VERSIONS = [(1, "reserve", "reserved blue"), (2, "charge", "charged 12"), (3, "a", "All done.")]
DONE = {"reserve_room", "charge", "book_room"}


@pytest.fixture
def sweep(deployment: Deployment, server: ServerInfo, tmp_path: Path) -> Sweep:
    return Sweep(deployment, server, tmp_path, team(), model)


def kinds(outcome: Outcome) -> list[str]:
    """The tools that had effects, in order; the same request counts once."""
    return [line.split()[0] for line in dict.fromkeys(outcome.effects)]


def reported(outcome: Outcome) -> dict[str, str]:
    return {report.tool: report.outcome.value for report in outcome.result.done}


def versions(outcome: Outcome) -> list[tuple[int, str, Any]]:
    return [(commit.version, commit.key, commit.value) for commit in outcome.result.state]


def check_whole(outcome: Outcome) -> None:
    """The pipeline has done its work."""
    assert (outcome.result.status, outcome.result.output) == (RunStatus.COMPLETE, "All done.")
    assert versions(outcome) == VERSIONS
    assert reported(outcome) == dict.fromkeys(DONE, "done")


@pytest.mark.parametrize("point", ["none", "effect:reserve_room", "effect:book_room"])
async def test_a_killed_worker_changes_nothing_of_a_pipeline(sweep: Sweep, point: str) -> None:
    outcome = await sweep.run(point)
    check_whole(outcome)
    assert kinds(outcome) == ["reserve_room", "charge", "book_room"]


async def test_a_worker_killed_after_any_activity_changes_nothing_of_a_pipeline(sweep: Sweep) -> None:
    """One kill, at which each of several runs is at another activity."""
    found = await sweep.all_at_once({point: point for point in (f"after:{n}" for n in range(1, WORK + 1))})
    for outcome in found.values():
        check_whole(outcome)
    effects = [line.split()[0] for line in dict.fromkeys(sweep.effects())]
    assert Counter(effects) == dict.fromkeys(DONE, WORK)


async def test_what_nobody_can_know_ends_the_pipeline_and_what_is_known_is_undone(sweep: Sweep) -> None:
    """The worker dies after the card was charged and before that was recorded."""
    outcome = await sweep.run("effect:charge")
    assert outcome.result.failure
    assert outcome.result.failure.kind is FailureKind.OUTCOME_UNKNOWN
    assert kinds(outcome) == ["reserve_room", "charge", "cancel_room"]
    assert reported(outcome) == {"reserve_room": "compensated", "charge": "unknown"}
    assert versions(outcome) == VERSIONS[:1]


UNDONE = ["reserve_room", "charge", "book_room", "refund", "cancel_room"]


def check_undone(outcome: Outcome, *, lost: bool) -> None:
    """The pipeline has failed, and undone what it had done."""
    assert outcome.result.failure
    assert outcome.result.failure.kind is FailureKind.TOOL_FAILED
    assert versions(outcome) == VERSIONS
    assert reported(outcome) == {
        "reserve_room": "compensated",
        "charge": "compensation_failed" if lost else "compensated",
        "book_room": "done",
    }
    assert ("charge did could not be undone" in outcome.result.failure.message) is lost


@pytest.mark.parametrize("point", ["none", "effect:refund", "effect:cancel_room"])
async def test_a_killed_worker_changes_nothing_of_what_is_undone(sweep: Sweep, point: str) -> None:
    sweep.team = team(stage("boom", "explode", what="it"))
    outcome = await sweep.run(point)
    lost = point == "effect:refund"  # it is called once at most: whether the money is back, nobody knows
    assert kinds(outcome) == UNDONE
    check_undone(outcome, lost=lost)


async def test_a_worker_killed_after_any_undoing_changes_nothing(sweep: Sweep) -> None:
    """One kill, at which each of two runs is at another compensation."""
    sweep.team = team(stage("boom", "explode", what="it"))
    found = await sweep.all_at_once({point: point for point in (f"after:{n}" for n in range(WORK + 2, WORK + 4))})
    for outcome in found.values():
        check_undone(outcome, lost=False)
    assert Counter(line.split()[0] for line in dict.fromkeys(sweep.effects())) == dict.fromkeys(UNDONE, len(found))
