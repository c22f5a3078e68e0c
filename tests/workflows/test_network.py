"""Networks on a real server: who gets an event, where it ends, questions and their circles, limits, growth, failures."""

import asyncio
import json
from collections import Counter
from typing import Any

from temporalio.api.enums.v1 import EventType

from activities.contracts.events import EventOutcome
from activities.contracts.failures import FailureKind
from activities.errors import AuthenticationFailed
from tests.conftest import Workers
from tests.support.lineages import gone_on
from tests.support.networks import Got, asks, event, network, played, sends, steps, until_closed
from workers.rewinding import Order
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus


def whom(result: RunResult) -> dict[str, set[str]]:
    """Event id to who has worked on it."""
    return {report.event_id: set(report.handled_by) for report in result.events}


async def test_an_event_goes_to_whom_it_is_for(workers: Workers) -> None:
    """To all subscribers of its type, to one of each group, to the one that it names; what reaches nobody is the output."""

    def lead(got: Got) -> Any:
        assert (got.event_type, got.sender, got.payload) == ("goal", "net", "go")
        jobs = [event("job.cut", n) for n in range(4)]
        return sends(
            *jobs, event("hello", "you", to="quiet"), event("lost.thing", {"a": [1]}), event("one", event_id="x1")
        )

    def worker(got: Got) -> Any:
        return sends(event("done.so.far", got.payload), event("one", event_id="x1"))

    def watcher(got: Got) -> Any:
        return sends(event("seen", got.event_type)) if got.event_type == "job.cut" else sends()

    peers = {
        "lead": ["goal"],
        "w1": {"subscribes": ["job.*"], "group": "workers"},
        "w2": {"subscribes": ["job.*"], "group": "workers"},
        "watcher": ["*.so.far", "job.cut", "one"],
        "quiet": [],
    }
    script = played(lead=lead, w1=worker, w2=worker, watcher=watcher, quiet=lambda _: sends())
    async with workers(script) as bench:
        handle = await bench.start(network(peers), "go")
        result, history = await read_result(handle), await handle.fetch_history()
    assert result.status is RunStatus.COMPLETE, result
    assert result.output == [{"a": [1]}, *["job.cut"] * 4]
    of = whom(result)
    shared = [{"w1", "watcher"}, {"w2", "watcher"}]
    assert [of[f"#1.lead.{n}"] for n in (1, 2, 3, 4)] == shared * 2, "the group shares the work"
    assert of["#1.lead.5"] == {"quiet"}
    assert of["#1.lead.6"] == set()
    assert of["x1"] == {"watcher"}, "an event is dropped where its id was there before"
    reports = {report.event_id: report for report in result.events}
    assert reports["x1"].duplicates == 4
    assert reports["#1.lead.6"].outcome is EventOutcome.UNDELIVERED
    assert reports["#1.lead.1.w1.1"].cause == "#1.lead.1"
    assert reports["#1.lead.1.w1.1"].hops == 2
    assert reports["#1.lead.1.w1.1"].task_id == "net/w1/1-lead-1"
    assert {"net/lead/1", "net/quiet/1-lead-5", "net/w2/1-lead-2"} <= steps(result)
    kinds = Counter(EventType.Name(one.event_type).removeprefix("EVENT_TYPE_") for one in history.events)
    assert kinds["ACTIVITY_TASK_SCHEDULED"] == len(result.steps)
    assert not [kind for kind in kinds if "MARKER" in kind or "SIGNAL" in kind or "CHILD" in kind]


