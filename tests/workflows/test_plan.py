"""Plans on a real server: order and isolation, failures and what depends on them, people, limits."""

import asyncio
import json
from typing import Any

from activities.contracts.failures import FailureKind
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.cases import Cases, Play, agents, all_of
from tests.support.plans import (
    FIND,
    JUDGE,
    PERSON,
    WRITE,
    doing,
    failed_of,
    paths,
    run_asked,
    task,
    team,
    told,
)
from workers.runs import RunHandle, read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.bounds import inline_places
from workflows.teams.tree import PlanNode, TeamSpec


async def events_of(bench: Bench, spec: TeamSpec) -> int:
    handle = await bench.start(spec, "[line] The goal.")
    assert (await read_result(handle)).status is RunStatus.COMPLETE
    return len((await handle.fetch_history()).events)


def knows_nothing_else(cases: Cases, result: RunResult) -> None:
    assert (result.status, result.output) == (RunStatus.COMPLETE, {"d": "writer did d"})
    assert paths(result) == ["task-a", "task-b", "task-c", "task-d"]
    assert sorted(commit.key for commit in result.state) == ["a", "b", "c", "d"]
    assert told(cases, "graph", "b") == "[graph] do b"
    assert told(cases, "graph", "c") == '[graph] do c\n\nInput:\n{"b": "finder did b"}'
    whole = {"input": "[graph] The goal.", "results": {"a": "finder did a", "c": "finder did c"}}
    assert told(cases, "graph", "d") == f"[graph] do d\n\nInput:\n{json.dumps(whole)}"


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
    knows_nothing_else(cases, done["graph"])
    both = {"a": "finder did a", "b": "finder did b"}
    named = done["calls"].output
    assert isinstance(named, dict)
    assert {name: value["output"][0] for name, value in named.items()} == {
        "t-results": both,
        "t-b": "finder did b",
        "t-missing": [],
        "t-input": both,
        "t-task": "[calls] do t-task",
    }
    at_once = done["parallel"].output
    assert isinstance(at_once, dict)
    assert max(map(str, at_once.values())) == "2"
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


def succeeds_as_judged(cases: Cases, unmet: RunResult, never: RunResult) -> None:
    assert unmet.status is RunStatus.COMPLETE
    assert paths(unmet) == ["check-b", "check-b.2", "task-a", "task-b", "task-b.2", "task-c", "task-d"]
    assert [commit.value for commit in unmet.state if commit.key == "b"] == ["writer did b"], "no result that is none"
    assert "Criterion" not in told(cases, "unmet", "a")
    assert "It counts as done when this holds: It is good." in cases.of("unmet", "writer")[0].messages[-1].text
    first, _ = cases.of("unmet", "judge")
    assert "The criterion: It is good.\n\nInput:\nfinder did b" in first.messages[-1].text
    assert (never.status, never.output) == (RunStatus.PARTIAL, {"d": "finder did d"})
    assert "its result is no success (It is good.): it is what it is" in never.missing[0]


