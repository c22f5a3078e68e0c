"""The ready pipelines of ``scripts/teams`` on real input, with the offline model."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from activities.contracts.people import Choice, DecideRequest
from scripts.artifact_files import save_artifacts
from tests.conftest import new_run_id
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.inbox import decide, open_tasks
from workers.pools import running_pools
from workers.runs import RunHandle, read_result, start_run
from workers.team_file import load_team
from workflows.contracts import RunResult, RunStatus

TEAMS = Path(__file__).parents[2] / "scripts" / "teams"
HARBOUR = """# Harbour

A pilot is paid 40 crowns for each ship that is brought in. Salt pays no duty in this harbour.

Dredging cost 1,200 crowns in the year 1871.
"""

Start = Callable[[str, str], Awaitable[RunHandle]]


@asynccontextmanager
async def offline(deployment: Deployment, tmp_path: Path) -> AsyncIterator[Start]:
    """Workers with the offline model, and a function that starts a ready team on a question."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "harbour.md").write_text(HARBOUR)

    async def start(team: str, question: str) -> RunHandle:
        order = RunOrder(goal=question, run_id=new_run_id(), folder=folder)
        return await start_run(deployment.client, await admit(deployment, load_team(TEAMS / f"{team}.yaml"), order))

    async with running_pools(deployment, ["workflows", "tools", "models-offline"]):
        yield start


async def files_of(deployment: Deployment, handle: RunHandle, result: RunResult, tmp_path: Path) -> dict[str, str]:
    files, problems = await save_artifacts(deployment.store, handle.id, result.artifacts, tmp_path / handle.id)
    assert problems == []
    return {Path(file).name: Path(file).read_text() for file in files}


async def test_a_summary_says_what_stands_in_the_documents_and_what_is_open(
    deployment: Deployment, tmp_path: Path
) -> None:
    async with offline(deployment, tmp_path) as start:
        handle = await start("summary", "What is a pilot paid, and who keeps the lighthouse?")
        result = await read_result(handle)
        files = await files_of(deployment, handle, result, tmp_path)
    assert result.status is RunStatus.COMPLETE, result.failure
    assert [commit.key for commit in result.state] == ["findings", "draft", "verify"]
    output = result.output
    assert isinstance(output, dict)
    brief = output["output"]
    assert isinstance(brief, dict)
    assert brief["claims"] == [
        {
            "claim": "A pilot is paid 40 crowns for each ship that is brought in.",
            "quote": "A pilot is paid 40 crowns for each ship that is brought in.",
            "source": "harbour.md:3",
        }
    ]
    assert brief["unanswered"] == ["who keeps the lighthouse?"]
    assert "harbour.md:3" in files["brief.md"]


async def test_a_summary_of_nothing_says_so(deployment: Deployment, tmp_path: Path) -> None:
    async with offline(deployment, tmp_path) as start:
        result = await read_result(await start("summary", "Who keeps the lighthouse?"))
    assert isinstance(result.output, dict)
    brief = result.output["output"]
    assert isinstance(brief, dict)
    assert brief["answer"] == "not in these documents"


async def test_a_reply_is_saved_when_a_person_has_edited_it(deployment: Deployment, tmp_path: Path) -> None:
    async with offline(deployment, tmp_path) as start:
        handle = await start("reply", "What is a pilot paid?")
        request = DecideRequest(by="ada", choice=Choice.EDIT, answer="Dear pilot, it is 40 crowns a ship.")
        await decide(deployment.client, await task_of(deployment, handle), request)
        result = await read_result(handle)
        files = await files_of(deployment, handle, result, tmp_path)
    assert result.status is RunStatus.COMPLETE, result.failure
    assert "harbour.md:3" in str(result.state[0].value), "what the person was shown"
    assert files == {"reply.txt": "Dear pilot, it is 40 crowns a ship."}


async def test_a_reply_that_a_person_rejects_is_not_saved(deployment: Deployment, tmp_path: Path) -> None:
    async with offline(deployment, tmp_path) as start:
        handle = await start("reply", "What is a pilot paid?")
        request = DecideRequest(by="ada", choice=Choice.REJECT, reason="too short")
        await decide(deployment.client, await task_of(deployment, handle), request)
        result = await read_result(handle)
    assert result.status is RunStatus.FAILED
    assert result.failure
    assert "too short" in result.failure.message
    assert result.artifacts == ()


async def task_of(deployment: Deployment, handle: RunHandle) -> str:
    """The run's human task, when it is open."""
    for _ in range(400):
        inbox = await open_tasks(deployment.client, asyncio.get_running_loop().time())
        for task in inbox.tasks:
            if task.task_id.startswith(handle.id):
                return task.task_id
        await asyncio.sleep(0.05)
    raise AssertionError("nobody was asked")
