"""Every pattern under SIGKILL at each activity boundary: same output, artifacts and effects, nothing done twice.

All patterns run at once, and each is held at its N-th activity (made, not reported) until the others have come to theirs:
then the worker process dies. So one kill is that boundary of all of them, and a few kills are the whole sweep.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.crash.sweep import Outcome, Sweep
from tests.providers.fake_openai import Reply, answer, text
from tests.support.patterns import LEAF, PATTERNS, around, said, team
from workers.deployment import Deployment
from workers.server import ServerInfo
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

OWN = "tests.support.own_workflow"
AT_ONCE = 2
"""Calls that the run which comes last to its point may have under way beside it: the death catches them."""
MOST = 7
"""Activities of the longest of them; the test says so where one has more."""


def booking(kind: str) -> TeamSpec:
    """A pattern around an agent that has an effect and writes a file."""
    tools = ["book_room", "write_artifact"]
    agent = {"instructions": LEAF, "tier": "small", "tools": tools, "limits": {"model_calls": 4, "tool_calls": 4}}
    node, agents = around(kind, {"kind": "agent", "agent": "leaf"}, "o")
    return team(node, {"leaf": agent}, {name: {**more, "tier": "small"} for name, more in agents.items()})


def model(body: dict[str, Any]) -> Reply:
    """The leaf books a room, writes a file and answers; everybody else fills the contract. Alike for a repeated request."""
    messages = body["messages"]
    if not any(
        LEAF in str(message.get("content")) for message in messages if message["role"] in {"system", "developer"}
    ):
        return text(said(body.get("response_format", {}).get("json_schema", {}).get("schema")))
    match sum(message["role"] == "assistant" for message in messages):
        case 0:
            return answer(None, (("book_room", '{"room": "red"}', "c1"),))
        case 1:
            return answer(None, (("write_artifact", '{"name": "a.md", "text": "done"}', "c2"),))
    return text("the-mark")


def come_to(result: RunResult) -> Any:
    """All that a run leaves in the world."""
    artifacts = [(artifact.name, artifact.digest) for artifact in result.artifacts]
    done = [(report.tool, report.outcome.value) for report in result.done]
    # What is done side by side ends in any order.
    state = sorted((commit.key, json.dumps(commit.value)) for commit in result.state)
    return result.status, json.dumps(result.output), artifacts, done, state


def activities(result: RunResult) -> int:
    """How many a run has made."""
    return result.usage.model_calls + result.usage.tool_calls


def sweep_of(deployment: Deployment, server: ServerInfo, folder: Path) -> Sweep:
    settings = deployment.settings.model_copy(update={"workflow_modules": (OWN,)})
    return Sweep(replace(deployment, settings=settings), server, folder, booking("pipeline"), model)


async def all_patterns(sweep: Sweep, points: dict[str, str]) -> dict[str, Outcome]:
    """What each pattern leaves behind, each killed at its point."""
    return await sweep.all_at_once(points, teams={kind: booking(kind) for kind in PATTERNS})


@pytest.fixture(scope="module")
async def whole(
    deployment: Deployment, server: ServerInfo, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """What every pattern leaves behind where nothing dies."""
    sweep = sweep_of(deployment, server, tmp_path_factory.mktemp("whole"))
    found = await all_patterns(sweep, dict.fromkeys(PATTERNS, ""))
    results = {kind: outcome.result for kind, outcome in found.items()}
    assert {kind: (result.status, result.failure) for kind, result in results.items()} == dict.fromkeys(
        PATTERNS, (RunStatus.COMPLETE, None)
    )
    assert max(map(activities, results.values())) == MOST
    assert len(sweep.effects()) == len(PATTERNS)
    assert min(outcome.requests for outcome in found.values()) > 0
    return found


@pytest.mark.parametrize("ordinal", range(1, MOST + 1))
async def test_a_worker_killed_at_a_boundary_changes_nothing_of_any_pattern(
    whole: dict[str, Outcome], deployment: Deployment, server: ServerInfo, tmp_path: Path, ordinal: int
) -> None:
    points = {kind: f"made:{ordinal}" if activities(whole[kind].result) >= ordinal else "" for kind in PATTERNS}
    sweep = sweep_of(deployment, server, tmp_path)
    found = await all_patterns(sweep, points)
    assert {kind: come_to(outcome.result) for kind, outcome in found.items()} == {
        kind: come_to(outcome.result) for kind, outcome in whole.items()
    }
    again = sum(outcome.requests - whole[kind].requests for kind, outcome in found.items())
    assert 0 <= again <= AT_ONCE, "a recorded call is made again"
    assert len(dict.fromkeys(sweep.effects())) == len(PATTERNS), "the same request has its effect once"
