"""Plans on a real server: order and isolation, failures and what depends on them, planners that err, people, limits."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest, HumanDecision
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.cases import Cases, Play, agents, all_of
from tests.support.people import until_asked
from tests.support.scripted import calls, says, says_json
from workers.runs import RunHandle, read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.bounds import inline_places
from workflows.teams.tree import PlanNode, TeamSpec

PERSON = {"kind": "person", "name": "chief", "asking": {"people": ["nora"], "seconds": 60}}
FIND, WRITE = {"kind": "agent", "agent": "finder"}, {"kind": "agent", "agent": "writer"}
JUDGE, BOSS = {"kind": "agent", "agent": "judge"}, {"kind": "agent", "agent": "boss"}


def task(case: str, name: str, *after: str, executor: str = "find", **fields: Any) -> dict[str, Any]:
    return {"task_id": name, "executor": executor, "task": f"[{case}] do {name}", "after": list(after), **fields}


def team(*tasks: dict[str, Any], around: Callable[[Any], Any] | None = None, more: Any = None, **plan: Any) -> TeamSpec:
    root = {
        "kind": "plan",
        "name": "work",
        "executors": {"find": {"node": FIND, "description": "Finds."}, "write": {"node": WRITE}},
        **({"tasks": list(tasks)} if tasks else {"planner": BOSS}),
        **plan,
    }
    known = {**agents("finder", "writer", "judge", "boss", "editor"), **(more or {})}
    whole = {"team": "t", "agents": known, "root": around(root) if around else root}
    return TeamSpec.model_validate(whole, extra="forbid")


def doing(*broken: str, met: Callable[[str], bool] = lambda said: True, plans: tuple[Any, ...] = ()) -> Play:
    """Executors that say what they did, unless the task's name is among ``broken``; a judge; a planner."""
    made = iter(plans)

    def script(name: str, call: ProviderCall) -> ProviderAnswer:
        said = call.messages[-1].text
        if name == "judge":
            return says_json({"met": met(said), "reason": "it is what it is"})
        if name == "boss":
            plan = next(made)
            return says(plan) if isinstance(plan, str) else says_json({"tasks": plan})
        if any(f" do {one}" in said.partition("\n")[0] for one in broken) and name == "finder":
            raise AuthenticationFailed("no key", fix="set one")
        return says(f"{name} did {(said.partition('do ')[2].split() or ['all'])[0]}")

    return script


def failed_of(result: RunResult) -> FailureKind | None:
    return result.failure.kind if result.failure else None


def paths(result: RunResult) -> list[str]:
    return sorted(step.step.removeprefix("work/") for step in result.steps)


def told(cases: Cases, case: str, what: str) -> str:
    """The prompt of the step that did this task, the last one."""
    return [c.messages[-1].text for _, c in cases.calls[case] if f"[{case}] do {what}" in c.messages[-1].text][-1]


async def events_of(bench: Bench, spec: TeamSpec) -> int:
    handle = await bench.start(spec, "[line] The goal.")
    assert (await read_result(handle)).status is RunStatus.COMPLETE
    return len((await handle.fetch_history()).events)


