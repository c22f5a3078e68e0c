"""What stands in for a node that failed, at every place in the tree; and what may not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.people import until_asked
from tests.support.scripted import calls, says
from workers.inbox import decide
from workers.runs import read_result
from workflows.contracts import RunStatus
from workflows.teams.tree import TeamSpec

LARGE = {"model_calls": 500}


def team(stage: dict[str, Any], *, root: bool = False, **limits: Any) -> TeamSpec:
    """A stage by the agent ``bad`` and what stands in for it; as a root, or in a pipeline before the agent ``last``."""
    node = {"kind": "agent", "agent": "bad", **stage}
    last = {"kind": "agent", "agent": "last"}
    names = ("bad", "worse", "good", "last")
    return TeamSpec.model_validate(
        {
            "team": "t",
            "agents": {name: {"instructions": f"You are {name}.", "limits": limits, "tools": ["send_mail"]} for name in names},
            "root": node if root else {"kind": "pipeline", "stages": [node, last]},
        },
        extra="forbid",
    )  # fmt: skip


def bad(call: ProviderCall, index: int) -> ProviderAnswer:
    del index
    if call.instructions in {"You are bad.", "You are worse."}:
        raise AuthenticationFailed("no key")
    return says(f"{call.instructions.removeprefix('You are ')} read {call.messages[-1].text[-20:]}")


@pytest.mark.parametrize("root", [True, False], ids=["root", "stage"])
@pytest.mark.parametrize("limits", [{}, LARGE], ids=["inline", "child"])
async def test_another_agent_stands_in(workers: Workers, limits: dict[str, Any], root: bool) -> None:
    async with workers(bad) as bench:
        result = await bench.run(team({"fallback": {"kind": "agent", "agent": "good"}}, root=root, **limits))
    assert (result.status, result.failure) == (RunStatus.COMPLETE, None)
    assert [step.agent for step in result.steps] == ["t/bad@1", "t/good@1", "t/last@1"][: 2 if root else 3]
    assert str(result.output).startswith("good." if root else "last.")
    assert {commit.key for commit in result.state} == ({"bad"} if root else {"bad", "last"})


@pytest.mark.parametrize("root", [True, False], ids=["root", "stage"])
async def test_a_constant_stands_in_and_is_named(workers: Workers, root: bool) -> None:
    async with workers(bad) as bench:
        result = await bench.run(team({"fallback": {"kind": "constant", "value": "nothing found"}}, root=root))
    assert result.status is RunStatus.PARTIAL
    assert result.output == "nothing found" if root else "nothing found" in str(result.output)
    assert result.missing == ("a constant stands in for bad: no key",)


@pytest.mark.parametrize("stage", [{"fallback": {"kind": "skip"}}, {"critical": False}], ids=["skip", "not critical"])
async def test_what_is_skipped_is_named_and_gone_on_without(workers: Workers, stage: dict[str, Any]) -> None:
    async with workers(bad) as bench:
        result = await bench.run(team(stage))
    assert result.status is RunStatus.PARTIAL
    assert str(result.output).startswith("last.")
    assert len(result.missing) == 1
    assert "bad " in result.missing[0]
    assert "no key" in result.missing[0]


async def test_the_same_agent_on_another_tier(workers: Workers) -> None:
    """The plan of the other tier is resolved at admission; offline all tiers are the same model, so it fails there too."""
    seen: list[str] = []

    def first_fails(call: ProviderCall, index: int) -> ProviderAnswer:
        seen.append(call.instructions)
        if index == 0:
            raise AuthenticationFailed("no key")
        return says("done")

    async with workers(first_fails) as bench:
        run = await bench.admit(team({"fallback": {"kind": "tier", "tier": "frontier"}}, root=True))
        result = await bench.finish(run)
    assert set(run.plans) == {"bad", "bad@frontier", "worse", "good", "last"}
    assert (result.status, result.output) == (RunStatus.COMPLETE, "done")
    assert [step.step for step in result.steps] == ["bad", "bad/fallback"]
    assert seen == ["You are bad."] * 2


async def test_a_fallback_has_a_fallback(workers: Workers) -> None:
    inner = {"kind": "agent", "agent": "worse", "fallback": {"kind": "constant", "value": 1}}
    async with workers(bad) as bench:
        result = await bench.run(team({"fallback": inner}, root=True))
    assert (result.status, result.output) == (RunStatus.PARTIAL, 1)
    assert [step.step for step in result.steps] == ["bad", "bad/fallback"]


@pytest.mark.parametrize("limits", [{}, LARGE], ids=["inline", "child"])
async def test_what_has_had_effects_is_not_done_again(workers: Workers, effects: Path, limits: dict[str, Any]) -> None:
    def mails(call: ProviderCall, _: int) -> ProviderAnswer:
        if len(call.messages) > 1:
            raise AuthenticationFailed("no key")
        return calls(("send_mail", {"to": "effects-and-fallbacks"}))

    before = effects.read_text().count("effects-and-fallbacks")
    async with workers(mails) as bench:
        result = await bench.run(team({"fallback": {"kind": "agent", "agent": "good"}}, **limits))
    assert effects.read_text().count("effects-and-fallbacks") == before + 1
    assert result.failure
    assert result.failure.kind is FailureKind.AUTHENTICATION_FAILED
    assert "it has had effects, so its fallback does not do it again" in result.failure.message


async def test_a_constant_may_stand_in_after_effects(workers: Workers) -> None:
    def mails(call: ProviderCall, _: int) -> ProviderAnswer:
        if len(call.messages) > 1:
            raise AuthenticationFailed("no key")
        return calls(("send_mail", {"to": "ann"}))

    async with workers(mails) as bench:
        result = await bench.run(team({"fallback": {"kind": "constant", "value": "?"}}, root=True))
    assert (result.status, result.output) == (RunStatus.PARTIAL, "?")
    assert [effect.tool for effect in result.done] == ["send_mail"]


async def test_a_fallback_is_paid_from_the_nodes_budget(workers: Workers) -> None:
    stage = {"fallback": {"kind": "agent", "agent": "good"}, "budget": {"model_calls": 1}}

    def wordless(call: ProviderCall, _: int) -> ProviderAnswer:
        return says("") if "bad" in call.instructions else says("fine")

    async with workers(wordless) as bench:
        result = await bench.run(team(stage))
        assert len(bench.provider.calls) == 1
    assert result.failure
    assert "the node 'bad'" in result.failure.message


async def test_a_person_stands_in_even_after_effects(workers: Workers) -> None:
    def mails(call: ProviderCall, _: int) -> ProviderAnswer:
        if len(call.messages) > 1:
            raise AuthenticationFailed("no key")
        return calls(("send_mail", {"to": "ann"}))

    person = {"kind": "person", "name": "who", "question": "What now?", "choices": ["answer"]}
    async with workers(mails) as bench:
        handle = await bench.start(team({"fallback": person}, root=True))
        (asked,) = await until_asked(bench.deployment.client, handle.id)
        by_hand = DecideRequest(by="nora", choice=Choice.ANSWER, answer="by hand")
        await decide(bench.deployment.client, asked.task_id, by_hand)
        result = await asyncio.wait_for(read_result(handle), 30)
    assert asked.reasons == ("bad failed: no key",)
    assert result.output == "by hand"
    assert result.failure is None
