"""The ready network of ``scripts/teams`` on real input, with the offline model."""

from pathlib import Path

from activities.contracts.events import EventOutcome
from tests.conftest import new_run_id
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.team_file import load_team
from workflows.contracts import RunStatus

TEAM = Path(__file__).parents[2] / "scripts" / "teams" / "newsroom.yaml"
HARBOUR = """# Harbour

A pilot is paid 40 crowns for each ship that is brought in. Salt pays no duty in this harbour.

Dredging cost 1,200 crowns in the year 1871.
"""
LIGHT = """# The lighthouse

The lighthouse was lit for the first time in 1843. The keeper has two assistants.
"""
GOAL = "What is a pilot paid, what did dredging cost, and how many assistants has the keeper?"


async def test_parts_of_a_question_are_shared_and_facts_are_looked_up_again(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "harbour.md").write_text(HARBOUR)
    (tmp_path / "light.md").write_text(LIGHT)
    order = RunOrder(goal=GOAL, run_id=new_run_id(), folder=tmp_path)
    nothing = RunOrder(goal="Who keeps the bees?", run_id=new_run_id(), folder=tmp_path)
    async with running_pools(deployment, ["workflows", "tools", "models-offline"]):
        handles = [
            await start_run(deployment.client, await admit(deployment, load_team(TEAM), one))
            for one in (order, nothing)
        ]
        result, empty = [await read_result(handle) for handle in handles]
    assert (result.status, result.failure) == (RunStatus.COMPLETE, None)
    assert isinstance(result.output, str)
    assert result.output.split("\n\n") == [
        '"A pilot is paid 40 crowns for each ship that is brought in." (harbour.md:3)',
        '"Dredging cost 1,200 crowns in the year 1871." (harbour.md:5)',
        '"The keeper has two assistants." (light.md:3)',
    ]
    sent = [(report.event_type, report.outcome) for report in result.events]
    assert sent.count(("fact.checked", EventOutcome.UNDELIVERED)) == 3
    shared = [report.handled_by for report in result.events if report.event_type == "question.asked"]
    assert sorted(shared) == [("anna",), ("anna",), ("ben",)]
    assert empty.status is RunStatus.COMPLETE
    assert [report.event_type for report in empty.events][-1] == "fact.missing"
    assert '"' not in str(empty.output), "nothing is quoted that is not there"