async def test_a_task_that_fails_goes_to_its_fallback_and_its_dependents_learn_of_it(workers: Workers) -> None:
    def by_writer(said: str) -> bool:
        return "writer did" in said

    judged: dict[str, Any] = {"checker": JUDGE}
    cases = Cases(
        {
            "skip": doing("b"),
            "run": doing("b"),
            "fallback": doing("b"),
            "unmet": doing(met=by_writer),
            "never": doing(met=lambda said: " do b" not in said),
            "blind": doing(),
            "lenient": doing(),
            "person": doing("b"),
            "nothing": doing("a", "b"),
            "effect": doing(met=lambda _: False),
            "dropped": doing("b"),
        }
    )

    def script(call: ProviderCall, index: int) -> Any:
        if call.instructions == "You are blind.":
            raise AuthenticationFailed("no key", fix="set one")
        return cases(call, index)

    async with workers(script) as bench:

        async def run(case: str, spec: TeamSpec, answer: Any = None) -> RunResult:
            return await run_asked(bench, case, spec, answer)

        def three(case: str, **of_b: Any) -> list[dict[str, Any]]:
            """``c`` needs ``a`` and ``b``, ``d`` needs only ``a``."""
            without = of_b.pop("without", "skip")
            first = [task(case, "a"), task(case, "b", **of_b)]
            return [*first, task(case, "c", "a", "b", without=without), task(case, "d", "a")]

        blind = {"kind": "agent", "agent": "blind"}
        mail = {"kind": "call", "name": "mail", "tool": "send_mail", "arguments": {"to": "$task"}}
        posting = {"post": {"node": mail}, "write": {"node": WRITE}}
        post = task("effect", "b", executor="post", fallback="write", success="x")
        careless = {"find": {"node": {**FIND, "critical": False}}, "write": {"node": WRITE}}
        done = await all_of(
            skip=run("skip", team(*three("skip"))),
            run=run("run", team(*three("run", without="run"))),
            fallback=run("fallback", team(*three("fallback", fallback="write"))),
            unmet=run("unmet", team(*three("unmet", fallback="write", success="It is good."), **judged)),
            never=run("never", team(*three("never", fallback="write", success="It is good."), **judged)),
            blind=run("blind", team(*three("blind", success="x"), checker=blind, more=agents("blind"))),
            lenient=run("lenient", team(*three("lenient", success="x"), checker={**blind, "critical": False}, more=agents("blind"))),
            person=run("person", team(*three("person"), escalate=PERSON), "nora did b"),
            nothing=run("nothing", team(*three("nothing"))),
            effect=run("effect", team(post, executors=posting, checker=JUDGE)),
            dropped=run("dropped", team(*three("dropped"), executors=careless)),
        )  # fmt: skip
    skip = done["skip"]
    assert (skip.status, skip.output) == (RunStatus.PARTIAL, {"d": "finder did d"})
    assert skip.missing == (
        "task b (find: [skip] do b): no key",
        "task c (find: [skip] do c): it was left out: b came to nothing",
    )
    assert "b came to nothing: no key" in skip.log
    assert (done["run"].status, len(done["run"].missing)) == (RunStatus.PARTIAL, 1)
    lacks = 'These results are missing, and your answer has to say so where it matters:\n- b: no key\n\nInput:\n{"a": '
    assert lacks in told(cases, "run", "c")
    fallback = done["fallback"]
    assert (fallback.status, fallback.output) == (RunStatus.COMPLETE, {"c": "finder did c", "d": "finder did d"})
    assert "It was tried before, and did not succeed: no key" in told(cases, "fallback", "b")
    assert "task-b.2" in paths(fallback)
    assert [commit.value for commit in fallback.state if commit.key == "b"] == ["writer did b"]
    assert "b failed with find, write does it: no key" in fallback.log
    succeeds_as_judged(cases, done["unmet"], done["never"])
    assert "its result could not be judged: no key" in done["blind"].missing[0]
    lenient = done["lenient"]
    assert (lenient.status, set(lenient.output or ())) == (RunStatus.PARTIAL, {"c", "d"})
    assert (done["person"].status, len(done["person"].missing)) == (RunStatus.COMPLETE, 0)
    assert "nora did b" in told(cases, "person", "c")
    assert failed_of(done["nothing"]) is FailureKind.AUTHENTICATION_FAILED
    assert "no output of the plan 'work' came to anything; a: no key" in str(done["nothing"].failure)
    assert failed_of(done["effect"]) is FailureKind.CONTRACT_VIOLATED
    assert len(cases.of("effect", "writer")) == 0, "after an effect nobody does it again"
    assert (done["dropped"].status, done["dropped"].output) == (RunStatus.PARTIAL, {"d": "finder did d"})


