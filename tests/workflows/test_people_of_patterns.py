"""People whom patterns ask for a part that failed: nobody waits who need not, and what comes after keeps its time."""

import asyncio
from typing import Any

from activities.contracts.people import Choice, DecideRequest, HumanDecision
from tests.conftest import Workers
from tests.support.cases import Cases, agents, all_of
from tests.support.people import until_asked
from tests.support.plans import PERSON, doing, task, team
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

EDITOR = {"kind": "agent", "agent": "editor"}


def branches() -> TeamSpec:
    node = {"kind": "agent", "agent": "finder"}
    calling = {"kind": "agent", "agent": "writer"}
    root = {
        "kind": "fan_out",
        "branches": {"a": node, "b": calling},
        "reducer": EDITOR,
        "escalate": PERSON,
        "seconds": 4,
    }
    whole = {"team": "t", "agents": agents("finder", "writer", "editor"), "root": root}
    return TeamSpec.model_validate(whole, extra="forbid")


async def test_a_task_that_waits_for_a_person_holds_nobody_up(workers: Workers) -> None:
    cases = Cases({"slot": doing("a"), "whole": doing("a"), "reduced": doing("a")})
    async with workers(cases) as bench:

        async def waits() -> RunResult:
            spec = team(*(task("slot", *names) for names in ("a", "b", "cb", "da")), max_parallel=1, escalate=PERSON)
            handle = await bench.start(spec, "[slot] The goal.")
            (asked,) = await until_asked(bench.deployment.client, handle.id)
            async with asyncio.timeout(15):
                while not any(" do c" in call.messages[-1].text for call in cases.of("slot", "finder")):
                    await asyncio.sleep(0.02)
            decision = DecideRequest(by="nora", choice=Choice.ANSWER, answer="nora did a")
            update = bench.deployment.client.get_workflow_handle(asked.task_id)
            await update.execute_update("decide", decision, result_type=HumanDecision)
            return await read_result(handle)

        async def run(case: str, spec: TeamSpec) -> RunResult:
            return await read_result(await bench.start(spec, f"[{case}] do a"))

        whole: dict[str, Any] = {"synthesis": EDITOR, "escalate": PERSON, "seconds": 4}
        done = await all_of(
            slot=waits(),
            whole=run("whole", team(task("whole", "a"), task("whole", "b"), **whole)),
            reduced=run("reduced", branches()),
        )
    assert (done["slot"].status, done["slot"].output) == (
        RunStatus.COMPLETE,
        {"c": "finder did c", "d": "finder did d"},
    ), done["slot"].failure
    for case in ("whole", "reduced"):
        result = done[case]
        assert result.status is RunStatus.PARTIAL, result.failure
        assert str(result.output).startswith("editor did"), "what comes after the person keeps its time"
        assert not any("no time" in line for line in result.missing)
