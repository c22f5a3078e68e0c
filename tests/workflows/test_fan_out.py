"""Fan-outs on a real server: what is waited for, what is left, what is made of it, and what none of it may cost."""

import asyncio
import json

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.fan_outs import (
    Model,
    Node,
    agent,
    call,
    events_of,
    fan,
    input_of,
    line,
    listed,
    name_of,
    still_open,
    team,
    together,
)
from tests.support.people import until_asked
from tests.support.scripted import says, says_json
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus

MANY = 200


async def test_every_branch_gets_the_goal_and_its_own_input_and_nothing_of_the_others(workers: Workers) -> None:
    model = Model()
    branches = {"one": agent("a"), "two": agent("b", key="second"), "three": call("echo", "three", text="$goal")}
    lines = fan(each=line(call("echo", "inner", text="$item"), agent("c"), name="in"), max_parallel=2)
    calls = fan(each=call("add", "each", a="$index", b=1), items="$source", needs=["source"], max_parallel=3)
    async with workers(model) as bench:
        named, nested, over_state, empty, over_lines, too_long, no_list = await together(
            bench.run(team(listed({"n": 1}, fan(branches=branches))), "go"),
            bench.run(team(listed(["x", "y", "z"], lines)), "go"),
            bench.run(team(listed([[], None, "c"], call("echo", "between", text="no list"), calls))),
            bench.run(team(listed([], fan(each=agent("a"))))),
            bench.run(team(fan(each=agent("line_d"))), "first\n\n  second line \r\nthird"),
            bench.run(team(listed([1] * 5, fan(each=agent("a"), max_branches=4)))),
            bench.run(team(listed({"a": 1}, fan(each=agent("a"))))),
        )
    assert named.status is RunStatus.COMPLETE, named.failure
    assert named.output == {"one": 'a: {"n": 1}', "two": 'b: {"n": 1}', "three": "go"}
    assert [commit.key for commit in named.state if commit.key != "source"] == ["fan"]
    assert nested.output == ["c: x", "c: y", "c: z"]
    assert {step.step for step in nested.steps if step.step.endswith("/c")} == {f"line/fan/i{n}/c" for n in (1, 2, 3)}
    assert over_state.output == [1, 2, 3]
    assert (empty.status, empty.output) == (RunStatus.COMPLETE, [])
    assert over_lines.output == ["line_d: first", "line_d: second line", "line_d: third"]
    assert {commit.key for commit in over_lines.state} == {"i1", "i2", "i3"}
    prompts = [asked.messages[-1].text for asked in bench.provider.calls if name_of(asked) == "line_d"]
    assert sorted(prompts) == ["first", "second line", "third"], "a line is a task, and nobody is told the whole goal"
    assert too_long.failure
    assert too_long.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert too_long.failure.message == "the fan-out 'fan' is given 5 items, and takes 4"
    assert no_list.failure
    assert no_list.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert no_list.failure.message == "the fan-out 'fan' goes over the items of $input, which is an object"
    assert model.asked["a"] == 1, "nothing was begun of what was refused"


async def test_with_all_a_failed_branch_is_named_and_the_rest_goes_on(workers: Workers) -> None:
    model = Model()
    stands_in = {"kind": "constant", "value": "stood in"}
    some = {
        "fine": agent("a"),
        "broken": agent("bad"),
        "spare": agent("bad_too", fallback=stands_in),
        "extra": agent("bad_last", critical=False),
    }
    async with workers(model) as bench:
        part, none, left_out, by_name = await together(
            bench.run(team(fan(branches=some)), "go"),
            bench.run(team(fan(branches={"x": agent("bad"), "y": agent("bad_too")}))),
            bench.run(team(fan(branches={"x": agent("bad", critical=False)}))),
            bench.run(team(fan(each=agent("bad"), max_branches=50, max_parallel=10)), "\n".join("abcdefghij" * 5)),
        )
    assert part.status is RunStatus.PARTIAL
    assert part.output == {"fine": "a: ", "spare": "stood in"}
    assert "branch broken: it failed: no key" in part.missing
    assert "branch extra: it was left out" in part.missing
    assert any(line.startswith("fan: 2 of 4 branches answered; branch broken") for line in part.log)
    assert none.failure
    assert none.failure.kind is FailureKind.AUTHENTICATION_FAILED
    assert none.failure.message.startswith("0 of 2 branches answered: none of them in time, or as it should. no key")
    assert left_out.failure, "none at all fails it, though every one may be left out"
    assert left_out.failure.message.startswith("0 of 1 branches answered: none of them in time, or as it should")
    assert by_name.status is RunStatus.FAILED
    named = {name for said in by_name.missing for name in said.partition(":")[0].split(" ", 1)[1].split(", ")}
    assert named == {f"i{n}" for n in range(1, 51)}


