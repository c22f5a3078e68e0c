"""Plans that an agent makes: admitted like a team's own, sent back, or failed with a name."""

import json
from typing import Any

from activities.contracts.failures import FailureKind
from tests.conftest import Bench, Workers
from tests.support.cases import Cases, all_of
from tests.support.plans import BOSS, PERSON, doing, failed_of, run_asked, task, team
from workflows.contracts import RunResult, RunStatus
from workflows.rewinds import Rewind
from workflows.teams.tree import TeamSpec


async def test_a_planners_graph_is_admitted_like_a_teams_own_or_sent_back(workers: Workers) -> None:
    def good(case: str) -> list[dict[str, Any]]:
        return [task(case, "a"), task(case, "b", "a", executor="write")]

    def cyclic(case: str) -> list[dict[str, Any]]:
        return [task(case, "a", "b"), task(case, "b", "a"), task(case, "c", "nowhere", executor="write")]

    many = [task("gigantic", f"t{i}") for i in range(1000)]
    bad = {
        "cyclic": cyclic("cyclic"),
        "gigantic": many,
        "empty": [],
        "malformed": "{",
        "wrong": [{"task_id": "a b", "executor": "nobody"}],
    }
    cases = Cases(
        {
            "good": doing(plans=(good("good"),)),
            "mended": doing(plans=(cyclic("mended"), good("mended"))),
            "outputs": doing(plans=(good("outputs"), [*good("outputs"), task("outputs", "report", "b")])),
            "constant": doing(plans=(cyclic("constant"),) * 9),
            "person": doing(plans=(cyclic("person"),) * 9),
            "broke": doing(plans=(good("broke"),)),
            "late": doing(plans=(good("late"),)),
            "set": doing(plans=(good("set"),)),
            **{case: doing(plans=(made,) * 20) for case, made in bad.items()},
        }
    )
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, answer: Any = None) -> RunResult:
            return await run_asked(bench, case, spec, answer)

        constant = {"kind": "constant", "value": {"tasks": good("constant")}}
        by_call = {
            "kind": "call",
            "name": "make",
            "tool": "strict_gate",
            "arguments": {"draft": "$problems", "final": True},
        }
        done = await all_of(
            good=run("good", team()),
            mended=run("mended", team()),
            outputs=run("outputs", team(outputs=["report"])),
            constant=run("constant", team(planner={**BOSS, "fallback": constant})),
            person=run("person", team(escalate=PERSON), {"tasks": [{k: v for k, v in t.items() if v != []} for t in good("person")]}),
            tool=run("tool", team(planner=by_call, replans=2)),
            broke=run("broke", team(budget={"model_calls": 2, "on_breach": "partial"})),
            late=run("late", team(seconds=0.01)),
            set=planned_otherwise(bench, "set", cyclic("set")),
            **{case: run(case, team()) for case in bad},
        )  # fmt: skip
    assert (done["good"].status, done["good"].output) == (RunStatus.COMPLETE, {"b": "writer did b"})
    assert [commit.key for commit in done["good"].state] == ["planner", "a", "b"]
    (asked,) = cases.of("good", "boss")
    assert "- find: Finds." in asked.messages[0].text
    assert "success" not in json.dumps(asked.output_schema), "there is nobody who judges it"

    mended = done["mended"]
    assert (mended.status, mended.output) == (RunStatus.COMPLETE, {"b": "writer did b"})
    _, again = cases.of("mended", "boss")
    assert len(again.messages) == 3, "on its own conversation"
    assert "- tasks wait for each other in a circle: a -> b -> a (take one" in again.messages[-1].text
    assert "- the task 'c' waits for 'nowhere', which is no task" in again.messages[-1].text
    assert [commit.key for commit in mended.state] == ["planner", "a", "b"], "only the graph that holds"
    assert "the output 'report' is no task" in cases.of("outputs", "boss")[1].messages[-1].text
    assert done["outputs"].output == {"report": "finder did report"}
    assert (done["constant"].status, done["constant"].output) == (RunStatus.PARTIAL, {"b": "writer did b"})
    assert (done["person"].status, done["person"].output) == (RunStatus.COMPLETE, {"b": "writer did b"})
    assert failed_of(done["tool"]) is FailureKind.CONTRACT_VIOLATED
    for case in bad:
        result = done[case]
        assert failed_of(result) is FailureKind.CONTRACT_VIOLATED, case
        assert result.failure.fix, case
        assert {name for name, _ in cases.calls[case]} == {"boss"}, "no task was begun"
        assert len(cases.calls[case]) <= 2 * 4, case
    assert (done["broke"].status, done["broke"].output) == (RunStatus.PARTIAL, {"a": "finder did a"})
    assert failed_of(done["late"]) is FailureKind.DEADLINE_EXCEEDED
    assert failed_of(done["set"]) is FailureKind.CONTRACT_VIOLATED, "what a rewind or a fork set counts, and is checked"
    assert {name for name, _ in cases.calls["set"]} == {"boss"}


async def planned_otherwise(bench: Bench, case: str, tasks: list[dict[str, Any]]) -> RunResult:
    """A fork in which another graph is put in place of the planner's."""
    run = await bench.admit(team(seconds=5), f"[{case}] The goal.")
    rewind = Rewind(kind="fork", run_id="none", number=1, values={"work/planner": {"tasks": tasks}})
    return await bench.finish(run.model_copy(update={"rewind": rewind}))
