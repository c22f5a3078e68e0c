"""Monitors: rules review calls, handoffs and answers below a node before they happen."""

import time
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.failures import FailureKind
from activities.contracts.handoffs import RejectionReason
from activities.contracts.monitors import ActionKind, MonitorSpec
from activities.matching import Effort
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.monitors import done, verdicts, watched
from tests.support.scripted import calls, in_order, says, says_json
from tests.support.teams import ANSWER
from workers.runs import read_result
from workflows.contracts import RunStatus, Task
from workflows.reviewing.rules import Proposed, by_rules
from workflows.teams.tree import TeamSpec

MAIL = r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"
NO_HALT = {"text": "x{9}", "verdict": "halt"}
NO_MAIL = {"name": "mail", "text": MAIL, "reason": "it names an address", "correction": "leave addresses out"}


@pytest.fixture
def noted(effects: Path) -> Path:
    effects.write_text("")
    return effects


def agent(*rules: dict[str, Any], monitor: dict[str, Any] | None = None, **given: Any) -> TeamSpec:
    """A monitor around one agent ``a``."""
    return watched({"kind": "agent", "agent": "a"}, *rules, agents={"a": given}, **(monitor or {}))


async def test_a_blocked_call_is_not_made_and_the_agent_reads_why_and_what_instead(
    workers: Workers, noted: Path
) -> None:
    rule = {"tool": "send_mail", "arguments": {"to": {"one_of": ["eve"]}}, "verdict": "block"}
    team = agent({**rule, "reason": "eve is no customer", "correction": "Write to ann"}, tools=["send_mail"])
    script = in_order(calls(("send_mail", {"to": "eve"})), calls(("send_mail", {"to": "ann"})), says("done"))
    async with workers(script) as bench:
        result = await bench.run(team)
        told = bench.provider.calls[1].messages[-1].text
    assert result.status is RunStatus.COMPLETE
    assert done(noted) == ["send_mail ann"]
    assert told == "This call was not made: eve is no customer. Write to ann."
    assert verdicts(result) == [("tool_call", "block", "monitor"), ("tool_call", "proceed", "monitor")]
    assert result.decisions[0].monitor == "watch"
    assert len(result.done) == 1


async def test_rules_edit_a_call_one_after_the_other_and_the_first_other_verdict_decides(
    workers: Workers, noted: Path
) -> None:
    rules = (
        {"tool": "reserve_room", "verdict": "edit", "limit": {"hours": {"maximum": 4}}},
        {"tool": "reserve_room", "verdict": "edit", "replace": {"room": "red"}},
        {"tool": "reserve_room", "arguments": {"hours": {"maximum": 4}}, "verdict": "proceed"},
        {"tool": "reserve_room", "verdict": "block"},
    )
    script = in_order(calls(("reserve_room", {"room": "blue", "hours": 9})), says("done"))
    async with workers(script) as bench:
        result = await bench.run(agent(*rules, tools=["reserve_room"]))
    assert done(noted) == ["reserve_room red 4"]
    edits = [decision for decision in result.decisions if decision.action == "tool_call"]
    assert [(edit.verdict.value, edit.rule) for edit in edits] == [("edit", "rule 1"), ("edit", "rule 2")]
    assert '"room": "blue"' in edits[0].arguments
    assert '"room": "red"' in edits[1].arguments


@pytest.mark.parametrize("hours", ["9", " 9e0 ", 9.0, "NaN"])
async def test_a_number_in_a_text_is_the_number_that_the_tool_would_take(
    workers: Workers, noted: Path, hours: object
) -> None:
    rule = {"tool": "reserve_room", "arguments": {"hours": {"minimum": 5}}, "verdict": "block"}
    script = in_order(calls(("reserve_room", {"room": "blue", "hours": hours})), says("done"))
    async with workers(script) as bench:
        result = await bench.run(agent(rule, tools=["reserve_room"]))
    assert done(noted) == []
    assert [d.verdict.value for d in result.decisions] == ["block"]


async def test_what_a_tool_fills_in_by_itself_is_judged_as_given(workers: Workers, noted: Path) -> None:
    rule = {"tool": "reserve_room", "arguments": {"hours": {"maximum": 1}}, "verdict": "block", "reason": "too short"}
    script = in_order(calls(("reserve_room", {"room": "blue"})), says("done"))
    async with workers(script) as bench:
        result = await bench.run(agent(rule, tools=["reserve_room"]))
    assert done(noted) == []
    assert result.decisions[0].reason == "too short"