async def test_enough_answers_end_the_others_and_a_race_pays_for_no_more_than_it_needs(workers: Workers) -> None:
    model = Model()
    deep = line(fan(name="inside", branches={"p": agent("slow_p"), "q": agent("quick")}), name="deep")
    racing = {
        "slow": agent("slow_a", fallback=agent("never")),
        "deep": deep,
        "quick": agent("after_late"),
        "unasked": agent("unasked"),
    }
    async with workers(model) as bench:
        handle = await bench.start(team(fan(branches=racing, at_least=1, max_parallel=3, reduce="first")), "go")
        race = await read_result(handle)
        assert await still_open(bench, handle) == 0
        quorum, share, hopeless, grace = await together(
            bench.run(team(fan(branches={"x": agent("b"), "y": agent("slow_b"), "z": agent("b")}, at_least=2)), "go"),
            bench.run(team(fan(each=agent("line_late"), at_least=0.3, max_parallel=1)), "\n".join("0123456789")),
            bench.run(team(fan(branches={"x": agent("bad"), "y": agent("slow_c"), "z": agent("c")}, at_least=3))),
            bench.run(team(fan(branches={"x": agent("d"), "y": agent("late")}, at_least=1, grace_seconds=20))),
        )
        again = await bench.run(team(fan(branches=racing, at_least=1, max_parallel=3, reduce="first")), "go")
    assert race.output == again.output == "after_late: "
    assert race.status is RunStatus.COMPLETE, "it is what was asked for"
    late = "it was late and was ended, as enough answers were there"
    assert f"branches slow, deep: {late}" in race.missing
    assert "branch unasked: it was not begun, as enough answers were there" in race.missing
    assert any("branches slow, deep" in said for said in race.log)
    assert model.asked["never"] == model.asked["unasked"] == 0, "nothing stands in for what is late"
    inner = {step.step: step for step in race.steps}
    assert inner["fan/deep/inside/q"].tokens == 20, "what a late branch has used is counted"
    assert (quorum.status, quorum.output) == (RunStatus.COMPLETE, {"x": "b: ", "z": "b: "})
    assert quorum.missing == (f"branch y: {late}",)
    assert share.output == [f"line_late: {n}" if n < 3 else None for n in range(10)]
    assert model.asked["line_late"] == 3
    assert hopeless.failure
    assert hopeless.failure.kind is FailureKind.AUTHENTICATION_FAILED
    assert hopeless.failure.message.startswith("1 of 3 branches answered: 3 are waited for. no key")
    assert any("so many had failed" in said for said in hopeless.missing)
    assert grace.output == {"x": "d: ", "y": "late: "}
    assert max(result.usage.model_calls for result in (race, quorum)) <= 6


async def test_the_time_for_branches_leaves_time_for_what_comes_after(workers: Workers) -> None:
    model = Model()
    branches = {"x": agent("a"), "y": agent("slow"), "z": line(agent("slow_too"), name="in"), "later": agent("b")}
    timed = {"branches": branches, "branch_seconds": 1.0, "max_parallel": 3, "reducer": agent("judge")}
    async with workers(model) as bench:
        result, quorum = await together(
            bench.run(team(fan(**timed)), "go"), bench.run(team(fan(**timed, at_least=3)), "go")
        )
    assert result.status is RunStatus.PARTIAL
    assert '"branch": "x", "output": "a: "' in str(result.output)
    assert '"later"' in str(result.output), "whoever waited for its turn had the rest of the time"
    assert any(said.startswith("branch y: it failed: the agent 'slow' did not end within") for said in result.missing)
    assert any(said.startswith("branch z: it failed: ") for said in result.missing)
    assert quorum.failure
    assert quorum.failure.kind is FailureKind.DEADLINE_EXCEEDED
    assert quorum.failure.message.startswith("2 of 4 branches answered: 3 are waited for.")