async def test_a_goal_event_ends_it_and_what_is_at_work_then(workers: Workers) -> None:
    """What the goal event says is the output. A slow peer is ended, paid for, and nobody stands in for it."""
    slow_began = asyncio.Event()

    async def slow(got: Got) -> Any:
        del got
        slow_began.set()
        await asyncio.sleep(60)
        return sends()

    async def quick(got: Got) -> Any:
        await slow_began.wait()
        return sends(event("answer.ready", {"of": got.payload}), "more")

    nested = {"kind": "pipeline", "name": "line", "stages": [{"kind": "agent", "agent": "slow"}]}
    peers = {
        "slow": {"node": {**nested, "fallback": {"kind": "agent", "agent": "never"}}, "subscribes": ["goal"]},
        "quick": ["goal"],
        "late": ["more"],
    }
    spec = network(peers, goal_event="answer.*", agents=["slow", "never"])
    async with workers(played(slow=slow, quick=quick)) as bench:
        handle = await bench.start(spec, "go")
        async with asyncio.timeout(20):
            result = await read_result(handle)
        await until_closed(bench, handle)
    assert result.status is RunStatus.COMPLETE, result
    assert result.output == {"of": "go"}
    assert [(report.outcome, report.handled_by, report.left_with) for report in result.events] == [
        (EventOutcome.UNFINISHED, ("quick",), ("slow",)),
        (EventOutcome.GOAL, (), ()),
        (EventOutcome.UNFINISHED, (), ("late",)),
    ]
    assert "2 events were not worked on: 1 goal with slow; 1 more with late" in result.log
    assert "slow was ended in its work on goal #1" in result.log
    assert "answer.ready of quick ended the network" in result.log
    assert not [step for step in steps(result) if "fallback" in step or "late" in step]


async def test_a_peer_asks_and_a_circle_is_refused(workers: Workers) -> None:
    """Who asks takes nobody's place: all of it with one peer at work at a time."""
    told: dict[str, list[str]] = {"a": [], "b": [], "c": []}

    def asking(name: str, other: str) -> Any:
        def play(got: Got) -> Any:
            if got.answer:
                told[name].append(got.answer)
                return sends(answer=f"{name} knows: {got.answer.rpartition('Input:')[2].strip()}")
            if got.event_type == "goal" or name != "a":
                return sends(event(f"from.{name}", got.payload), **asks(other, f"{name} wants to know"))
            return sends(answer="it")

        return play

    peers = {
        "a": {"subscribes": ["goal"], "asks": ["b"]},
        "b": {"asks": ["c"], "description": "knows much"},
        "c": {"asks": ["a"]},
    }
    script = played(a=asking("a", "b"), b=asking("b", "c"), c=asking("c", "a"))
    async with workers(script) as bench:
        circle, never, counted = await asyncio.gather(
            bench.run(network(peers, max_parallel=1), "go"),
            bench.run(network(peers, max_asks=1, max_events=1), "go"),
            bench.run(network({**peers, "c": {"subscribes": ["from.a"], "asks": ["a"]}}, max_events=2), "go"),
        )
        calls = bench.provider.calls
    assert circle.status is RunStatus.COMPLETE, circle
    assert circle.output == ["go", "a wants to know", "b wants to know"], "what who is asked sends counts too"
    said = "it would close a circle of peers that wait for each other: c waits for a waits for b waits for c"
    assert said in told["c"][0]
    assert f"a question of c was not asked: {said}" in circle.log
    said = "c answers your question. Go on with your work on the event. You may ask 1 more."
    assert any(answer.startswith(said) for answer in told["b"])
    assert any("\n\nInput:\nb knows: c knows:" in answer for answer in told["a"])
    assert {"net/a/1", "net/a/1.2", "net/b/1-a-q1", "net/c/1-a-q1-b-q1.2"} <= steps(circle)
    assert [step for step in calls if "knows much" in step.messages[0].text], "who may ask reads what whom is for"
    assert never.status is RunStatus.COMPLETE, never
    assert any("max_events=1 is reached" in answer for answer in told["a"]), (
        "a question that cannot be answered is refused"
    )
    assert steps(never) == {"net/a/1", "net/a/1.2"}
    assert steps(counted) == {"net/a/1", "net/b/1-a-q1", "net/b/1-a-q1.2", "net/a/1.2"}, "a question is worked on too"


