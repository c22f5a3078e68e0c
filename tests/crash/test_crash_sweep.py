"""The crash sweep: a worker process is killed at every boundary, and nobody can tell from the outcome."""

from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from tests.crash.sweep import Outcome, Sweep
from tests.providers.fake_openai import Reply, answer, text
from tests.support.teams import one_agent
from workers.deployment import Deployment
from workers.server import ServerInfo
from workflows.contracts import RunStatus

TEAM = one_agent("crash", tools=["add", "book_room", "send_mail"])
ACTIVITIES = 6  # model, (add, book_room), model, send_mail, model
MODEL_CALLS = 3
HELD = [
    *(f"{side}:{number}" for number in range(1, ACTIVITIES + 1) for side in ("before", "after")),
    *(f"answered:{number}" for number in range(1, MODEL_CALLS + 1)),
]
POINTS = [*(f"during:{number}" for number in range(1, MODEL_CALLS + 1)), "effect:book_room", "effect:send_mail"]


def model(body: dict[str, Any]) -> Reply:
    """The model's side: which answer it is follows from the conversation, so a repeated request is answered alike."""
    turns = sum(message["role"] == "assistant" for message in body["messages"])
    if turns == 0:
        return answer(None, (("add", '{"a": 1, "b": 2}', "c1"), ("book_room", '{"room": "blue"}', "c2")))
    if turns == 1:
        return answer(None, (("send_mail", '{"to": "ann"}', "c3"),))
    return text("All done: " + body["messages"][-1]["content"])


@pytest.fixture
def sweep(deployment: Deployment, server: ServerInfo, tmp_path: Path) -> Sweep:
    return Sweep(deployment, server, tmp_path, TEAM, model)


def check(outcome: Outcome, point: str) -> None:
    """The same output as without a fault and nothing paid twice, or the one outcome that nobody can know, reported."""
    if point == "effect:send_mail":
        assert outcome.result.failure
        assert outcome.result.failure.kind is FailureKind.OUTCOME_UNKNOWN
        assert outcome.requests == MODEL_CALLS - 1
        return
    assert outcome.result.status is RunStatus.COMPLETE, outcome.result
    assert outcome.result.output == "All done: sent to ann"
    lost = point.startswith(("answered:", "during:"))
    assert outcome.requests == MODEL_CALLS + lost  # a recorded call is never made again
    # A death before the request counts as lost too: nobody can tell it from one during the request.
    if point not in {"before:1", "before:4", "before:6"}:
        assert (outcome.result.usage.unsettled_tokens > 0) is lost
    # Attempts of tools that the death caught count too: two of them run side by side.
    caught = 2 if point.endswith((":2", ":3", ":5", ":book_room")) else 0
    assert 3 <= outcome.result.usage.tool_calls <= 3 + caught


def check_effects(effects: list[str], runs: int, repeated: set[int]) -> None:
    """One of each a run; ``repeated`` is how many calls of the idempotent tool may have been made again."""
    kinds = [line.split()[0] for line in effects]
    assert kinds.count("send_mail") == runs, effects
    assert len({line for line in effects if line.startswith("book_room")}) == runs, effects
    assert kinds.count("book_room") - runs in repeated


@pytest.mark.parametrize("cache", [500, 0], ids=["cached", "uncached"])
async def test_a_killed_worker_changes_nothing_at_any_boundary(sweep: Sweep, cache: int) -> None:
    """One kill, at which each of several runs is at another boundary."""
    found = await sweep.all_at_once({point: point for point in HELD}, cache=cache)
    for point, outcome in found.items():
        check(outcome, point)
    # Activity 2 runs beside book_room, so a death there may catch book_room after its effect and before its record: then
    # it is called again with the same request id, which counts once.
    check_effects(sweep.effects(), len(HELD), {0, 1, 2})


@pytest.mark.parametrize("cache", [500, 0], ids=["cached", "uncached"])
@pytest.mark.parametrize("point", ["none", *POINTS])
async def test_a_killed_worker_changes_nothing(sweep: Sweep, point: str, cache: int) -> None:
    outcome = await sweep.run(point, cache=cache)
    check(outcome, point)
    check_effects(outcome.effects, 1, {1} if point == "effect:book_room" else {0})


async def test_a_killed_server_changes_nothing(sweep: Sweep) -> None:
    outcome = await sweep.run("none", kill_server_at=1)
    check(outcome, "none")
    check_effects(outcome.effects, 1, {0})