LABELS = {"enum": ["even", "odd"]}


class Batching:
    """Answers batches: of its first it forgets i2 and says i3 twice; it never answers i5."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.prompts: list[str] = []

    def __call__(self, asked: ProviderCall, _: int) -> ProviderAnswer:
        items = json.loads(input_of(asked))
        self.sizes.append(len(items))
        self.prompts.append(asked.messages[-1].text)
        said = [{"item_id": one["item_id"], "answer": ["even", "odd"][one["item"] % 2]} for one in reversed(items)]
        said = [one for one in said if one["item_id"] != "i5"]
        if len(items) == 4 and items[0]["item_id"] == "i1":
            said = [one for one in said if one["item_id"] != "i2"]
            said += [{"item_id": "i3", "answer": "even"}]
        return says_json({"answers": [*said, {"item_id": "i99", "answer": "odd"}] if len(items) < 4 else said})


async def test_a_batch_is_one_model_call_and_what_it_lacks_is_asked_for_once_more(workers: Workers) -> None:
    model = Batching()
    batches = fan(each=agent("a"), batch=4, answer=LABELS, max_parallel=1)
    async with workers(model) as bench:
        result = await bench.run(team(listed([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], batches)), "Label.")
        many = await bench.run(
            team(listed(list(range(10, 58)), {**batches, "batch": 24, "max_branches": 48})), "Label."
        )
    assert result.status is RunStatus.PARTIAL
    odd, even = "odd", "even"
    assert result.output == [odd, even, odd, even, None, even, odd, even, odd, even]
    assert result.missing == ("line/fan: branch i5: the answer to its batch does not have it",)
    assert model.sizes[:5] == [4, 2, 4, 1, 2], "the missing ones of a batch go together"
    assert [step.step for step in result.steps if "/b" in step.step] == [
        f"line/fan/b{n}" for n in ("1", "1.2", "2", "2.2", "3")
    ]
    assert "line/fan: b1 lacks i2, i3: they are asked for again" in result.log
    assert "line/fan: b1.2: it answers what was not asked: i99" in result.log
    assert many.output == [None if n == 4 else LABELS["enum"][n % 2] for n in range(48)]
    assert many.usage.model_calls == 3, "two batches, and the one item that the first lacks"
    assert "Give one answer for every item" in model.prompts[0]


async def test_two_hundred_branches_cost_no_more_events_than_their_calls(workers: Workers) -> None:
    """A branch is one activity (three events) and its share of the tasks; one timer stands for the limits of all agents."""
    model = Model()
    goal = "\n".join(f"item {n}" for n in range(MANY))
    wide = {"max_branches": MANY, "max_parallel": 20}
    async with workers(model) as bench:
        agents = await bench.start(team(fan(each=agent("line"), **wide)), goal)
        result = await read_result(agents)
        of_agents = await events_of(agents)
        some = goal[: goal.index("\n", 350)]
        calls_ = await bench.start(team(fan(each=call("echo", "each", text="$item"), **wide)), some)
        echoed = await read_result(calls_)
        of_calls = await events_of(calls_)
    assert result.output == [f"line: item {n}" for n in range(MANY)]
    assert echoed.output == some.splitlines()
    assert model.most <= 20
    tasks = ("WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED")
    own = {"WORKFLOW_EXECUTION_STARTED": 1, "WORKFLOW_EXECUTION_COMPLETED": 1}
    each = [f"ACTIVITY_TASK_{what}" for what in ("SCHEDULED", "STARTED", "COMPLETED")]
    own |= {"TIMER_STARTED": 1, "TIMER_CANCELED": 1}
    for events, count in ((of_agents, MANY), (of_calls, len(some.splitlines()))):
        others = {name: number for name, number in events.items() if name not in tasks}
        assert others == {**own, **dict.fromkeys(each, count)}
        assert events[tasks[0]] <= count + 2, "one task for each answer, at most"


async def test_what_is_made_of_the_answers(workers: Workers) -> None:
    def script(asked: ProviderCall, _: int) -> ProviderAnswer:
        match name_of(asked):
            case "judge":
                return says(f"judged {input_of(asked)}")
            case "x":
                return says_json({"score": 1, "label": "left", "tags": ["a"]})
            case "y":
                return says_json({"score": 2, "label": "right", "tags": ["b"]})
        return says_json({"label": "left"})

    output = {name: {"type": "object"} for name in "xyz"}
    three, two = {name: agent(name) for name in "xyz"}, {name: agent(name) for name in "xy"}
    give = call("strict_gate", "give", draft="$results", final=True, review="$missing")
    asking = {"people": ["nora"], "seconds": 60}
    person = {"kind": "person", "name": "nora", "choices": ["approve", "answer", "reject"], "asking": asking}
    async with workers(script) as bench:

        async def run(root: Node) -> RunResult:
            return await bench.run(team(root, {name: output[name] for name in root["branches"]}), "go")

        root = fan(branches=two, reduce="vote", by="label", escalate=person)
        ties = []
        said = [
            DecideRequest(by="nora", choice=Choice.ANSWER, answer="right"),
            DecideRequest(by="nora", choice=Choice.APPROVE),
            DecideRequest(by="nora", choice=Choice.REJECT, reason="neither"),
        ]
        for says_so in said:
            tie = await bench.start(team(root, {name: output[name] for name in two}), "go")
            (task,) = await until_asked(bench.deployment.client, tie.id)
            await bench.deployment.client.get_workflow_handle(task.task_id).execute_update("decide", says_so)
            ties.append(tie)
        vote, tied, rank, merge, judged, given, piped, left, decided, approved, rejected = await together(
            run(fan(branches=three, reduce="vote", by="label")),
            run(fan(branches=two, reduce="vote", by="label")),
            run(fan(branches=three, reduce="rank")),
            run(fan(branches=three, reduce="merge")),
            run(fan(branches=two, reducer=agent("judge", key="verdict"))),
            run(fan(branches=two, reducer=give)),
            run(fan(branches=two, reducer=line(call("always_wrong", "one", output="$input"), give))),
            run(fan(branches=two, reducer=call("explode", "boom", what="it") | {"critical": False})),
            *map(read_result, ties),
        )
    assert isinstance(vote.output, dict)
    assert (vote.output["winner"], vote.output["votes"], vote.output["tied"]) == ("left", 2, False)
    assert isinstance(tied.output, dict)
    assert (tied.output["winner"], tied.output["tied"]) == ("left", True)
    assert any("the vote is tied" in said for said in tied.log)
    assert isinstance(decided.output, dict)
    assert (decided.output["winner"], decided.output["tied"], decided.output["decided_by"]) == ("right", False, "nora")
    assert "fan: the vote was tied, and nora decided for right" in decided.log
    assert isinstance(approved.output, dict)
    assert (approved.output["winner"], approved.output["decided_by"]) == ("left", "nora"), "as it was put to her"
    assert rejected.failure
    assert rejected.failure.kind is FailureKind.NOT_ALLOWED
    assert rejected.failure.message == "nora rejected 'nora': neither"
    assert rank.status is RunStatus.PARTIAL
    assert [one["branch"] for one in rank.output] == ["y", "x"]  # type: ignore[union-attr, index, call-overload] # JSON
    assert "branch z: it failed: its answer has no number 'score' to be ranked by" in rank.missing
    assert merge.output == {"score": 1, "label": "left", "tags": ["a", "b"]}
    assert any("'y' says \"right\" of 'label'" in said for said in merge.log)
    assert str(judged.output).startswith('judged [{"branch": "x", "output": {"score": 1')
    assert [commit.key for commit in judged.state][-1] == "verdict"
    assert isinstance(left.output, dict)
    results = [{"branch": name, "output": left.output[name]} for name in two]
    for by_call in (given, piped):
        assert by_call.output == {"accepted": True, "problems": [], "output": [results, [], True]}
    assert left.status is RunStatus.PARTIAL


async def test_a_person_takes_the_place_of_who_failed_where_too_few_are_there(workers: Workers) -> None:
    person = {"kind": "person", "name": "nora", "asking": {"people": ["nora"], "seconds": 60}}
    branches = {"x": agent("a"), "y": agent("bad"), "z": agent("bad_too")}
    async with workers(Model()) as bench:
        handles = [
            await bench.start(team(fan(branches=branches, at_least=least, escalate=person)), "go") for least in (2, 1)
        ]
        client = bench.deployment.client
        (task,) = await until_asked(client, handles[0].id)
        await client.get_workflow_handle(task.task_id).execute_update(
            "decide", DecideRequest(by="nora", choice=Choice.ANSWER, answer="mine")
        )
        stood_in, unneeded = [await read_result(handle) for handle in handles]
    assert stood_in.status is RunStatus.COMPLETE
    assert stood_in.output == {"x": "a: ", "y": "mine"}
    assert [said for said in stood_in.missing if said.startswith("branch")] == ["branch z: it failed: no key"]
    assert unneeded.output == {"x": "a: "}


async def test_whoever_waits_for_a_person_holds_no_branch_up(workers: Workers) -> None:
    model = Model()
    asking = {"people": ["nora"], "seconds": 60}
    person = {"kind": "person", "name": "nora", "choices": ["answer", "reject"], "asking": asking}
    branches = {"x": agent("bad"), "y": agent("bad_too"), "z": agent("a"), "late": agent("b")}
    async with workers(model) as bench:
        client = bench.deployment.client
        handle = await bench.start(team(fan(branches=branches, max_parallel=1, escalate=person)), "go")
        tasks = await until_asked(client, handle.id, 2)
        for _ in range(200):
            if model.answered["b"]:
                break
            await asyncio.sleep(0.05)
        assert model.answered["b"], "both are asked for, and the others have gone on"
        for task, choice in zip(sorted(tasks, key=lambda one: one.step), (Choice.ANSWER, Choice.REJECT), strict=True):
            request = DecideRequest(by="nora", choice=choice, answer="mine" if choice is Choice.ANSWER else None)
            await client.get_workflow_handle(task.task_id).execute_update("decide", request)
        result = await read_result(handle)
        assert await still_open(bench, handle) == 0
    assert result.output == {"x": "mine", "z": "a: ", "late": "b: "}
    assert [said for said in result.missing if said.startswith("branch")] == [
        "branch y: it failed: no key; nora rejected 'nora'"
    ]


async def test_a_stop_and_a_budget_leave_nothing_running(workers: Workers) -> None:
    model = Model()
    deep = line(fan(name="inner", branches={"p": agent("slow"), "q": agent("a")}), name="deep")
    wide = fan(branches={"one": agent("slow_too"), "two": deep, "three": agent("b")}, at_least=2, grace_seconds=30)
    poor = {"branches": {"x": agent("c"), "y": agent("d")}, "max_parallel": 1}
    async with workers(model) as bench:
        handle = await bench.start(team(wide), "go")
        await asyncio.wait_for(model.slow.wait(), 20)
        await handle.cancel()
        stopped = await read_result(handle)
        assert await still_open(bench, handle) == 0
        short, partial, racing = await together(
            bench.run(team(fan(**poor, budget={"model_calls": 1}))),
            bench.run(team(fan(**poor, budget={"model_calls": 1, "on_breach": "partial"}))),
            bench.run(team(fan(**poor, at_least=1, budget={"model_calls": 1}))),
        )
    assert stopped.failure
    assert stopped.failure.kind is FailureKind.CANCELLED
    assert short.failure
    assert short.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert (partial.status, partial.output) == (RunStatus.PARTIAL, {"x": "c: "})
    assert any(said.startswith("branch y: it failed: the next model call") for said in partial.missing)
    assert (racing.status, racing.output) == (RunStatus.COMPLETE, {"x": "c: "})
