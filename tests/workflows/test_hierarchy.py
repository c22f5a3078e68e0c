"""Hierarchies: parts go down, summaries come up, nobody is told more than its part, and none is deeper than its cap."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice
from activities.errors import ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers, new_run_id
from tests.support.hierarchies import hierarchy as team
from tests.support.hierarchies import played, prompt, role
from tests.support.people import decides
from tests.support.scripted import says, says_json
from tests.tools.folder import HARBOUR, RULES
from workers.admission import RunOrder, admit
from workers.checks.findings import TeamView
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.team_file import load_team
from workflows.contracts import RunInput, RunStatus
from workflows.teams.tree import TeamSpec

GOAL = "Take the whole town by Friday"


async def test_parts_go_down_and_summaries_up_and_each_tier_is_told_its_own_part(workers: Workers) -> None:
    async with workers(played) as bench:
        handle = await bench.start(team(), GOAL)
        result = await read_result(handle)
        said = {name: [call for call in bench.provider.calls if role(call) == name] for name in ("director", "manager", "worker", "reporter", "chronicler")}  # fmt: skip
        client = bench.deployment.client
        ids = [f"{handle.id}/hierarchy/s1-1", f"{handle.id}/hierarchy/s1-2"]
        managers = [await client.get_workflow_handle(name).describe() for name in ids]
        history = await client.get_workflow_handle(handle.id).fetch_history()
    assert (result.status, result.output, result.missing) == (RunStatus.COMPLETE, "chronicle: 2 reports", ())
    assert [step.step.removeprefix("hierarchy/") for step in result.steps] == [
        "plan-1",
        *(f"s1-{area}/{step}" for area in (1, 2) for step in ("plan-1", "s1-1", "s1-2", "synthesis-1")),
        "synthesis-1",
    ]
    assert [described.workflow_type for described in managers] == ["hierarchy", "hierarchy"]
    assert {name: len(calls) for name, calls in said.items()} == {
        "director": 1, "manager": 2, "worker": 4, "reporter": 2, "chronicler": 1,
    }  # fmt: skip
    assert GOAL in prompt(said["director"][0])
    assert GOAL in prompt(said["chronicler"][0])
    below = [
        message.text for name in ("manager", "worker", "reporter") for call in said[name] for message in call.messages
    ]
    assert not [text for text in below if GOAL in text], "the goal of the whole is for the top alone"
    workers_told = [prompt(call) for call in said["worker"]]
    assert not [text for text in workers_told if "side" in text], "nor is a manager's part for its workers"
    assert sorted(text.partition("\n")[0] for text in workers_told) == [
        "dig north 1",
        "dig north 2",
        "dig south 1",
        "dig south 2",
    ]
    assert "area: Takes an area." in prompt(said["director"][0])
    assert "dug" not in prompt(said["chronicler"][0]), "summaries go up, not what they were made of"
    started = [event.start_child_workflow_execution_initiated_event_attributes.workflow_type.name for event in history.events if event.HasField("start_child_workflow_execution_initiated_event_attributes")]  # fmt: skip
    assert started == ["hierarchy", "hierarchy"], "one child for each manager, none for an agent"


async def test_what_fails_is_tried_again_given_up_and_named_on_each_tier(workers: Workers) -> None:
    tiers: list[dict[str, Any]] = [
        {"name": "top", "planner": "director", "summary": {"kind": "agent", "agent": "chronicler"}},
        {"name": "area", "planner": "manager", "attempts": 2},
    ]
    broken = {"north": 0}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if role(call) == "manager" and "north" in prompt(call):
            broken["north"] += 1
            return says_json({"subtasks": []}) if broken["north"] == 1 else played(call, index)
        if role(call) == "worker" and "south 2" in prompt(call):
            return says("")
        return played(call, index)

    async with workers(script) as bench:
        result = await bench.run(team(tiers=tiers), GOAL)
        assert result.status is RunStatus.PARTIAL
        assert [s.step for s in result.steps if s.step.endswith("plan-1")] == [
            "hierarchy/plan-1", "hierarchy/s1-1/plan-1", "hierarchy/s1-1/2/plan-1", "hierarchy/s1-2/plan-1",
        ]  # fmt: skip
        assert len(result.missing) == 1
        assert result.missing[0].startswith("hierarchy/s1-2: subtask s1-2 (digger: dig south 2)")

        # Where all fail, the tier above gives the area up; where all areas are given up, the run fails with the cause.
        wants_number = {"instructions": "You are the worker.", "output": {"schema": {"type": "integer"}}}
        lost = await bench.run(team(agents={"worker": wants_number}), GOAL)
    assert lost.status is RunStatus.FAILED
    assert lost.failure
    assert lost.failure.kind is FailureKind.CONTRACT_VIOLATED
    assert lost.failure.step.startswith("hierarchy/s1-1/s1-1")


def nested(depth: int, *, max_depth: int) -> TeamSpec:
    """A hierarchy of one tier in another, so many times."""
    node: dict[str, Any] = {"kind": "agent", "agent": "worker"}
    planners = [f"planner{at}" for at in range(depth)]
    for at, planner in enumerate(planners):
        node = {"kind": "hierarchy", "name": f"h{at}", "tiers": [{"name": f"t{at}", "planner": planner}], "workers": {"w": {"node": node}}, "max_depth": max_depth}  # fmt: skip
        node = {"kind": "pipeline", "name": f"p{at}", "stages": [node]} if at < depth - 1 else node
    agents = {name: {"instructions": f"You are the {name}."} for name in (*planners, "worker")}
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": node}, extra="forbid")


async def test_a_tree_that_is_too_deep_is_refused_and_nothing_of_it_is_begun(workers: Workers) -> None:
    async with workers(played) as bench:
        with pytest.raises(ConfigurationInvalid, match="'h2' is 3 tiers deep, more than max_depth=2"):
            await bench.admit(nested(3, max_depth=2))
        run = await bench.admit(nested(3, max_depth=3))
        too_deep: RunInput = run.model_copy(update={"team": run.team.model_copy(update={"root": run.team.root.model_copy(update={"max_depth": 2})})})  # fmt: skip
        result = await bench.finish(too_deep)
        assert bench.provider.calls == []
    assert result.failure
    assert result.failure.kind is FailureKind.CONFIGURATION_INVALID
    assert "3 tiers deep, more than max_depth=2" in result.failure.message
    assert "raise max_depth to 3" in result.failure.fix


async def test_bad_planners_are_bounded_and_typed(workers: Workers) -> None:
    answers: dict[str, Any] = {}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        return says_json(answers[role(call)]) if role(call) in answers else played(call, index)

    many = [{"type": "digger", "task": f"dig {n}"} for n in range(300)]
    cases: list[tuple[str, Any]] = [
        ("director", {"subtasks": [{"type": "king", "task": "rule"}]}),
        ("director", {"subtasks": []}),
        ("director", {"plan": "none"}),
        ("manager", {"subtasks": many}),
    ]
    async with workers(script) as bench:
        for who, answer in cases:
            answers.clear()
            answers[who] = answer
            bench.provider.calls.clear()
            result = await bench.run(team(), GOAL)
            assert result.failure
            assert result.failure.kind is FailureKind.CONTRACT_VIOLATED
            assert not [call for call in bench.provider.calls if role(call) == "worker"], "nothing is begun of it"
            assert len(bench.provider.calls) <= 1 + 4 + 4


async def test_a_stop_and_the_end_of_its_time_leave_nothing_running(workers: Workers) -> None:
    begun = asyncio.Event()

    async def hanging(call: ProviderCall, index: int) -> ProviderAnswer:
        if role(call) == "worker":
            begun.set()
            await asyncio.sleep(60)
        return played(call, index)

    async with workers(hanging) as bench:
        client = bench.deployment.client
        for seconds in (600, 1.5):
            begun.clear()
            handle = await bench.start(team(seconds=seconds), GOAL)
            async with asyncio.timeout(20):
                await begun.wait()
            if seconds == 600:
                await handle.cancel()
            result = await read_result(handle)
            assert result.failure
            assert result.failure.kind is (FailureKind.CANCELLED if seconds == 600 else FailureKind.DEADLINE_EXCEEDED)
            for area in (1, 2):
                state = await client.get_workflow_handle(f"{handle.id}/hierarchy/s1-{area}").describe()
                assert state.status is not WorkflowExecutionStatus.RUNNING


async def test_a_budget_is_shared_by_all_tiers_and_its_breach_ends_as_declared(workers: Workers) -> None:
    async with workers(played) as bench:
        hard = await bench.run(team(budget={"model_calls": 5}), GOAL)
        soft = await bench.run(team(budget={"model_calls": 5, "on_breach": "partial"}), GOAL)
    assert hard.failure
    assert hard.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert soft.status is RunStatus.PARTIAL
    assert hard.usage.model_calls <= 5
    assert soft.usage.model_calls <= 5


async def test_what_nobody_below_can_do_goes_to_the_person_on_every_tier(workers: Workers) -> None:
    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if role(call) == "worker" and "north 1" in prompt(call):
            return says("")
        return says("") if role(call) == "chronicler" else played(call, index)

    person = {"kind": "person", "name": "mayor", "asking": {"people": ["nora"], "seconds": 60}}
    async with workers(script) as bench:
        handle = await bench.start(team(escalate=person), GOAL)
        first = await decides(bench.deployment.client, handle.id, Choice.ANSWER, answer="dug: dig north 1 by hand")
        last = await decides(bench.deployment.client, handle.id, Choice.ANSWER, answer="the town is ours", after=first)
        result = await read_result(handle)
        reports = [prompt(call) for call in bench.provider.calls if role(call) == "reporter"]
    assert (result.status, result.output) == (RunStatus.COMPLETE, "the town is ours")
    assert (first.step, last.step) == ("hierarchy/s1-1/s1-1/escalate.person", "hierarchy/synthesis-1/escalate.person")
    assert GOAL not in first.question
    assert [text for text in reports if '"done_by": "mayor"' in text]


def test_places_are_those_of_the_file() -> None:
    """Managers are nodes that nobody has written: what is said of their parts points to the tier that says them."""
    spec = team(escalate={"kind": "person", "name": "mayor"})
    places = {".".join(place.at): (place.role, place.node.kind) for place in TeamView(spec).places if not place.is_same}
    assert places == {
        "root": ("root", "hierarchy"),
        "root.tiers.0.planner": ("planner", "agent"),
        "root.tiers.0.summary": ("summary", "agent"),
        "root.tiers.1": ("manager", "hierarchy"),
        "root.tiers.1.planner": ("planner", "agent"),
        "root.tiers.1.summary": ("summary", "agent"),
        "root.workers.digger.node": ("workers", "agent"),
        "root.escalate": ("escalate", "person"),
    }


REVIEW = Path(__file__).parents[2] / "scripts" / "teams" / "review.yaml"


async def test_the_ready_review_has_each_question_read_under_a_manager_of_its_own(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "log.md").write_text(HARBOUR)
    (tmp_path / "rules.txt").write_text(RULES)
    goal = "What is a pilot paid? What duty does salt pay? Who invented the telephone?"
    async with running_pools(deployment, ["workflows", "tools", "models-offline"]):
        order = RunOrder(goal=goal, run_id=new_run_id(), folder=tmp_path)
        handle = await start_run(deployment.client, await admit(deployment, load_team(REVIEW), order))
        result = await read_result(handle)
    assert result.status is RunStatus.COMPLETE, result.failure
    tasks = {
        step.step.removeprefix("review/draft/"): step.task
        for step in result.steps
        if step.agent.startswith("review/manager")
    }
    assert [(step, task.partition("?")[0]) for step, task in tasks.items()] == [
        ("s1-1/plan-1", "What is a pilot paid"),
        ("s1-2/plan-1", "What duty does salt pay"),
        ("s1-3/plan-1", "Who invented the telephone"),
    ]
    assert isinstance(result.output, dict)
    review: Any = result.output["output"]
    said = " ".join(claim["quote"] for claim in review["claims"])
    assert "pilot" in said
    assert "salt" in said.lower()
    assert {claim["source"].partition(":")[0] for claim in review["claims"]} <= {"log.md", "rules.txt"}
    assert review["unanswered"] == ["Who invented the telephone?"]
