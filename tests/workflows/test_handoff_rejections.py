"""Steps that nobody takes: what becomes of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.contracts.handoffs import RejectionReason
from activities.errors import AuthenticationFailed
from activities.providers.base import ModelProvider, ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers, new_run_id
from tests.support.handing_on import SEARCH, WRITE, team
from tests.support.scripted import ScriptedProvider, calls, in_order, says
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec


@asynccontextmanager
async def with_other_models(
    deployment: Deployment, without: str, first: ScriptedProvider, second: ScriptedProvider, lacking: Sequence[str]
) -> AsyncIterator[Bench]:
    """Two pools of models; the workers of the pools ``lacking`` lack a tool."""
    models = {"small": ("openai:one",), "mid": ("anthropic:two",)}
    settings = deployment.settings.model_copy(update={"models": models, "unpriced": "count_tokens_only"})
    whole = replace(deployment, settings=settings)
    fewer = replace(whole, tools={name: tool for name, tool in whole.tools.items() if name != without})
    providers: dict[str, ModelProvider] = {"openai": first, "anthropic": second}
    async with (
        running_pools(
            whole, [n for n in ("workflows", "models-openai", "models-anthropic") if n not in lacking], providers
        ),
        running_pools(fewer, lacking, providers),
    ):
        yield Bench(whole, first)


class Named(ScriptedProvider):
    def __init__(self, name: str, *answers: Any) -> None:
        super().__init__(in_order(*answers))
        self.name = name


REROUTED = {
    "kind": "supervisor",
    "workers": {
        "lacking": {"node": {"kind": "agent", "agent": "b"}, "attempts": 3, "reroute": ["able"]},
        "able": {"node": {"kind": "agent", "agent": "a"}},
    },
    "subtasks": [{"type": "lacking", "task": "add"}],
}


@pytest.mark.parametrize("pools", [("tools", "models-anthropic"), ("tools",)], ids=["early", "late"])
async def test_where_the_tool_is_missing_the_step_is_rejected_and_the_subtask_re_routed(
    deployment: Deployment, pools: tuple[str, ...]
) -> None:
    """Before anything is paid where the model's worker serves the tools; else when the tool is called, not found there."""
    agents = {"a": {"instructions": "a", "tier": "small"}, "b": {"instructions": "b", "tier": "mid", "tools": ["add"]}}
    spec = TeamSpec.model_validate({"team": "t", "agents": agents, "root": REROUTED}, extra="forbid")
    able, lacking = Named("openai", says("3")), Named("anthropic", calls(("add", {"a": 1, "b": 2})))
    async with with_other_models(deployment, "add", able, lacking, pools) as bench:
        run = await admitted(bench, spec)
    assert run.status is RunStatus.COMPLETE
    early = len(pools) == 2
    assert len(lacking.calls) == (0 if early else 1)
    assert len(able.calls) == 1
    refused, taken = run.handoffs
    assert refused.rejected is not None
    assert (refused.receiver, refused.rejected.reason) == ("t/b@1", RejectionReason.TOOL_MISSING)
    assert refused.rejected.missing == ("add",)
    assert (taken.receiver, taken.rejected) == ("t/a@1", None)
    assert run.output[0]["done_by"] == "able"  # type: ignore[call-overload,index]  # a JSON value
    assert run.usage.model_calls == (1 if early else 2), "the lacking one was not tried again"
    assert run.usage.tool_calls == 0


async def admitted(bench: Bench, spec: TeamSpec) -> RunResult:
    order = RunOrder(goal="Do it.", run_id=new_run_id(), provider="openai")
    return await read_result(await start_run(bench.deployment.client, await admit(bench.deployment, spec, order)))


async def test_a_call_that_no_worker_can_make_is_re_routed_and_has_had_no_effect(deployment: Deployment) -> None:
    """The pool of tools lacks one: the subtask's call is rejected there, before anything is declared or done."""
    mail = {"kind": "call", "name": "mail", "tool": "send_mail", "arguments": {"to": "$task"}}
    root = {
        "kind": "supervisor",
        "workers": {
            "mailing": {"node": mail, "attempts": 3, "reroute": ["able"]},
            "able": {"node": {"kind": "agent", "agent": "a"}},
        },
        "subtasks": [{"type": "mailing", "task": "ada"}],
    }
    agents = {"a": {"instructions": "a", "tier": "small"}}
    spec = TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")
    fewer = replace(deployment, tools={n: t for n, t in deployment.tools.items() if n != "send_mail"})
    provider = ScriptedProvider(in_order(says("by hand")))
    async with (
        running_pools(deployment, ["workflows", "models-offline"], {"offline": provider}),
        running_pools(fewer, ["tools"], {}),
    ):
        result = await Bench(deployment, provider).run(spec)
    assert result.status is RunStatus.COMPLETE
    assert result.output[0]["done_by"] == "able"  # type: ignore[call-overload,index]  # a JSON value
    assert (result.effects, result.done, result.usage.tool_calls) == (0, (), 0)
    assert [(r.receiver, r.rejected.reason if r.rejected else None) for r in result.handoffs] == [
        ("t/mail@1", RejectionReason.TOOL_MISSING),
        ("t/a@1", None),
    ]


LOST = {**SEARCH, "critical": False}


"""A stage that fails, so that nobody has committed ``found``."""


NO_KEY = AuthenticationFailed("no key")


def failing_search(call: ProviderCall, index: int) -> ProviderAnswer:
    del index
    if "search" in call.instructions:
        raise NO_KEY
    return says("mine")


async def test_a_nodes_fallback_takes_what_is_rejected(workers: Workers) -> None:
    fallback = {"kind": "agent", "agent": "stand-in"}
    async with workers(failing_search) as bench:
        result = await bench.run(team(LOST, {**WRITE, "needs": ["found"], "fallback": fallback}))
    assert (result.status, result.output) == (RunStatus.PARTIAL, "mine")
    _, refused, taken = result.handoffs
    assert refused.rejected is not None
    assert (refused.rejected.reason, refused.rejected.missing) == (RejectionReason.NEEDS_MISSING, ("found",))
    assert (refused.declared, refused.present) == (1, 0)
    assert (taken.receiver, taken.rejected) == ("t/stand-in@1", None)


async def test_a_step_whose_needs_nobody_can_supply_fails_and_names_them(workers: Workers) -> None:
    async with workers(failing_search) as bench:
        result = await bench.run(team(LOST, {**WRITE, "needs": ["found"]}))
    assert result.failure
    assert result.failure.kind is FailureKind.HANDOFF_REJECTED
    assert result.failure.message == "write does not take the step: the state has no 'found', which it needs"
    assert "let an earlier step commit" in result.failure.fix
    assert len(bench.provider.calls) == 1
