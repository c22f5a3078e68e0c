"""Limits are hard, whatever the model, the tools and the retries do; and no effect goes unreported."""

import asyncio
import json
from pathlib import Path

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import MalformedAnswer
from activities.providers.base import ProviderAnswer
from tests.conftest import Bench, Workers
from tests.support.scripted import Script, calls, in_order, says
from tests.support.teams import one_agent, one_call
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus

ADD: Script = lambda *_: calls(("add", {"a": 1, "b": 1}))  # noqa: E731 -- a script, not a function with a name


def kind(result: RunResult) -> FailureKind:
    assert result.failure, result
    return result.failure.kind


@pytest.mark.parametrize(
    ("limits", "word", "asked"),
    [({"model_calls": 3}, "model_calls", 3), ({"tool_calls": 2}, "tool calls", 3), ({"tokens": 4200}, "tokens", 108)],
)
async def test_each_limit_ends_the_step(workers: Workers, limits: dict[str, int], word: str, asked: int) -> None:
    async with workers(ADD) as bench:
        team = one_agent(tools=["add"], limits={"turns": 1000, "model_calls": 500, "tool_calls": 500, **limits})
        result = await bench.run(team)
        assert len(bench.provider.calls) <= asked
    assert kind(result) is FailureKind.LIMIT_EXCEEDED
    assert result.failure
    assert word in result.failure.message


async def test_a_call_that_might_cost_too_much_is_not_made(workers: Workers) -> None:
    async with workers(ADD) as bench:
        team = one_agent(tools=["add"], limits={"cost_usd": 0.5, "turns": 100})
        # 2,048 tokens of answer at 100 USD a million are 0.2 USD: two calls fit, a third might not.
        handle = await bench.start(team, prices={"a": (0.0, 100.0)})
        result = await read_result(handle)
    assert result.usage.model_calls >= 2
    assert kind(result) is FailureKind.LIMIT_EXCEEDED


async def test_retries_have_to_fit_the_budget_too(workers: Workers) -> None:
    """Each failed attempt may be paid: there are only as many as fit, and they are in the result."""
    async with workers(lambda *_: _raise(MalformedAnswer("garbage"))) as bench:
        result = await bench.run(one_agent(limits={"model_calls": 2}))
        assert len(bench.provider.calls) == 2
    assert kind(result) is FailureKind.MALFORMED_ANSWER
    assert result.usage.model_calls == 2
    assert result.usage.unsettled_tokens > 2 * 2048


async def test_tools_side_by_side_are_bounded(workers: Workers) -> None:
    wanted = calls(*[("meet", {}) for _ in range(6)])
    async with workers(in_order(wanted, says("ok"))) as bench:
        result = await bench.run(one_agent(tools=["meet"], limits={"parallel_tools": 2}))
        shown = [json.loads(m.text) for m in bench.provider.calls[1].messages if m.role == "tool"]
    assert result.status is RunStatus.COMPLETE
    assert max(shown) == 2


async def test_a_window_that_cannot_be_shortened_is_no_prompt(workers: Workers) -> None:
    many = calls(*[("big", {"size": 10_000}) for _ in range(8)])
    async with workers(in_order(many)) as bench:
        result = await bench.run(one_agent(tools=["big"], limits={"context_tokens": 3000}))
        assert len(bench.provider.calls) == 1
    assert kind(result) is FailureKind.LIMIT_EXCEEDED
    assert result.failure
    assert "context_tokens" in result.failure.message


async def test_tools_asked_for_on_the_last_turn_are_not_called(workers: Workers, effects: Path) -> None:
    before = effects.read_text().count("send_mail")
    async with workers(lambda *_: calls(("send_mail", {"to": "ann"}))) as bench:
        result = await bench.run(one_agent(tools=["send_mail"], limits={"turns": 2}))
        assert [bool(call.tools) for call in bench.provider.calls] == [True, False]
    assert kind(result) is FailureKind.LIMIT_EXCEEDED
    assert effects.read_text().count("send_mail") - before == 1