async def test_each_task_begins_when_those_before_it_have_ended_and_knows_nothing_else(workers: Workers) -> None:
    later = asyncio.Event()

    async def slow(name: str, call: ProviderCall) -> ProviderAnswer:
        """``a`` ends only when ``c`` has begun, which comes after ``b`` alone."""
        said = call.messages[-1].text
        if " do c" in said:
            later.set()
        if " do a" in said:
            await later.wait()
        answer = doing()(name, call)
        assert isinstance(answer, ProviderAnswer)
        return answer

    c = "graph"
    graph = [task(c, "a"), task(c, "b"), task(c, "c", "b"), task(c, "d", "a", "c", executor="write", input="$goal")]
    show = {"results": "$results", "b": "$b", "missing": "$missing", "input": "$input", "task": "$task"}
    calling = {
        name: {
            "node": {"kind": "call", "name": name, "tool": "strict_gate", "arguments": {"draft": value, "final": True}}
        }
        for name, value in show.items()
    }
    values = [task("calls", f"t-{name}", "a", "b", executor=name) for name in show]
    meeting = {"meet": {"node": {"kind": "call", "name": "meet", "tool": "meet"}}}
    large = agents("finder", "writer", limits={"model_calls": 500, "tool_calls": 2})
    cases = Cases(
        {"graph": slow, "calls": doing(), "spacious": doing(), "nested": doing(), "whole": doing(), "long": doing("b")}
    )
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, **changes: Any) -> RunResult:
            return await read_result(await bench.start(spec, f"[{case}] The goal.", **changes))

        calls_team = team(
            task("calls", "a"), task("calls", "b"), *values, executors={"find": {"node": FIND}, **calling}
        )
        done = await all_of(
            graph=run("graph", team(*graph)),
            calls=run("calls", calls_team),
            parallel=run("parallel", team(*(task("x", f"t{i}", executor="meet") for i in range(6)), executors=meeting, max_parallel=2)),
            spacious=run("spacious", team(*(task("spacious", *names) for names in ("a", "b", "ca", "dbc")), more=large)),
            nested=run("nested", team(task("nested", "a"), task("nested", "b", "a"), around=lambda n: {"kind": "pipeline", "stages": [n]})),
            whole=run("whole", team(task("whole", "a"), task("whole", "b"), synthesis={"kind": "agent", "agent": "editor"})),
            long=run("long", team(*(task("long", *names, without="run") for names in ("a", "b", "cb", "dac"))), max_history_events=1),
        )  # fmt: skip
        stages = [{"kind": "call", "name": f"s{i}", "tool": "add", "arguments": {"a": 1, "b": 2}} for i in range(4)]
        line = [task("line", f"t{i}", *([f"t{i - 1}"] if i else []), executor="s") for i in range(4)]
        chain = team(*line, executors={"s": {"node": stages[0]}})
        pipeline = TeamSpec.model_validate({"team": "t", "root": {"kind": "pipeline", "stages": stages}})
        events = [await events_of(bench, spec) for spec in (chain, pipeline)]
    graph_ = done["graph"]
    assert (graph_.status, graph_.output) == (RunStatus.COMPLETE, {"d": "writer did d"})
    assert paths(graph_) == ["task-a", "task-b", "task-c", "task-d"]
    assert sorted(commit.key for commit in graph_.state) == ["a", "b", "c", "d"]
    assert told(cases, "graph", "b") == "[graph] do b"
    assert told(cases, "graph", "c") == '[graph] do c\n\nInput:\n{"b": "finder did b"}'
    whole = {"input": "[graph] The goal.", "results": {"a": "finder did a", "c": "finder did c"}}
    assert told(cases, "graph", "d") == f"[graph] do d\n\nInput:\n{json.dumps(whole)}"
    both = {"a": "finder did a", "b": "finder did b"}
    named = done["calls"].output
    assert isinstance(named, dict)
    assert {name: value["output"][0] for name, value in named.items()} == {  # type: ignore[index, call-overload] # of the gate
        "t-results": both,
        "t-b": "finder did b",
        "t-missing": [],
        "t-input": both,
        "t-task": "[calls] do t-task",
    }
    assert set(done["parallel"].output.values()) == {2}, "two at a time"  # type: ignore[union-attr] # by id
    assert events[0] == events[1], "no event more than a pipeline of the same calls"
    assert (done["spacious"].status, len(done["spacious"].steps)) == (RunStatus.COMPLETE, 4), done["spacious"].failure
    assert (done["nested"].status, done["nested"].output) == (RunStatus.COMPLETE, {"b": "finder did b"})
    (asked,) = cases.of("whole", "editor")
    assert '{"a": "finder did a", "b": "finder did b"}' in asked.messages[-1].text
    long = done["long"]
    assert (long.status, long.output) == (RunStatus.PARTIAL, {"d": "finder did d"}), long.failure
    assert len(long.missing) == 1
    assert paths(long) == ["task-a", "task-b", "task-c", "task-d"]
    assert "These results are missing" in told(cases, "long", "c")
    assert "finder did a" in told(cases, "long", "d"), "what was done before is there"
