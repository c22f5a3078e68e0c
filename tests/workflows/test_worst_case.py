"""The worst case is reached by a model that does its worst, and not passed; below the cheapest path nothing ends well."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.contracts.budgets import COUNTED, Amounts
from activities.contracts.failures import FailureKind
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import calls, in_order, says
from workflows.contracts import ModelRoute, NodePlan, RunStatus
from workflows.teams.bounds import MAX_ASKS, longest_seconds
from workflows.teams.kinds.supervisor import dispatches
from workflows.teams.patience import patience_seconds
from workflows.teams.tree import SupervisorNode, TeamSpec
from workflows.teams.worst_case import cheapest, worst_case

ANSWER = {"schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}
LIMITS = {"turns": 9, "model_calls": 2, "corrections": 9, "tool_calls": 0, "tokens": 10_000, "output_tokens": 100}


def team(root: dict[str, Any], **agents: dict[str, Any]) -> TeamSpec:
    specs = {name: {"instructions": f"You are {name}.", "tier": "small", **agent} for name, agent in agents.items()}
    return TeamSpec.model_validate({"team": "t", "agents": specs, "root": root}, extra="forbid")


def agent(name: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "agent", "agent": name, **fields}


def worst(spec: TeamSpec, plans: Mapping[str, NodePlan] = {}) -> Amounts:
    return worst_case(spec, plans, spec.root)


STUBBORN = {"limits": LIMITS, "output": ANSWER}
ECHO = {"kind": "call", "name": "whole", "tool": "echo", "arguments": {"text": "$goal"}}


def stubborn(**supervisor: Any) -> TeamSpec:
    """Workers that fail and are tried again, re-routed, and stood in for."""
    root = {
        "kind": "supervisor",
        "subtasks": [{"type": "a", "task": "One."}, {"type": "a", "task": "Two.", "attempts": 1}],
        "workers": {
            "a": {"node": agent("a"), "attempts": 2, "reroute": ["b"]},
            "b": {"node": agent("b", fallback=agent("c")), "attempts": 1},
        },
        "synthesis": ECHO,
        **supervisor,
    }
    return team(root, a=STUBBORN, b=STUBBORN, c=STUBBORN)


async def test_a_model_that_never_answers_reaches_the_worst_case_through_attempts_reroutes_and_fallbacks(
    workers: Workers,
) -> None:
    spec = stubborn()
    async with workers(in_order(*[says("no JSON")] * 99)) as bench:
        run = await bench.admit(spec)
        result = await bench.finish(run)
    bound = worst_case(run.team, run.plans, run.team.root)
    # One: a twice, b, c. Two: a once, b, c. Each makes two calls.
    assert (result.usage.model_calls, len(bench.provider.calls), bound.model_calls) == (14, 14, 14)
    assert (result.usage.tool_calls, bound.tool_calls) == (1, 4), "each attempt counts"
    assert result.usage.tokens <= bound.tokens == 7 * 10_000
    assert result.status is RunStatus.PARTIAL


async def test_tools_that_there_are_not_are_called_so_often_at_most(workers: Workers) -> None:
    def storm(call: ProviderCall, index: int) -> ProviderAnswer:
        del call
        return calls(*[("nothing", {})] * (8 if index == 0 else 32))

    limits = {"tool_errors": 8, "tool_calls": 50, "turns": 9}
    bare, armed = (team(agent("a"), a={"limits": limits, "tools": tools}) for tools in ([], ["echo"]))
    async with workers(storm) as bench:
        none, some = await bench.run(bare), await bench.run(armed)
    for result in (none, some):
        assert result.failure
        assert result.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert none.usage.tool_calls == worst(bare).tool_calls == 0, "an agent without tools calls none"
    assert none.failure
    assert "You have no tool 'nothing'" in none.failure.message
    assert 0 < some.usage.tool_calls <= worst(armed).tool_calls


async def test_below_the_cheapest_path_no_run_ends_well_and_with_it_one_does(workers: Workers) -> None:
    def two(**budget: int) -> TeamSpec:
        stages = [agent("a"), {"kind": "call", "name": "echo", "tool": "echo", "arguments": {"text": "x"}}, agent("b")]
        return team({"kind": "pipeline", "stages": stages, "budget": budget}, a={}, b={})

    async with workers(in_order(*[says("done")] * 20)) as bench:
        admitted = await bench.admit(two(model_calls=2, tool_calls=1))
        least = cheapest(admitted.team, admitted.plans, admitted.team.root)
        assert (least.model_calls, least.tool_calls) == (2, 1)
        assert (await bench.finish(admitted)).status is RunStatus.COMPLETE
        for name in ("model_calls", "tool_calls", "tokens"):
            result = await bench.run(two(**{name: getattr(least, name) - 1}))
            assert result.failure, name
            assert result.failure.kind is FailureKind.LIMIT_EXCEEDED


def test_the_first_model_of_the_chain_says_what_the_cheapest_path_costs_and_the_dearest_the_worst() -> None:
    spec = team(agent("a"), a={"limits": {"tokens": 10_000, "output_tokens": 1000, "cost_usd": 100}})
    routes = (
        ModelRoute(model="x:cheap", queue="q", input_usd_per_million=1, output_usd_per_million=2),
        ModelRoute(model="x:dear", queue="q", input_usd_per_million=10, output_usd_per_million=20),
    )
    plans = {"a": NodePlan(profile="0" * 40, models=routes, prompt_tokens=500)}
    assert worst(spec, plans).cost_usd == pytest.approx(10_000 * 20 / 1e6)
    assert cheapest(spec, plans, spec.root) == Amounts(
        tokens=1500, model_calls=1, cost_usd=(500 * 1 + 1000 * 2) / 1_000_000
    )


@pytest.mark.parametrize(
    ("fields", "calls_at_least"),
    [
        ({}, 1),
        ({"critical": False}, 0),
        ({"fallback": {"kind": "skip"}}, 0),
        ({"fallback": {"kind": "constant", "value": 1}}, 0),
        ({"fallback": ECHO}, 0),
        ({"fallback": agent("b")}, 1),
        ({"fallback": {"kind": "tier", "tier": "mid"}}, 1),
    ],
)
def test_what_may_fail_costs_nothing_on_the_cheapest_path(fields: dict[str, Any], calls_at_least: int) -> None:
    spec = team({"kind": "pipeline", "stages": [agent("a", **fields), agent("b")]}, a={}, b={})
    assert cheapest(spec, {}, spec.root).model_calls == calls_at_least + 1


@pytest.mark.parametrize(
    ("changes", "model_calls"),
    [
        ({}, 14),
        ({"budget": {"model_calls": 5}}, 5),
        ({"budget": {"model_calls": 5, "on_breach": "ask"}}, 14),  # a person may allow more
        ({"synthesis": agent("c"), "gate": {**ECHO, "name": "gate"}, "corrections": 2}, 14 + 3 * 2),
        ({"synthesis": agent("c"), "corrections": 2}, 14 + 2),  # nobody asks for corrections
        ({"subtasks": [], "planner": "c", "rounds": 3, "max_subtasks": 2}, 2 * 8 + 3 * 2),
        # A tool gives its subtasks no more attempts than the team gives a: two, and one of b with its fallback.
        ({"subtasks": [], "split": {**ECHO, "name": "split"}, "max_subtasks": 2}, 2 * 8),
        ({"fallback": agent("c")}, 16),
    ],
)
def test_every_way_through_a_supervisor_counts(changes: dict[str, Any], model_calls: int) -> None:
    assert worst(stubborn(**changes)).model_calls == model_calls


def test_a_step_may_be_transferred_to_each_agent_once() -> None:
    agents = {"a": {**STUBBORN, "transfers_to": ["b"]}, "b": {**STUBBORN, "transfers_to": ["a", "c"]}, "c": STUBBORN}
    spec = team(agent("a"), **agents)
    assert worst(spec).model_calls == 6
    assert longest_seconds(spec, spec.root, {}) == 3 * 1800


@given(
    attempts=st.integers(1, 5),
    subtasks=st.integers(1, 10),
    bound=st.integers(0, 50),
    is_critical=st.booleans(),
)
@settings(max_examples=50, derandomize=True, deadline=None)
def test_a_budget_bounds_and_the_cheapest_is_never_above_the_worst(
    attempts: int, subtasks: int, bound: int, *, is_critical: bool
) -> None:
    node = agent("a", critical=is_critical, fallback=agent("b"))
    root = {
        "kind": "supervisor",
        "planner": "c",
        "max_subtasks": subtasks,
        "workers": {"a": {"node": {"kind": "pipeline", "stages": [node, agent("b")]}, "attempts": attempts}},
        "synthesis": agent("b"),
    }
    free = team(root, a=STUBBORN, b=STUBBORN, c=STUBBORN)
    bounded = team({**root, "budget": {"model_calls": bound}}, a=STUBBORN, b=STUBBORN, c=STUBBORN)
    assert worst(free).model_calls == 2 + subtasks * attempts * 6 + 2
    assert worst(bounded).model_calls == min(bound, worst(free).model_calls)
    least = cheapest(free, {}, free.root)
    assert all(getattr(least, name) <= getattr(worst(free), name) for name in COUNTED)
    assert isinstance(free.root, SupervisorNode)
    assert dispatches(free.root) == subtasks * attempts


@pytest.mark.parametrize(
    ("root", "seconds"),
    [
        (agent("a"), 100),
        (agent("a", timeout_seconds=30), 30),
        (agent("a", timeout_seconds=30, fallback=agent("a")), 130),
        (agent("a", timeout_seconds=30, fallback=agent("a"), budget={"seconds": 60}), 60),
        (agent("a", fallback={"kind": "tier", "tier": "mid"}), 200),
        ({"kind": "pipeline", "stages": [agent("a"), agent("a", key="b")]}, 200),
        ({"kind": "pipeline", "stages": [agent("a"), agent("a", key="b")], "seconds": 150}, 150),
        ({"kind": "person", "asking": {"seconds": 500}}, 500),
        (agent("a", budget={"on_breach": "ask", "asking": {"seconds": 50}}), 100 + MAX_ASKS * 50),
        (agent("a", grants={"echo": {"ask": True}}), 100 + 3 * MAX_ASKS * 7 * 86_400),
        ({"kind": "supervisor", "workers": {"a": {"node": agent("a")}}, "seconds": 900, "synthesis": agent("a")}, 1000),
        ({"kind": "workflow", "workflow": "own", "nodes": {"a": agent("a")}, "seconds": 70}, 70),
    ],
)
def test_time_is_bounded_by_every_way(root: dict[str, Any], seconds: float) -> None:
    spec = team(root, a={"tools": ["echo"], "limits": {"seconds": 100, "tool_calls": 3}})
    assert longest_seconds(spec, spec.root, {}) == seconds


def test_a_run_is_not_ended_while_a_person_thinks_whom_the_policy_asks() -> None:
    spec = team(agent("a"), a={"tools": ["send_mail"], "limits": {"tool_calls": 2}})
    effectful = {"a": NodePlan(profile="0" * 40, effects=("send_mail",))}
    assert patience_seconds(spec, effectful, spec.root) == 2 * spec.people.seconds
    assert patience_seconds(spec, {"a": NodePlan(profile="0" * 40)}, spec.root) == 0


def test_a_call_that_is_let_to_its_end_goes_over_every_bound_once() -> None:
    call = {"kind": "call", "tool": "send_mail", "name": "mail"}
    root = {"kind": "pipeline", "stages": [agent("a"), call, {**call, "name": "again"}], "seconds": 30}
    spec = team({**root, "budget": {"seconds": 20}}, a={"limits": {"seconds": 100}})
    assert longest_seconds(spec, spec.root, {"send_mail": 120}) == 20
    assert longest_seconds(spec, spec.root, {"send_mail": 120}, {"send_mail"}) == 20 + 120
    phases = {"planning": 0.5, "workers": 3, "synthesis": 1, "reserve": 0.5}
    supervisor = {"kind": "supervisor", "workers": {"a": {"node": agent("a")}}, "phases": phases, "synthesis": call}
    spec = team(supervisor, a={"limits": {"seconds": 100}})
    assert longest_seconds(spec, spec.root, {"send_mail": 120}, {"send_mail"}) == 5 + 120