async def test_arguments_that_can_be_read_in_two_ways_are_not_let_through(workers: Workers, noted: Path) -> None:
    twice = calls(("send_mail", {}))
    twice = ProviderAnswer(
        text="",
        tool_calls=(twice.tool_calls[0].model_copy(update={"arguments": '{"to": "ann", "to": "eve"}'}),),
        finish_reason="tool_calls",
    )
    async with workers(in_order(twice, says("done"))) as bench:
        result = await bench.run(agent({"tool": "send_mail", "verdict": "proceed"}, tools=["send_mail"]))
    assert done(noted) == []
    assert "names one thing twice" in result.decisions[0].reason


async def test_an_answer_is_sent_back_with_the_correction(workers: Workers) -> None:
    script = in_order(says("ask ann@example.com"), says("ask ann"))
    async with workers(script) as bench:
        result = await bench.run(agent({**NO_MAIL, "on": ["answer"], "verdict": "block"}))
        told = bench.provider.calls[1].messages[-1].text
    assert result.output == "ask ann"
    assert "it names an address. leave addresses out." in told
    assert verdicts(result) == [("answer", "block", "monitor"), ("answer", "proceed", "monitor")]


async def test_an_answer_that_is_never_let_through_fails_the_run(workers: Workers) -> None:
    team = agent({**NO_MAIL, "verdict": "block"}, monitor={"corrections": 1})
    async with workers(in_order(says("a@b.de"), says("c@d.de"))) as bench:
        result = await bench.run(team)
    assert result.failure
    assert result.failure.kind is FailureKind.NOT_ALLOWED
    assert "it names an address" in result.failure.message
    assert result.output is None


async def test_an_answer_is_redacted_and_has_to_fit_its_contract_still(workers: Workers) -> None:
    rule = {**NO_MAIL, "verdict": "edit", "redact": "[address]"}
    async with workers(in_order(says_json({"answer": "ask ann@example.com or bob@example.com."}))) as bench:
        result = await bench.run(agent(rule, output={"schema": ANSWER}))
    assert result.output == {"answer": "ask [address] or [address]."}
    assert verdicts(result) == [("answer", "edit", "monitor")]
    wrong = {"on": ["answer"], "verdict": "edit", "replace": {"answer": 7}}
    async with workers(in_order(says_json({"answer": "x"}), says_json({"answer": "y"}))) as bench:
        result = await bench.run(agent(wrong, output={"schema": ANSWER}, monitor={"corrections": 1}))
    assert result.failure
    assert "does not fit the contract" in result.failure.message


async def test_a_halt_ends_the_run(workers: Workers, noted: Path) -> None:
    team = agent({"tool": "send_*", "verdict": "halt", "reason": "no mail today"}, tools=["send_mail"])
    async with workers(in_order(calls(("send_mail", {"to": "ann"})))) as bench:
        result = await bench.run(team)
    assert done(noted) == []
    assert result.failure
    assert result.failure.kind is FailureKind.HALTED
    assert "no mail today" in result.failure.message


async def test_a_transfer_is_a_handoff(workers: Workers) -> None:
    agents = {"a": {"transfers_to": ["b", "c"]}, "b": {}, "c": {}}
    rule = {"recipient": "b", "verdict": "block", "reason": "b is on leave", "correction": "c has the post"}
    team = watched({"kind": "agent", "agent": "a"}, rule, agents=agents)

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if index < 2:
            return calls(("transfer", {"to": "bc"[index], "reason": "it is yours"}))
        return says(call.instructions[:9])

    async with workers(script) as bench:
        result = await bench.run(team)
        told = bench.provider.calls[1].messages[-1].text
    assert told == "The task was not handed on: b is on leave. c has the post."
    assert result.output == "You are c"
    assert verdicts(result)[1:] == [("handoff", "block", "monitor"), ("handoff", "proceed", "monitor")]
    assert [decision.tool for decision in result.decisions] == ["a", "b", "c"]