async def test_a_stop_a_deadline_and_a_breach_leave_nothing_running(workers: Workers) -> None:
    begun = [asyncio.Event() for _ in range(3)]

    def hanging(number: int) -> Play:
        async def script(name: str, call: ProviderCall) -> ProviderAnswer:
            if name == "finder" and " do a" in call.messages[-1].text:
                begun[number].set()
                await asyncio.sleep(60)
            answer = doing()(name, call)
            assert isinstance(answer, ProviderAnswer)
            return answer

        return script

    async def slow(name: str, call: ProviderCall) -> ProviderAnswer:
        if name == "editor":
            await asyncio.sleep(60)
        answer = doing()(name, call)
        assert isinstance(answer, ProviderAnswer)
        return answer

    cases = Cases({"stop": hanging(0), "late": hanging(1), "short": hanging(2), "broke": doing(), "slow": slow})
    large = agents("finder", limits={"model_calls": 500, "tool_calls": 2})
    async with workers(cases) as bench:

        async def stopped() -> RunResult:
            handle = await bench.start(team(task("stop", "a"), task("stop", "b", "a"), more=large), "[stop] The goal.")
            await begun[0].wait()
            await handle.cancel()
            return await ended(bench, handle)

        async def run(case: str, spec: TeamSpec) -> RunResult:
            return await ended(bench, await bench.start(spec, f"[{case}] The goal."))

        brief = {"find": {"node": FIND, "timeout_seconds": 0.5}, "write": {"node": WRITE}}
        done = await all_of(
            stop=stopped(),
            circle=unchecked(bench),
            late=run("late", team(task("late", "a"), task("late", "b", "a"), task("late", "c"), seconds=1.5)),
            short=run("short", team(task("short", "a", fallback="write"), task("short", "c"), executors=brief)),
            slow=run("slow", team(task("slow", "a"), seconds=1.5, synthesis={"kind": "agent", "agent": "editor"})),
            broke=run("broke", team(*(task("broke", *n) for n in ("a", "ba", "cb", "d")), budget={"model_calls": 2})),
        )
    assert (done["slow"].status, done["slow"].output) == (RunStatus.PARTIAL, {"a": "finder did a"})
    assert "no time was left for the synthesis" in done["slow"].missing[-1]
    assert done["stop"].status is RunStatus.FAILED
    assert len(cases.calls["stop"]) == 1
    assert (done["late"].status, done["late"].output) == (RunStatus.PARTIAL, {"c": "finder did c"})
    assert len(done["late"].missing) == 2
    assert (done["short"].status, done["short"].output) == (
        RunStatus.COMPLETE,
        {"a": "writer did a", "c": "finder did c"},
    )
    assert failed_of(done["broke"]) is FailureKind.LIMIT_EXCEEDED
    assert len(cases.calls["broke"]) == 2
    assert failed_of(done["circle"]) is FailureKind.CONFIGURATION_INVALID, "also where nobody has checked the team"


async def unchecked(bench: Bench) -> RunResult:
    """A run whose graph was changed after it was admitted."""
    run = await bench.admit(team(task("circle", "a"), task("circle", "b")), "[circle] The goal.")
    changed = run.team.model_copy(update={"root": team(task("circle", "a", "b"), task("circle", "b", "a")).root})
    return await bench.finish(run.model_copy(update={"team": changed}))


async def ended(bench: Bench, handle: RunHandle) -> RunResult:
    """What it came to, when nothing of the run is open any more; visibility follows."""
    result = await read_result(handle)
    query = f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
    async with asyncio.timeout(10):
        while (await bench.deployment.client.count_workflows(query)).count:
            await asyncio.sleep(0.02)
    return result


def test_a_hundred_tasks_of_agents_stay_inside_their_plans_history() -> None:
    """It continues as new between tasks, so there is room for those that are under way."""
    root = team(*(task("x", f"t{i}") for i in range(100)), more=agents("finder", "writer")).root
    assert isinstance(root, PlanNode)
    spec = team(*(task("x", f"t{i}") for i in range(100)))
    assert "executors.find.node" in inline_places(spec, root)