async def test_an_unknown_outcome_comes_before_every_other_failure(workers: Workers) -> None:
    async with workers(in_order(calls(("big", {"size": 9_000_000}), ("send_slowly", {})))) as bench:
        result = await bench.run(one_agent(tools=["big", "send_slowly"]))
    assert kind(result) is FailureKind.OUTCOME_UNKNOWN
    assert any("send_slowly" in sentence for sentence in result.missing)


async def test_an_unknown_outcome_is_reported_after_the_deadline_too(workers: Workers) -> None:
    async with workers(in_order(calls(("send_and_hang", {})))) as bench:
        team = one_agent(tools=["send_and_hang"], limits={"seconds": 2}, on_limit="partial")
        result = await bench.run(team)
    assert kind(result) is FailureKind.OUTCOME_UNKNOWN
    assert result.status is RunStatus.FAILED


@pytest.mark.parametrize("size", [16_000, 17_000, 300_000, 1_000_000])
async def test_results_of_every_size_arrive(workers: Workers, size: int) -> None:
    async with workers(in_order(calls(("big", {"size": size})), says("ok"))) as bench:
        result = await bench.run(one_agent(tools=["big"]))
    assert result.status is RunStatus.COMPLETE
    assert result.steps[0].attempts == 1


async def test_a_call_node_says_that_its_result_is_too_long(workers: Workers) -> None:
    async with workers(in_order()) as bench:
        whole = await bench.run(one_call("big", {"size": 200_000}))
        cut = await bench.run(one_call("big", {"size": 300_000}))
    assert (whole.status, len(str(whole.output))) == (RunStatus.COMPLETE, 200_000)
    assert cut.failure
    assert cut.failure.kind is FailureKind.PAYLOAD_TOO_LARGE
    assert "300,000 bytes" in cut.failure.message


@pytest.mark.parametrize("text", ['"\\ud800"', "[" * 300 + "]" * 300, "[" * 20_000 + "]" * 20_000])
async def test_a_call_node_ends_whatever_its_tool_writes(workers: Workers, text: str) -> None:
    async with workers(in_order()) as bench:
        result = await asyncio.wait_for(bench.run(one_call("echo", {"text": text})), 20)
    assert result.status in {RunStatus.COMPLETE, RunStatus.PARTIAL}
    assert isinstance(result.output, str)


async def test_arguments_that_are_too_long_fail_the_run_instead_of_the_workflow_task(workers: Workers) -> None:
    async with workers(in_order()) as bench:
        result = await asyncio.wait_for(bench.run(one_call("echo", {"text": "x" * 300_000})), 20)
    assert result.status is RunStatus.FAILED


async def test_a_run_of_another_kind_fails_instead_of_hanging(workers: Workers) -> None:
    async with workers(in_order()) as bench:
        for workflow, team in (("call", one_agent()), ("agent", one_call("add", {"a": 1, "b": 1}))):
            result = await asyncio.wait_for(_start_as(bench, workflow, team), 20)
            assert kind(result) is FailureKind.CONFIGURATION_INVALID


async def test_the_server_ends_what_our_own_limits_cannot(workers: Workers) -> None:
    async with workers(in_order(says("ok"))) as bench:
        handle = await bench.start(one_agent(limits={"seconds": 60}))
        await read_result(handle)
        started = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
    assert 60 < started.workflow_execution_timeout.seconds <= 60 + 15 * 60
    assert started.workflow_task_timeout.seconds == 3


def _raise(error: Exception) -> ProviderAnswer:
    raise error


async def _start_as(bench: Bench, workflow: str, team: object) -> RunResult:
    run = await bench.admit(team)  # type: ignore[arg-type] # a team of either kind
    options = {"id": run.scope_id, "task_queue": "ostinato-workflows", "result_type": RunResult}
    return await read_result(await bench.deployment.client.start_workflow(workflow, run, **options))  # type: ignore[call-overload] # by name