async def test_what_a_failed_peer_means(workers: Workers) -> None:
    """It fails the network; where it may be missing the result names it; whoever stands in answers in its place."""
    hanging = asyncio.Event()

    def fails(got: Got) -> Any:
        raise AuthenticationFailed(f"no key for {got.event_type}", fix="set one")

    async def hangs(got: Got) -> Any:
        del got
        hanging.set()
        await asyncio.sleep(60)
        return sends()

    async def fails_late(got: Got) -> Any:
        await hanging.wait()
        return fails(got)

    def passes(got: Got) -> Any:
        if got.answer or got.event_type != "goal":
            return sends(event("told", got.answer or got.payload))
        return sends(**asks("bad", "well?")) if got.payload == "ask" else sends(event("for.bad", got.payload))

    bad = {"kind": "agent", "agent": "bad"}
    person = {"kind": "person", "name": "boss", "question": "What now?", "asking": {
        "seconds": 0.3, "default": "answer", "default_answer": sends(event("boss.said", "so"))}}  # fmt: skip

    def with_bad(node: dict[str, Any], **more: Any) -> Any:
        peers = {"p": {"subscribes": ["goal"], "asks": ["bad"]}, "bad": {"subscribes": ["for.*"], "node": node}}
        return network(peers, agents=["bad", "good"], **more)

    script = played(bad=fails, p=passes, good=passes, hang=hangs, late=fails_late)
    async with workers(script) as bench:
        failed, missing, stands_in, asked, person_asked, ended = await asyncio.gather(
            bench.run(with_bad(bad)),
            bench.run(with_bad({**bad, "critical": False})),
            bench.run(with_bad({**bad, "fallback": {"kind": "agent", "agent": "good"}})),
            bench.run(with_bad({**bad, "fallback": {"kind": "skip"}}), "ask"),
            bench.run(with_bad(bad, escalate=person)),
            bench.run(network({"hang": ["goal"], "late": ["goal"]})),
        )
    assert failed.failure
    assert failed.failure.kind is FailureKind.AUTHENTICATION_FAILED
    assert [report.outcome for report in failed.events] == [EventOutcome.HANDLED, EventOutcome.UNFINISHED]
    assert failed.events[1].left_with == ("bad",)
    assert missing.status is RunStatus.PARTIAL
    assert missing.missing == ("bad is missing: no key for for.bad",)
    assert stands_in.status is RunStatus.COMPLETE, stands_in
    assert stands_in.output == ["Do it."]
    assert asked.status is RunStatus.PARTIAL
    assert asked.output == ["bad has no answer to your question. Go on without it. You may ask 1 more."]
    assert person_asked.status is RunStatus.COMPLETE, person_asked
    assert person_asked.output == ["so"]
    assert ended.failure
    assert ended.failure.kind is FailureKind.AUTHENTICATION_FAILED
    assert "hang was ended in its work on goal #1" in ended.log


CHAIN = {
    "a": {"subscribes": ["goal", "n"], "asks": ["b"]},
    "b": ["m"],
    "c": {"subscribes": ["m"], "group": "g"},
    "d": {"subscribes": ["m"], "group": "g"},
}


def chain(got: Got) -> Any:
    """Two events in a row; about each a question, and an event for two others."""
    number = 0 if got.event_type == "goal" else got.payload
    if not got.answer:
        return sends(event("m", number), **asks("b", f"{number}?"))
    return sends(*([event("n", number + 1)] if number < 1 else []), event("end", got.answer.rpartition("Input:")[2]))


def chained(got: Got) -> Any:
    return sends(answer=f"yes {got.payload}") if got.event_type == "question" else sends(event("heard", got.payload))


def slowly(play: Any, seconds: float) -> Any:
    async def later(got: Got) -> Any:
        await asyncio.sleep(seconds)
        return play(got)

    return later


async def test_neither_a_continue_as_new_nor_who_is_faster_changes_a_step(workers: Workers) -> None:
    """Also while one peer waits for another: the same steps, calls and output as without. A step has the same name in
    every re-run, so that what is recorded is found again."""
    spec, two = network(CHAIN), network(CHAIN, start=[{"event_type": "goal"}] * 2, max_parallel=8)
    quick = {"a": chain, "b": chained, "c": chained, "d": chained}
    slow = {**quick, "a": slowly(chain, 0.1), "c": slowly(chained, 0.2), "d": slowly(chained, 0.05)}
    async with workers(played(**quick)) as bench:
        whole = await bench.run(spec)
        calls = len(bench.provider.calls)
        handle = await bench.start(spec, max_history_events=1)
        cut, first = await asyncio.gather(read_result(handle), bench.run(two))
        last = await handle.describe()
    async with workers(played(**slow)) as bench:
        second = await bench.run(two)
    assert last.raw_description.workflow_execution_info.first_run_id != last.run_id, "it has continued as new"
    assert (cut.status, cut.failure) == (RunStatus.COMPLETE, None)
    assert len(cut.steps) == len(steps(cut)) == len(cut.state) == cut.usage.model_calls == calls == 10
    assert steps(cut) == steps(whole)
    assert whom(cut) == whom(whole)
    assert cut.output == whole.output
    assert isinstance(cut.output, list)
    assert [said for said in cut.output if "yes" in str(said)] == ["\nyes 0?", "\nyes 1?"]
    assert (first.status, second.status) == (RunStatus.COMPLETE, RunStatus.COMPLETE)
    assert steps(first) == steps(second)
    assert first.output == second.output


