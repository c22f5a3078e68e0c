"""Transfers: a step goes on with another agent, never back to one that had it, and costs no event more."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from temporalio.api.enums.v1 import EventType

from activities.contracts.failures import FailureKind
from activities.contracts.grants import Verdict
from activities.contracts.handoffs import MAX_OWNERS, RejectionReason
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import calls, says
from tests.workflows.test_session import talk
from workers.runs import read_input, read_result
from workflows.contracts import RunStatus
from workflows.teams.tree import TeamSpec


def team(root: dict[str, Any] | None = None, /, **agents: dict[str, Any]) -> TeamSpec:
    """Agents by name; the first one is the root, where none is given."""
    specs = {
        name: {"instructions": f"You are {name}. Do it.", "tier": "small", **agent} for name, agent in agents.items()
    }
    root = root or {"kind": "agent", "agent": next(iter(specs))}
    return TeamSpec.model_validate({"team": "t", "agents": specs, "root": root}, extra="forbid")


def to(name: str, reason: str = "it is yours") -> ProviderAnswer:
    return calls(("transfer", {"to": name, "reason": reason}))


def playing(**turns: list[ProviderAnswer]) -> Callable[[ProviderCall, int], ProviderAnswer]:
    """Each agent gives its answers in turn."""

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        return turns[call.instructions.removeprefix("You are ").split(".")[0]].pop(0)

    return script


async def test_the_step_goes_on_with_the_other_agent_and_what_was_found(workers: Workers) -> None:
    spec = team(a={"transfers_to": ["b"], "tools": ["add"]}, b={})
    script = playing(a=[calls(("add", {"a": 1, "b": 2})), to("b", "the sum is 3")], b=[says("three")])
    async with workers(script) as bench:
        handle = await bench.start(spec)
        result = await handle.result()
        types = Counter(event.event_type for event in (await handle.fetch_history()).events)
    assert (result.status, result.output) == (RunStatus.COMPLETE, "three")
    assert [(s.agent, s.step, s.reason) for s in result.steps] == [
        ("t/a@1", "a", "handed on to b"),
        ("t/b@1", "a/to/b", ""),
    ]
    assert (result.usage.model_calls, result.usage.tool_calls) == (3, 1)
    assert {agent.agent for agent in result.agents} == {"t/a@1", "t/b@1"}
    told = bench.provider.calls[-1]
    assert told.messages[0].text.startswith("Do it.")
    assert "handed on to you by a" in told.messages[0].text
    assert "the sum is 3" in told.messages[0].text
    assert told.tools == ()
    first, second = result.handoffs
    assert (first.sender, first.receiver) == ("", "t/a@1")
    assert (second.sender, second.receiver, second.rejected) == ("t/a@1", "t/b@1", None)
    assert types[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED] == 4, "the transfer is no call"
    assert types[EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED] == 5, "and no turn of the workflow's"
    assert types[EventType.EVENT_TYPE_TIMER_STARTED] == 1, "one for the deadlines of both owners"
    assert not types[EventType.EVENT_TYPE_MARKER_RECORDED]


async def test_a_transfer_back_is_refused_at_any_length(workers: Workers) -> None:
    ring = {"a": "b", "b": "c", "c": "a"}
    spec = team(**{name: {"transfers_to": [after]} for name, after in ring.items()})
    script = playing(a=[to("b")], b=[to("c")], c=[to("a"), says("c did it")])
    async with workers(script) as bench:
        result = await bench.run(spec)
    assert (result.status, result.output) == (RunStatus.COMPLETE, "c did it")
    assert [step.step for step in result.steps] == ["a", "a/to/b", "a/to/c"]
    assert "had this task before" in bench.provider.calls[-1].messages[-1].text
    (decision,) = result.decisions
    assert (decision.tool, decision.verdict, decision.step) == ("transfer", Verdict.BLOCK, "a/to/c")


async def test_a_transfer_beside_other_calls_is_refused_and_the_calls_are_made(workers: Workers) -> None:
    spec = team(a={"transfers_to": ["b"], "tools": ["add"]}, b={})
    both = calls(("add", {"a": 1, "b": 2}), ("transfer", {"to": "b", "reason": "why"}))
    async with workers(playing(a=[both, says("3")], b=[])) as bench:
        result = await bench.run(spec)
    assert (result.output, result.usage.tool_calls) == ("3", 1)
    answers = {m.tool: m.text for m in bench.provider.calls[-1].messages if m.role == "tool"}
    assert answers["add"] == "3.0"
    assert "call this alone" in answers["transfer"]


async def test_wrong_arguments_of_a_transfer_are_an_answer(workers: Workers) -> None:
    spec = team(a={"transfers_to": ["b"]}, b={})
    wrong = [calls(("transfer", {"to": "z", "reason": "r"})), calls(("transfer", {"whom": "b"})), says("done")]
    async with workers(playing(a=wrong, b=[])) as bench:
        result = await bench.run(spec)
    assert result.output == "done"
    tool_answers = [m.text for m in bench.provider.calls[-1].messages if m.role == "tool"]
    assert "nobody you may transfer to; those are: b" in tool_answers[0]
    assert "do not fit" in tool_answers[1]


async def test_each_owner_has_its_own_limits(workers: Workers) -> None:
    spec = team(a={"transfers_to": ["b"], "limits": {"turns": 2}}, b={"limits": {"turns": 3}, "tools": ["add"]})
    script = playing(a=[to("b")], b=[calls(("add", {"a": 1, "b": 1})), calls(("add", {"a": 2, "b": 2})), says("4")])
    async with workers(script) as bench:
        result = await bench.run(spec)
    assert result.output == "4"


async def test_a_transfer_survives_continue_as_new_in_a_workflow_of_its_own(workers: Workers) -> None:
    spec = team(a={"transfers_to": ["b"], "limits": {"model_calls": 500}}, b={"tools": ["add"]})
    adding = [calls(("add", {"a": n, "b": 1})) for n in range(4)]
    async with workers(playing(a=[to("b")], b=[*adding, says("done")])) as bench:
        handle = await bench.start(spec, max_history_events=12)
        result = await handle.result()
        first = handle.first_execution_run_id
        last = (await bench.deployment.client.get_workflow_handle(handle.id).describe()).run_id
    assert (result.output, first != last) == ("done", True)
    assert [step.step for step in result.steps] == ["a", "a/to/b"]
    assert (result.usage.model_calls, result.usage.tool_calls) == (6, 4)
    assert [(report.receiver, report.rejected) for report in result.handoffs] == [("t/a@1", None), ("t/b@1", None)]


async def test_an_agent_may_read_the_state_and_asking_for_what_it_has_is_counted(workers: Workers) -> None:
    stages = [
        {"kind": "agent", "agent": "a", "key": "facts"},
        {"kind": "agent", "agent": "b", "needs": ["facts"]},
    ]
    spec = team({"kind": "pipeline", "stages": stages}, a={}, b={"tools": ["read_state"]})
    reads = [calls(("read_state", {"key": "facts"})), calls(("read_state", {"key": "no-such"})), says("read")]
    async with workers(playing(a=[says("x" * 10_000)], b=reads)) as bench:
        result = await bench.run(spec)
    assert result.output == "read"
    assert result.usage.tool_calls == 0
    assert [report.asked_again for report in result.handoffs] == [0, 1]
    first, second = (m.text for m in bench.provider.calls[-1].messages if m.role == "tool")
    assert first.startswith("x" * 4096)
    assert "go on with start=4096" in first
    assert second == "The state has no key 'no-such'. Its keys: facts."


async def test_a_rejected_transfer_comes_back_to_who_wanted_it(workers: Workers) -> None:
    """What its next owner could never pay for is not taken; the sender had not let go."""
    spec = team(a={"transfers_to": ["b"]}, b={"limits": {"tokens": 10, "output_tokens": 64}})
    async with workers(playing(a=[to("b"), says("then I do it")], b=[])) as bench:
        result = await bench.run(spec)
    assert (result.status, result.output) == (RunStatus.COMPLETE, "then I do it")
    assert "does not take the task" in bench.provider.calls[-1].messages[-1].text
    refused = result.handoffs[-1]
    assert refused.rejected is not None
    assert (refused.receiver, refused.rejected.reason) == ("t/b@1", RejectionReason.BUDGET)


async def test_the_owners_of_one_step_are_bounded(workers: Workers) -> None:
    names = [f"a{number}" for number in range(MAX_OWNERS + 1)]
    spec = team(**{name: {"transfers_to": [after]} for name, after in pairwise(names)}, a16={})
    script = playing(**{name: [to(after)] for name, after in pairwise(names)}, a16=[])

    def last_goes_on(call: ProviderCall, index: int) -> ProviderAnswer:
        refused = call.messages[-1].role == "tool"
        return says("enough") if refused else script(call, index)

    async with workers(last_goes_on) as bench:
        result = await bench.run(spec)
    assert (result.status, result.output) == (RunStatus.COMPLETE, "enough")
    assert len(result.steps) == MAX_OWNERS
    assert result.usage.model_calls == MAX_OWNERS + 1
    (decision,) = result.decisions
    assert "16 owners" in decision.reason


async def test_a_nested_step_is_handed_on_within_its_node_and_what_it_spent_adds_up(workers: Workers) -> None:
    """As a workflow of its own: it knows the agents that its step may come to, and nobody else."""
    a = {"transfers_to": ["b"], "limits": {"model_calls": 500}}
    stages = [{"kind": "agent", "agent": "a", "budget": {"model_calls": 3}}, {"kind": "agent", "agent": "c"}]
    spec = team({"kind": "pipeline", "stages": stages}, a=a, b={}, c={})
    async with workers(playing(a=[to("b")], b=[says("from b")], c=[says("end")])) as bench:
        handle = await bench.start(spec)
        result = await read_result(handle)
        child = await read_input(bench.deployment.client, f"{handle.id}/pipeline/a")
    assert (result.status, result.output, result.usage.model_calls) == (RunStatus.COMPLETE, "end", 3)
    assert set(child.team.agents) == {"a", "b"}
    assert [step.step for step in result.steps] == ["pipeline/a", "pipeline/a/to/b", "pipeline/c"]
    assert [commit.owner for commit in result.state] == ["t/b@1", "t/c@1"], "who made it, not who had it first"


async def test_the_node_s_budget_holds_for_all_owners_together(workers: Workers) -> None:
    root = {"kind": "agent", "agent": "a", "budget": {"model_calls": 2}}
    spec = team(root, a={"transfers_to": ["b"]}, b={"tools": ["add"]})
    async with workers(playing(a=[to("b")], b=[calls(("add", {"a": 1, "b": 2}))])) as bench:
        result = await bench.run(spec)
    assert result.failure
    assert result.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert result.usage.model_calls == len(bench.provider.calls) == 2


async def test_a_session_goes_on_after_a_transfer(workers: Workers) -> None:
    spec = team(a={"transfers_to": ["b"]}, b={})
    turns = playing(a=[says("hello"), to("b"), says("a again")], b=[says("from b")])
    async with workers(turns) as bench:
        session = await talk(bench.deployment, spec)
        replies = [await session.say(text) for text in ("one", "two", "three")]
        await session.end()
    assert [reply.output for reply in replies] == ["hello", "from b", "a again"]
    assert replies[-1].total.model_calls == 4
    seen_by_b, seen_last = ([m.text for m in call.messages] for call in bench.provider.calls[2:])
    assert seen_by_b[:2] == ["one", "hello"], "the conversation goes on with the next owner"
    assert [text.split("\n")[0] for text in seen_last] == ["one", "hello", "two", "from b", "three"]