async def test_a_handoff_to_a_nested_node_is_rejected_and_its_fallback_takes_it(workers: Workers) -> None:
    stages = [
        {"kind": "agent", "agent": "a"},
        {"kind": "agent", "agent": "b", "fallback": {"kind": "agent", "agent": "c"}},
    ]
    rule = {"on": ["handoff"], "recipient": "b", "text": "secret", "verdict": "block", "reason": "b may not know it"}
    team = watched({"kind": "pipeline", "stages": stages}, rule, agents={"a": {}, "b": {}, "c": {}})
    async with workers(lambda call, _: says(f"secret of {call.instructions[8:9]}")) as bench:
        result = await bench.run(team)
        # What is monitored is handed a step too: by its own monitor's rules, and by those above it.
        asked = len(bench.provider.calls)
        entry = {**rule, "recipient": "a", "reason": "a is told nothing"}
        node: dict[str, Any] = {"kind": "agent", "agent": "a"}
        inner = {"kind": "monitor", "name": "in", "node": node, "rules": [entry]}
        for one in (watched(node, entry, agents={"a": {}}), watched(inner, NO_HALT, agents={"a": {}})):
            refused = await bench.run(one, "Tell the secret")
            assert refused.failure
            assert "a is told nothing" in refused.failure.message
        assert len(bench.provider.calls) == asked
    assert result.output == "secret of c"
    rejected = [report.rejected for report in result.handoffs if report.rejected]
    assert [one.reason for one in rejected] == [RejectionReason.NOT_ALLOWED]
    assert "b may not know it" in rejected[0].message
    assert [d.verdict.value for d in result.decisions if d.tool == "b"] == ["block"]


async def test_a_call_of_its_own_and_what_a_pattern_comes_to_are_reviewed(workers: Workers, noted: Path) -> None:
    mail = {"kind": "call", "name": "mail", "tool": "send_mail", "arguments": {"to": "$input"}}
    pipeline = {
        "kind": "pipeline",
        "stages": [{"kind": "call", "name": "who", "tool": "echo", "arguments": {"text": "eve"}}, mail],
    }
    rule = {"tool": "send_mail", "agent": "mail", "text": "eve", "verdict": "block", "reason": "not to eve"}
    async with workers(in_order()) as bench:
        result = await bench.run(watched(pipeline, rule))
        redacted = await bench.run(
            watched(pipeline, {"on": ["answer"], "text": "eve", "verdict": "edit", "redact": "E"})
        )
    pipe = {"kind": "pipeline", "name": "pipe", "stages": [{"kind": "agent", "agent": "a"}]}
    inside = {"on": ["answer"], "agent": "pipe", "text": "code", "verdict": "block", "reason": "codes stay inside"}
    async with workers(lambda _, __: says("the code")) as bench:
        kept = await bench.run(watched(pipe, inside, agents={"a": {}}))
    assert kept.failure  # the agent may say it, its pattern may not
    assert "codes stay inside" in kept.failure.message
    assert result.failure
    assert result.failure.kind is FailureKind.NOT_ALLOWED
    assert "not to eve" in result.failure.message
    assert redacted.output == "sent to E"
    assert done(noted) == ["send_mail eve"]


async def test_policies_add_up_on_the_way_down_and_the_strictest_wins(workers: Workers, noted: Path) -> None:
    inner: dict[str, Any] = {"kind": "monitor", "name": "in", "node": {"kind": "agent", "agent": "a"}}
    inner["rules"] = [{"tool": "send_mail", "verdict": "edit", "replace": {"to": "bob"}}]
    outer = {"tool": "send_mail", "arguments": {"to": {"one_of": ["bob"]}}, "verdict": "block", "reason": "not bob"}
    script = in_order(calls(("send_mail", {"to": "ann"})), says("done"))
    # The agent's bounds do not fit a pattern's workflow: it has one of its own, and its policies with it.
    spacious = {"limits": {"model_calls": 200}, "tools": ["send_mail"]}
    async with workers(script) as bench:
        result = await bench.run(watched(inner, outer, agents={"a": spacious}))
    assert result.status is RunStatus.COMPLETE
    assert done(noted) == []
    assert [(d.monitor, d.verdict.value) for d in result.decisions] == [("in", "edit"), ("watch", "block")]


async def test_a_monitor_only_narrows(workers: Workers, noted: Path) -> None:
    granted: dict[str, Any] = {
        "tools": ["send_mail"],
        "grants": {"send_mail": {"arguments": {"to": {"one_of": ["ann"]}}}},
    }
    team = agent({"tool": "send_mail", "verdict": "edit", "replace": {"to": "eve"}}, **granted)
    async with workers(in_order(calls(("send_mail", {"to": "ann"})), says("done"))) as bench:
        result = await bench.run(team)
    assert done(noted) == []
    assert [(d.verdict.value, d.by) for d in result.decisions] == [("edit", "monitor"), ("block", "grant")]


async def test_a_continue_as_new_keeps_decisions_and_corrections(workers: Workers) -> None:
    rule = {"on": ["answer"], "text": "bad", "verdict": "block"}
    team = agent(rule, limits={"model_calls": 200, "corrections": 20}, monitor={"corrections": 3})
    async with workers(lambda *_: says("bad")) as bench:
        result = await read_result(await bench.start(team, max_history_events=5))
        asked = len(bench.provider.calls)
    assert result.failure
    assert result.failure.kind is FailureKind.NOT_ALLOWED
    assert asked == 4
    assert [d.ordinal for d in result.decisions] == [f"t{turn}.answer" for turn in range(1, 5)]


