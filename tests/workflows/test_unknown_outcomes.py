"""A part of which nobody knows what it has done: no pattern makes it again, or goes on as if nothing were."""

from pathlib import Path
from typing import Any

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest, HumanDecision
from tests.conftest import Workers
from tests.support.cases import Cases, agents, all_of
from tests.support.people import until_asked
from tests.support.scripted import says_json
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

SEND = {"kind": "call", "name": "send", "tool": "send_slowly", "arguments": {}}
ADD = {"kind": "call", "name": "adding", "tool": "add", "arguments": {"a": 1, "b": 2}}
VOTE = {"position": "yes", "confidence": 1, "reasons": []}
PATTERNS: dict[str, dict[str, Any]] = {
    "debate": {"kind": "debate", "rounds": 0, "debaters": {"a": {"kind": "agent", "agent": "a"}, "send": SEND}},
    "fan_out": {"kind": "fan_out", "branches": {"one": ADD, "two": SEND}},
    "plan": {
        "kind": "plan",
        "executors": {"send": {"description": "s", "node": SEND}, "add": {"description": "a", "node": ADD}},
        "tasks": [
            {"task_id": "sent", "task": "Send.", "executor": "send", "fallback": "add"},
            {"task_id": "added", "task": "Add.", "executor": "add", "after": ["sent"], "without": "run"},
        ],
    },
    "supervisor": {
        "kind": "supervisor",
        "workers": {"send": {"node": SEND, "attempts": 2}, "add": {"node": ADD}},
        "subtasks": [{"type": "send", "task": "Send."}, {"type": "add", "task": "Add."}],
    },
    "pipeline": {"kind": "pipeline", "stages": [{**SEND, "critical": False, "fallback": {"kind": "skip"}}, ADD]},
}


def team(root: dict[str, Any], **more: Any) -> TeamSpec:
    known = agents("a") if root["kind"] == "debate" else {}
    return TeamSpec.model_validate({"team": "t", "agents": known, "root": {**root, **more}}, extra="forbid")


async def test_no_pattern_goes_on_without_somebody_who_has_looked(workers: Workers, effects: Path) -> None:
    before = effects.read_text().count("send_slowly")
    cases = Cases({"case": lambda *_: says_json(VOTE)})
    async with workers(cases) as bench:

        async def run(root: dict[str, Any], **more: Any) -> RunResult:
            return await read_result(await bench.start(team(root, **more), "[case] Do it."))

        async def asked() -> RunResult:
            chief = {"kind": "person", "name": "chief", "asking": {"people": ["nora"], "seconds": 60}}
            handle = await bench.start(team(PATTERNS["debate"], escalate=chief), "[case] Do it.")
            (task,) = await until_asked(bench.deployment.client, handle.id)
            assert any("send_slowly" in reason for reason in task.reasons)
            update = bench.deployment.client.get_workflow_handle(task.task_id)
            decision = DecideRequest(by="nora", choice=Choice.ANSWER, answer=VOTE)
            await update.execute_update("decide", decision, result_type=HumanDecision)
            return await read_result(handle)

        done = await all_of(**{name: run(root) for name, root in PATTERNS.items()}, asked=asked())
    looked = done.pop("asked")
    assert (looked.status, looked.output["position"], len(looked.output["votes"])) == (RunStatus.COMPLETE, "yes", 2)
    for name, result in done.items():
        assert result.failure, name
        assert result.failure.kind is FailureKind.OUTCOME_UNKNOWN, name
    assert effects.read_text().count("send_slowly") - before == len(PATTERNS) + 1, "called once each"
