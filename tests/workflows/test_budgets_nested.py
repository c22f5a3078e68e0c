"""A pattern's own budget that is to fail it does so too where a nested pattern ended early for it."""

import json
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from tests.conftest import Workers
from tests.support.fan_outs import agent, call, fan, line, team
from tests.support.scripted import says
from workflows.contracts import RunStatus

VOTE = json.dumps({"position": "yes", "confidence": 1, "reasons": []})


def three(at: str) -> dict[str, Any]:
    """A nested pattern of three model calls, which is partial where not all of them are paid."""
    return fan(branches={name: agent(f"{at}{name}") for name in "xyz"}, max_parallel=1, name=f"three_{at}")


def debater(at: str) -> dict[str, Any]:
    return line(three(at), call("echo", f"vote_{at}", text=VOTE), name=f"debater_{at}")


EXECUTORS = {at: {"node": three(at)} for at in "ab"}
PATTERNS: dict[str, dict[str, Any]] = {
    "pipeline": line(three("a"), three("b"), call("add", "last", a=1, b=2)),
    "fan_out": fan(branches={"a": three("a"), "b": three("b")}, max_parallel=1),
    "plan": {
        "kind": "plan",
        "tasks": [{"task_id": at, "task": "Do it.", "executor": at} for at in "ab"],
        "executors": EXECUTORS,
        "max_parallel": 1,
    },
    "supervisor": {
        "kind": "supervisor",
        "subtasks": [{"type": at, "task": "Do it."} for at in "ab"],
        "workers": {at: {"node": three(at), "attempts": 1} for at in "ab"},
        "max_parallel": 1,
    },
    "debate": {"kind": "debate", "debaters": {at: debater(at) for at in "ab"}, "rounds": 0},
    "router": {
        "kind": "router",
        "default": "a",
        "rules": [{"to": "a", "pattern": "."}],
        "routes": {"a": {"description": "All.", "node": line(three("a"), three("b"))}, "b": {"node": agent("other")}},
    },
}


@pytest.mark.parametrize("name", PATTERNS)
async def test_what_it_did_not_pay_of_a_nested_pattern_fails_it(workers: Workers, name: str) -> None:
    async with workers(lambda *_: says("done")) as bench:
        paid = await bench.run(team({**PATTERNS[name], "budget": {"model_calls": 6}}))
        short = await bench.run(team({**PATTERNS[name], "budget": {"model_calls": 4}}))
        partial = await bench.run(team({**PATTERNS[name], "budget": {"model_calls": 4, "on_breach": "partial"}}))
    assert paid.status is RunStatus.COMPLETE, paid.failure
    assert short.status is RunStatus.FAILED, short.missing
    assert short.failure
    assert short.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert short.failure.fix
    assert partial.status is RunStatus.PARTIAL, partial.failure