async def test_calls_patterns_and_people_are_peers_and_a_network_is_a_part(workers: Workers) -> None:
    """A call answers with events of its own making; one that says something else fails. A network stands in any place."""
    call = {"kind": "call", "name": "tell", "tool": "tell", "arguments": {"event_type": "told", "payload": "$event"}}
    line = {"kind": "pipeline", "name": "line", "stages": [
        {"kind": "call", "name": "echo", "tool": "echo", "arguments": {"text": "$input"}},
        {"kind": "call", "name": "nobody", "tool": "tell", "arguments": {"event_type": "x", "payload": "$input", "to": "who"}},
    ]}  # fmt: skip
    gate = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$input", "final": True}}
    wrong = {"kind": "call", "name": "wrong", "tool": "echo", "arguments": {"text": "$payload"}}

    def in_line(root: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "pipeline", "name": "outer", "stages": [root, gate]}

    peers = {"t": {"node": call, "subscribes": ["goal"]}, "p": {"node": line, "subscribes": ["goal"]}}
    summed = {"kind": "agent", "agent": "sum"}
    async with workers(played(sum=lambda got: sends(event("sum", json.dumps(got.payload))))) as bench:
        nested, wrongly, made = await asyncio.gather(
            bench.run(network(peers, wrap=in_line), "go"),
            bench.run(network({"w": {"node": wrong, "subscribes": ["goal"]}}), "go"),
            bench.run(network(peers, result=summed, agents=["sum"]), "go"),
        )
    assert nested.status is RunStatus.COMPLETE, nested
    gated: Any = nested.output
    sent_on, told = gated["output"][0]
    assert sent_on == "go"
    assert told == {
        "event_id": "#1", "event_type": "goal", "task_id": "outer/net", "agent_id": "net", "payload": "go",
        "schema_version": 1, "to": None, "hops": 0, "cause": "",
    }  # fmt: skip
    assert [report.network for report in nested.events] == ["outer/net"] * 3
    assert "who" in {report.to for report in nested.events}
    assert wrongly.failure
    assert wrongly.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert made.status is RunStatus.COMPLETE, made
    read = json.loads(json.loads(str(made.output))["events"][0]["payload"])
    assert [(one["event_type"], one["agent_id"]) for one in read] == [("x", "p"), ("told", "t")]
    assert bench.provider.calls[0].messages[0].text.startswith("go\n\nPeers have worked on this"), "and nothing else"


async def test_a_resumed_network_pays_for_nothing_twice(workers: Workers) -> None:
    """Every peer gets the events that it had before, also where several of a group could have had them."""
    broken = {"d"}

    def moody(got: Got) -> Any:
        if broken:
            raise AuthenticationFailed("no key", fix="set one")
        return chained(got)

    async with workers(played(a=slowly(chain, 0.05), b=chained, c=chained, d=moody)) as bench:
        handle = await bench.start(network(CHAIN, start=[{"event_type": "goal"}] * 2, max_parallel=1))
        failed = await read_result(handle)
        broken.clear()
        again = await gone_on(bench.deployment, handle.id, Order("resume"))
        paid = [call for call in bench.provider.calls if call.instructions != "You are d."]
    assert failed.failure
    assert failed.failure.agent == "d"
    assert again.status is RunStatus.COMPLETE, again
    assert len(paid) == len([step for step in steps(again) if not step.startswith("net/d/")])
    assert 0 < again.usage.model_calls < len(again.steps)
