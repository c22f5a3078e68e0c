"""The gate and the review of a supervisor: what goes back, what is let through at last, and what is done without."""

from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import says
from tests.support.supervision import (
    SUBTASKS,
    failing,
    obedient,
    prompt,
    team,
)
from workflows.contracts import RunStatus


@pytest.mark.parametrize(("second", "corrections"), [("good", 2), ("still bad", 1)])
async def test_the_gates_problems_go_back_and_at_last_it_decides(
    workers: Workers, second: str, corrections: int
) -> None:
    def writer(call: ProviderCall, index: int) -> ProviderAnswer:
        if "write" not in call.instructions:
            return obedient(call, index)
        return says(second if "not good" in prompt(call) else "bad")

    arguments = {"draft": "$draft", "final": "$final", "review": "$review"}
    gate = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": arguments}
    async with workers(writer) as bench:
        review = {"kind": "agent", "agent": "boss"}
        result = await bench.run(team(subtasks=SUBTASKS, gate=gate, review=review, corrections=corrections))
    assert result.status is RunStatus.COMPLETE
    outputs: Any = result.output
    assert outputs[0] == second
    assert outputs[2] is (corrections == 1), "whether it was the last draft"
    assert "subtasks" in str(outputs[1]), "the review's answer reaches the gate"
    assert [s.step.split("/")[1] for s in result.steps][2:] == [
        "synthesis-1", "review-1", "gate-1", "synthesis-2", "review-2", "gate-2",
    ]  # fmt: skip


async def test_a_gate_that_accepts_nothing_fails_the_run_with_its_reason(workers: Workers) -> None:
    gate = {"kind": "call", "name": "gate", "tool": "closed_gate", "arguments": {"draft": "$draft"}}
    async with workers(obedient) as bench:
        result = await bench.run(team(subtasks=SUBTASKS, gate=gate, corrections=0))
    assert result.failure
    assert result.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert "not whole of 2" in result.failure.message


async def test_a_review_that_fails_is_named_and_the_gate_decides_without_it(workers: Workers) -> None:
    gate = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$draft", "final": "$final"}}
    review = {"kind": "agent", "agent": "a"}
    async with workers(failing("a")) as bench:
        result = await bench.run(team(subtasks=SUBTASKS[1:], gate=gate, review=review, corrections=0))
    assert result.status is RunStatus.PARTIAL
    assert "the review of draft 1" in result.missing[0]
