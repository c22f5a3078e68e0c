"""Debates on a real server: independence, rounds, agreement, the judge, people, minorities, and what a failure means."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest, HumanDecision
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.cases import Cases, Play, agents, all_of
from tests.support.people import until_asked
from tests.support.scripted import says, says_json
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

YES_NO = ["yes", "no"]
FAIL = "fail"
BLANK = "  "
FEE = "The fee is forty crowns for each ship that a pilot brings into the harbour"


def vote(position: str, confidence: float = 0.5, *reasons: str) -> ProviderAnswer:
    return says_json({"position": position, "confidence": confidence, "reasons": list(reasons)})


def play(votes: Mapping[str, Sequence[str]]) -> Play:
    """Who votes for what, round by round: ``yes``, ``yes 0.9``, ``abstain`` or ``fail``. A judge says what it was told."""
    left = {name: iter(said) for name, said in votes.items()}

    def script(name: str, call: ProviderCall) -> ProviderAnswer:
        if name == "judge":
            return says(f"judged: {call.messages[-1].text}")
        if name == "comparer":
            return says_json({"groups": [[1, 2]]})
        said = next(left[name])
        if said == FAIL:
            raise AuthenticationFailed("no key", fix="set one")
        if said == "abstain":
            return says_json({"position": "yes", "confidence": 0, "reasons": [], "abstain": True})
        position, _, confidence = said.rpartition(" ")
        if not confidence.replace(".", "").isdigit():
            position, confidence = said, "0.5"
        return vote(position, float(confidence), f"because of {name}")

    return script


def team(count: int = 3, *, large: bool = False, nested: bool = False, **debate: Any) -> TeamSpec:
    names = [*"abcdefghi"[:count]]
    root = {
        "kind": "debate",
        "debaters": {name: {"kind": "agent", "agent": name} for name in names},
        "positions": YES_NO,
        **debate,
    }
    more = [part for part in ("judge", "comparer") if part in debate]
    limits = {"model_calls": 500 if large else 10, "tool_calls": 2}
    known = agents(*names, *more, limits=limits)
    whole = {"kind": "pipeline", "stages": [root]} if nested else root
    return TeamSpec.model_validate({"team": "t", "agents": known, "root": whole}, extra="forbid")


JUDGE = {"kind": "agent", "agent": "judge"}
CHIEF = {"kind": "person", "name": "chief", "asking": {"people": ["nora"], "seconds": 60}}


def found(result: RunResult) -> tuple[RunStatus, object, object, object]:
    """Status, position, agreement and who decided it."""
    output = result.output
    if not isinstance(output, dict):
        return result.status, None, None, result.failure.kind if result.failure else None
    return result.status, output["position"], output["agreement"], output["decided_by"]


async def test_votes_are_cast_apart_argued_over_and_counted(workers: Workers) -> None:
    votes: dict[str, dict[str, list[str]]] = {
        "agreed": {"a": ["yes"], "b": ["yes"], "c": ["yes"]},
        "argued": {"a": ["yes", "yes"], "b": ["yes", "yes"], "c": ["no 0.9", "no 0.9"]},
        "convinced": {"a": ["yes", "yes"], "b": ["no", "yes"], "c": ["no", "yes"]},
        "tied": {"a": ["yes 0.4"], "b": ["no 0.9"]},
        "none": {"a": ["yes"], "b": ["no"]},
        "children": {"a": ["yes", "no"], "b": ["no", "no"], "c": ["no", "no"]},
        "nested": {"a": ["yes"], "b": ["yes"], "c": ["yes"]},
        "continued": {"a": ["yes", "yes", "no"], "b": ["no", "no", "no"], "c": ["no", "yes", "no"]},
        "free": {"a": [f"{FEE}."], "b": [f"{FEE}!"], "c": ["The moon."]},
        "told": {"a": ["Red."], "b": ["Crimson."], "c": ["Blue."]},
        "letters": {"a": [f"{FEE}."], "b": [f"{FEE}!"], "c": [f" {FEE.upper()}."]},
    }
    cases = Cases({case: play(who) for case, who in votes.items()})
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, **changes: Any) -> RunResult:
            return await read_result(await bench.start(spec, f"[{case}] Is it so?", **changes))

        free: dict[str, Any] = {"positions": [], "rounds": 0, "agreement": 0.6}
        done = await all_of(
            agreed=run("agreed", team(judge=JUDGE)),
            argued=run("argued", team(judge=JUDGE)),
            convinced=run("convinced", team(rounds=3)),
            tied=run("tied", team(2, rounds=0)),
            children=run("children", team(large=True, agreement=1.0)),
            nested=run("nested", team(nested=True)),
            continued=run("continued", team(rounds=4, agreement=1.0), max_history_events=1),
            free=run("free", team(**free)),
            told=run("told", team(**free, comparer={"kind": "agent", "agent": "comparer"})),
            letters=run("letters", team(**free), embeddings={}),
        )
    agreed = done["agreed"]
    assert found(agreed) == (RunStatus.COMPLETE, "yes", 1, "agreement")
    assert [call.messages[0].text for name in "abc" for call in cases.of("agreed", name)] == [
        cases.of("agreed", "a")[0].messages[0].text
    ] * 3, "nobody is told anything of anybody"
    assert "- yes\n- no" in cases.of("agreed", "a")[0].messages[0].text
    assert set(agreed.output) == {"answer", "position", "agreement", "votes", "minority", "rounds", "decided_by"}
    assert agreed.output["answer"].startswith("judged: [agreed] Is it so?")
    assert agreed.output["minority"] == []

    argued = done["argued"]
    assert found(argued) == (RunStatus.COMPLETE, "yes", 0.6667, "votes")
    for name in "abc":
        first, second = cases.of("argued", name)
        assert not any(f"because of {other}" in first.messages[0].text for other in "abc")
        assert len(second.messages) == 3, "its own conversation goes on"
        assert all(f"because of {other}" in second.messages[2].text for other in "abc"), "all votes with their reasons"
    against = [{"debater": "c", "position": "no", "confidence": 0.9, "reasons": ["because of c"]}]
    assert argued.output["minority"] == against
    assert [commit.value for commit in argued.state if commit.key == "minority"] == [against]
    assert "because of c" in argued.output["answer"], "the judge has read it"
    assert [held["agreement"] for held in argued.output["rounds"]] == [0.6667, 0.6667]
    assert argued.output["rounds"][0]["positions"] == {"a": "yes", "b": "yes", "c": "no"}
    assert [step.step for step in argued.steps][-1] == "debate/judge"

    assert found(done["convinced"]) == (RunStatus.COMPLETE, "yes", 1, "agreement")
    assert len(done["convinced"].steps) == 6, "two rounds of four"
    assert found(done["tied"]) == (RunStatus.COMPLETE, "no", 0.5, "votes"), "the surer ones"
    assert "surest" in done["tied"].log[-1]
    assert found(done["children"]) == (RunStatus.COMPLETE, "no", 1, "agreement")
    assert [len(call.messages) for call in cases.of("children", "a")] == [1, 3]
    assert found(done["nested"])[:2] == (RunStatus.COMPLETE, "yes")
    continued = done["continued"]
    assert found(continued) == (RunStatus.COMPLETE, "no", 1, "agreement")
    assert len(continued.steps) == 9
    assert len(continued.output["rounds"]) == 3
    assert [len(call.messages) for call in cases.of("continued", "c")] == [1, 3, 5]

    assert found(done["free"]) == (RunStatus.COMPLETE, f"{FEE}.", 0.6667, "agreement")
    assert [step.agent for step in done["free"].steps].count("(similarity)") == 1
    assert found(done["told"]) == (RunStatus.COMPLETE, "Red.", 0.6667, "agreement")
    assert found(done["letters"])[1:] == (f"{FEE}.", 0.6667, "agreement"), "the same to the letter"
    assert "same to the letter" in done["letters"].notes[0]


async def test_what_people_and_failures_make_of_it(workers: Workers) -> None:
    votes: dict[str, dict[str, list[str]]] = {
        "lone": {"a": ["yes"], "b": ["yes"], "c": [FAIL]},
        "quorum": {"a": ["yes"], "b": [FAIL], "c": [FAIL]},
        "broken": {"a": [FAIL], "b": [FAIL]},
        "abstained": {"a": ["abstain"], "b": ["abstain"]},
        "apart": {"a": ["yes"], "b": ["no"]},
        "chosen": {"a": ["yes 0.9"], "b": ["no"]},
        "approved": {"a": ["yes 0.9"], "b": ["no"]},
        "rejected": {"a": ["yes"], "b": ["no"]},
        "silent": {"a": ["abstain"], "b": ["abstain"]},
        "stand": {"a": [FAIL], "b": ["no"]},
        "budget": {"a": ["yes"], "b": ["yes"], "c": ["yes"]},
        "judgeless": {"a": ["yes"], "b": ["yes"], "c": ["yes"]},
        "late": {"a": ["yes", "yes"], "b": ["yes", "yes"], "c": ["no", "no"]},
        "stopped": {"a": ["yes"], "b": ["yes"], "c": ["yes"]},
        "apart_agreed": {"a": ["yes"], "b": ["yes"], "c": ["yes"], "d": ["no"], "e": ["no"]},
        "mixed": {"a": [FAIL], "b": ["abstain"]},
        "kept": {"a": [FAIL, "yes"], "b": ["abstain", "yes"]},
        "constant": {"a": ["yes"], "b": ["no"]},
    }
    reached, plays = asyncio.Event(), {case: play(who) for case, who in votes.items()}
    plays["late"] = hanging(plays["late"], "b", 2, asyncio.Event())
    plays["stopped"] = hanging(plays["stopped"], "b", 1, reached)
    cases, seen = Cases(plays), dict[str, Any]()
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, *decisions: DecideRequest, **changes: Any) -> RunResult:
            handle = await bench.start(spec, f"[{case}] Is it so?", **changes)
            for decision in decisions:
                (task,) = await until_asked(bench.deployment.client, handle.id)
                seen[case] = task
                update = bench.deployment.client.get_workflow_handle(task.task_id)
                if decision.answer == BLANK:
                    with pytest.raises(WorkflowUpdateFailedError):
                        await update.execute_update("decide", decision, result_type=HumanDecision)
                else:
                    await update.execute_update("decide", decision, result_type=HumanDecision)
            return await read_result(handle)

        def nora(choice: Choice, answer: Any = None) -> DecideRequest:
            return DecideRequest(by="nora", choice=choice, answer=answer)

        asks: dict[str, Any] = {"rounds": 0, "max_disagreement": 0.3, "escalate": CHIEF}
        picks: dict[str, Any] = {**asks, "escalate": {**CHIEF, "choices": ["approve", "answer", "reject"]}}
        yes = {"kind": "constant", "value": {"position": "yes", "confidence": 1, "reasons": []}}
        stand = {"a": {"kind": "agent", "agent": "a", "fallback": yes}, "b": {"kind": "agent", "agent": "b"}}
        stands_in = {
            "kind": "person",
            "name": "chief",
            "asking": {"people": ["nora"], "seconds": 0.1},
            "fallback": {"kind": "constant", "value": "no"},
        }
        failing_judge = {"kind": "call", "name": "judge_call", "tool": "explode", "arguments": {"what": "$position"}}
        done = await all_of(
            lone=run("lone", team()),
            quorum=run("quorum", team(rounds=0, quorum=2)),
            broken=run("broken", team(2, rounds=0)),
            abstained=run("abstained", team(2, rounds=0)),
            apart=run("apart", team(2, rounds=0, max_disagreement=0.3)),
            chosen=run("chosen", team(2, **asks, judge=JUDGE), nora(Choice.ANSWER, "no")),
            approved=run("approved", team(2, **picks), nora(Choice.APPROVE)),
            rejected=run("rejected", team(2, **picks), nora(Choice.REJECT)),
            silent=run(
                "silent", team(2, **picks | {"positions": []}), nora(Choice.ANSWER, BLANK), nora(Choice.ANSWER, " no ")
            ),
            apart_agreed=run("apart_agreed", team(5, agreement=0.6, max_disagreement=0.3)),
            mixed=run("mixed", team(2, rounds=0)),
            kept=run("kept", team(2, rounds=2), max_history_events=1),
            constant=run("constant", team(2, **{**asks, "escalate": stands_in})),
            stand=run("stand", team(2, debaters=stand, rounds=0)),
            budget=run("budget", team(budget={"model_calls": 2})),
            judgeless=run("judgeless", team(judge=failing_judge)),
            late=run("late", team(seconds=1.5, rounds=2)),
            stopped=stopped(bench, reached),
        )
    lone = done["lone"]
    assert found(lone) == (RunStatus.PARTIAL, "yes", 1, "agreement")
    assert any(line.startswith("c gave no vote in round 1") for line in lone.missing)
    assert lone.output["votes"][2] == {"debater": "c", "abstain": True, "failed": lone.output["votes"][2]["failed"]}
    assert found(done["quorum"])[3] is FailureKind.LIMIT_EXCEEDED
    assert found(done["broken"])[3] is FailureKind.AUTHENTICATION_FAILED
    assert found(done["abstained"])[3] is FailureKind.CONTRACT_VIOLATED
    assert found(done["apart"])[3] is FailureKind.LIMIT_EXCEEDED
    assert found(done["chosen"]) == (RunStatus.COMPLETE, "no", 0.5, "person")
    assert "Position: no" in done["chosen"].output["answer"]
    assert [said["debater"] for said in done["chosen"].output["minority"]] == ["a"]
    task = seen["chosen"]
    assert task.context == {"input": "yes"}, "the strongest position"
    assert task.reasons[:2] == ("a: yes (0.9): because of a", "b: no (0.5): because of b")
    assert found(done["approved"]) == (RunStatus.COMPLETE, "yes", 0.5, "person")
    assert found(done["rejected"])[3] is FailureKind.NOT_ALLOWED
    assert found(done["silent"]) == (RunStatus.COMPLETE, "no", 0, "person")
    assert seen["silent"].choices == (Choice.ANSWER, Choice.REJECT), "there is nothing to approve"
    of_those_who_cannot_agree(done)
    assert found(done["stand"]) == (RunStatus.PARTIAL, "yes", 0.5, "votes")
    assert found(done["budget"])[3] is FailureKind.LIMIT_EXCEEDED
    assert found(done["judgeless"])[0] is RunStatus.FAILED
    assert found(done["late"]) == (RunStatus.PARTIAL, "yes", 0.6667, "votes"), done["late"].failure
    assert "there was no time for round 2 of the debate" in done["late"].missing
    assert json.dumps(done["late"].output["rounds"]).count('"round"') == 1
    assert done["stopped"].status is RunStatus.FAILED


def of_those_who_cannot_agree(done: Mapping[str, RunResult]) -> None:
    assert found(done["apart_agreed"])[3] is FailureKind.LIMIT_EXCEEDED, "agreed, and too far apart all the same"
    assert done["mixed"].failure
    assert "a gave no vote (no key" in done["mixed"].failure.message
    assert "b abstained" in done["mixed"].failure.message
    assert found(done["kept"]) == (RunStatus.PARTIAL, "yes", 1, "agreement"), "who failed is asked again"
    assert found(done["constant"]) == (RunStatus.PARTIAL, "no", 0.5, "fallback")


def hanging(usual: Play, who: str, at: int, reached: asyncio.Event) -> Play:
    """The same, where one of them does not come to an end in one of the rounds."""
    count = iter(range(99))

    async def script(name: str, call: ProviderCall) -> ProviderAnswer:
        if name == who and next(count) + 1 == at:
            reached.set()
            await asyncio.sleep(60)
        answer = usual(name, call)
        assert isinstance(answer, ProviderAnswer)
        return answer

    return script


async def stopped(bench: Bench, reached: asyncio.Event) -> RunResult:
    """A run that is stopped while its debaters, workflows of their own, are at work."""
    handle = await bench.start(team(large=True), "[stopped] Is it so?")
    client, below = bench.deployment.client, f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
    while not reached.is_set() or (await client.count_workflows(below)).count < 2:
        await asyncio.sleep(0.02)
    await handle.cancel()
    result = await read_result(handle)
    while (await client.count_workflows(below)).count:
        await asyncio.sleep(0.02)
    return result