async def test_rules_cost_no_event_and_no_call(workers: Workers) -> None:
    node = {"kind": "agent", "agent": "a"}
    rules: list[dict[str, Any]] = [
        {**NO_MAIL, "verdict": "block"},
        {"tool": "add", "arguments": {"a": {"minimum": 5}}, "verdict": "halt"},
    ]
    plain = TeamSpec.model_validate(
        {
            "team": "t",
            "agents": {"a": {"instructions": "Do it.", "tools": ["add"]}},
            "root": {"kind": "pipeline", "stages": [node]},
        }
    )
    monitored = watched(node, *rules, agents={"a": {"tools": ["add"]}})

    def script(call: ProviderCall, _: int) -> ProviderAnswer:
        return says("3") if len(call.messages) > 1 else calls(("add", {"a": 1, "b": 2}))

    async with workers(script) as bench:
        lengths = []
        for team in (plain, monitored):
            handle = await bench.start(team)
            result = await read_result(handle)
            lengths.append((await handle.describe()).history_length)
    assert [kind for kind, verdict, _ in verdicts(result) if verdict == "proceed"] == ["handoff", "tool_call", "answer"]
    assert lengths[0] == lengths[1]


async def test_what_was_let_through_is_left_out_of_a_long_log_first_and_counted(workers: Workers, noted: Path) -> None:
    wanted = tuple(("add", {"a": number, "b": 1}) for number in range(30))

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del call
        if index == 0:
            return calls(("send_mail", {"to": "eve"}))
        return says("done") if index == 19 else calls(*wanted)

    limits = {"turns": 40, "tool_calls": 600, "context_tokens": 1_000_000}
    team = agent({"tool": "send_mail", "verdict": "block"}, limits=limits, tools=["send_mail", "add"])
    async with workers(script) as bench:
        result = await bench.run(team)
    assert result.status is RunStatus.COMPLETE
    assert len(result.decisions) == 500
    assert verdicts(result)[0] == ("tool_call", "block", "monitor"), "the oldest of all"
    assert "41 more decisions are not listed: 41 proceed" in result.notes
    assert done(noted) == []


def test_what_takes_too_long_to_be_looked_at_is_blocked() -> None:
    rules = [{"on": ["answer"], "text": rf"\b{c}-\d+", "verdict": "edit", "redact": "x"} for c in "ABCDEFGHIJ"]
    spec = MonitorSpec.model_validate({"name": "m", "rules": rules})
    text = " ".join(f"{c}-{n} and what is said about it" for n in range(450) for c in "ABCDEFGHIJ")
    began = time.process_time()
    said, _ = by_rules(spec, Proposed(ActionKind.ANSWER, "a", "t1.answer", text), Effort())
    assert time.process_time() - began < 2
    assert (said[-1].verdict.value, said[-1].reason) == ("block", "it is too long to be looked at")
    short, action = by_rules(spec, Proposed(ActionKind.ANSWER, "a", "t1.answer", text[:20_000]), Effort())
    assert [one.verdict.value for one in short] == ["edit"] * 10
    assert "-1" not in str(action.value)


async def test_reviews_of_one_task_leave_it_time(workers: Workers) -> None:
    branch = {"kind": "call", "tool": "echo", "arguments": {"text": "x " * 10_000}}
    branches = {f"e{n}": {**branch, "name": f"e{n}"} for n in range(5)}
    echoes = {"kind": "fan_out", "name": "fan", "max_parallel": 5, "branches": branches}
    rule = {"on": ["tool_call"], "text": "(?:y[a-z]{199}){2}", "verdict": "block"}
    async with workers(in_order()) as bench:
        handle = await bench.start(watched(echoes, rule))
        result = await read_result(handle)
        fan = bench.deployment.client.get_workflow_handle(f"{handle.id}/watch/fan")
        events = (await fan.fetch_history()).events
    timers = [event.timer_started_event_attributes.start_to_fire_timeout.ToMilliseconds() for event in events]
    assert result.status is RunStatus.COMPLETE
    assert timers.count(1) == 1  # there was time for four of them; the last began in the next task


async def test_a_monitored_part_is_asked_as_it_would_be_without(workers: Workers) -> None:
    async with workers(lambda _, __: says("done")) as bench:
        handle = await bench.start(agent(NO_HALT, tools=["add"]), task=Task(prompt="Do it", offer_tools=False))
        result = await read_result(handle)
        assert not bench.provider.calls[0].tools
    assert result.output == "done"
