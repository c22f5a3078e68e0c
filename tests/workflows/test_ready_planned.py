"""The ready teams ``desk`` (a router) and ``dossier`` (a plan) on real input, with the offline model."""

import asyncio
from pathlib import Path

from scripts.artifact_files import save_artifacts
from tests.conftest import new_run_id
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.team_file import load_team
from workflows.contracts import RunResult, RunStatus

TEAMS = Path(__file__).parents[2] / "scripts" / "teams"
HARBOUR = """# Harbour

A pilot is paid 40 crowns for each ship that is brought in. Salt pays no duty in this harbour.

Dredging cost 1,200 crowns in the year 1871.

A complaint about a pilot goes to the harbour master, who answers within three days.
"""


async def test_a_message_is_seen_to_by_one_and_a_question_of_parts_by_a_plan(
    deployment: Deployment, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "harbour.md").write_text(HARBOUR)

    async def run(team: str, goal: str) -> tuple[RunResult, dict[str, str]]:
        order = RunOrder(goal=goal, run_id=new_run_id(), folder=folder)
        handle = await start_run(deployment.client, await admit(deployment, load_team(TEAMS / f"{team}.yaml"), order))
        result = await read_result(handle)
        files, problems = await save_artifacts(deployment.store, handle.id, result.artifacts, tmp_path / handle.id)
        assert problems == []
        return result, {Path(file).name: Path(file).read_text() for file in files}

    async with running_pools(deployment, ["workflows", "tools", "models-offline"]):
        (question, _), (complaint, letter), (broken, _), (wish, note), (whole, _) = await asyncio.gather(
            run("desk", "What is a pilot paid?"),
            run("desk", "Who answers my complaint about a pilot? I want my money back!"),
            run("desk", "The pilot came late and something is wrong with the bill."),
            run("desk", "I wish there were a lamp on the pier."),
            run("dossier", "What is a pilot paid, and what did dredging cost?"),
        )
    assert question.status is RunStatus.COMPLETE, question.failure
    assert question.log == ("desk goes to question: rule 2 holds",)
    assert "40 crowns" in str(question.output)
    assert "harbour.md:3" in str(question.output)
    assert complaint.log == ("desk goes to complaint: rule 1 holds",)
    assert "harbour master" in letter["reply.txt"]
    assert broken.log[0].startswith("desk goes to complaint: the classifier, confidence ")
    assert wish.log[0].startswith("desk goes to wish: the classifier, confidence ")
    assert note == {"wish.txt": "I wish there were a lamp on the pier."}

    assert whole.status is RunStatus.COMPLETE, whole.failure
    assert whole.log[0].startswith("the plan: ")
    assert len(whole.state) == 4, "the graph, a task for each part, and the one that comes after both"
    assert isinstance(whole.output, dict)
    (answer,) = whole.output.values()
    assert "40 crowns" in str(answer)
    assert "1,200 crowns" in str(answer)
    assert "harbour.md:5" in str(answer)
