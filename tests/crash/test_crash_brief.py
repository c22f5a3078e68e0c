"""The main job under SIGKILL: the brief, its files and its effects are the same, whenever a process dies."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.crash.sweep import Outcome, Sweep
from tests.providers.fake_openai import Reply, answer, json_answer
from workers.deployment import Deployment
from workers.server import ServerInfo
from workers.team_file import load_team
from workflows.contracts import RunStatus

TEAM = load_team("scripts/teams/brief.yaml")
DOCUMENT = "The pump starts at dawn.\nIt stops when the tank is full.\nNobody may open the valve by hand.\n"
TRUE = {"claim": "It starts at dawn.", "quote": "The pump starts at dawn.", "source": "pump.md:1"}
ALSO = {"claim": "It stops at a full tank.", "quote": "It stops when the tank is full.", "source": "pump.md:2"}
LIE = {"claim": "It runs at night.", "quote": "The pump runs at night too.", "source": "pump.md:3"}
ACTIVITIES = 18  # plan 3, two researchers 8, follow-up 1, and twice synthesis, review and gate
MODEL_CALLS = 11
AFTER = {f"after:{number}": f"after:{number}" for number in range(1, ACTIVITIES + 1)}
ANSWERED = {f"answered:{number}": f"answered:{number}" for number in range(1, MODEL_CALLS + 1)}


def model(body: dict[str, Any]) -> Reply:
    """All four agents; the writer lies once and, told so, once more."""
    messages = body["messages"]
    role = str(messages[0]["content"])
    asked = [str(message["content"]) for message in messages if message["role"] == "user"]
    searched = any(message["role"] == "tool" for message in messages)
    search = answer(None, (("search_documents", '{"query": "when does the pump start and stop"}', "c1"),))
    if "research subtasks" in role:
        if "results so far" in asked[-1]:
            return json_answer({"subtasks": []})
        tasks = [{"type": "research", "task": f"When does it {what}?"} for what in ("start", "stop")]
        return json_answer({"subtasks": tasks}) if searched else search
    if "Answer your subtask" in role:
        subtask_id = asked[0].split("This is subtask ")[1].split(" ")[0]
        found = TRUE if "start" in asked[0].split("\n")[0] else ALSO
        return json_answer({"subtask_id": subtask_id, "found": True, "findings": [found]}) if searched else search
    if "Write a brief" in role:
        claims = [TRUE, LIE, ALSO]
        return json_answer({"found": True, "title": "The pump", "claims": claims, "unanswered": []})
    return json_answer({"verdicts": [{"claim": 1, "supported": True, "reason": "it says so"}]})


@pytest.fixture
def sweep(deployment: Deployment, server: ServerInfo, tmp_path: Path) -> Sweep:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "pump.md").write_text(DOCUMENT)
    return Sweep(deployment, server, tmp_path, TEAM, model, documents)


async def check(outcome: Outcome, sweep: Sweep, *, lost: int, siblings: int) -> None:
    """What the world sees of the run."""
    result = outcome.result
    assert result.status is RunStatus.COMPLETE, result
    output: Any = result.output
    assert [claim["quote"] for claim in output["claims"]] == [TRUE["quote"], ALSO["quote"]]
    assert output["counts"]["dropped"] == 1
    assert sorted(artifact.name for artifact in result.artifacts) == ["brief.json", "brief.md"]
    files = {a.name: await sweep.deployment.store.get(outcome.run_id, a.digest) for a in result.artifacts}
    assert json.loads(files["brief.json"])["claims"] == output["claims"]
    assert LIE["quote"] not in files["brief.md"].decode().partition("ropped")[0]
    # Two researchers work side by side: a death may catch the other one between its answer and its record.
    assert MODEL_CALLS + lost <= outcome.requests <= MODEL_CALLS + lost + siblings, "a recorded call is made again"
    assert outcome.requests <= result.usage.model_calls <= MODEL_CALLS + 2 * siblings
    assert len(result.steps) == 10  # two plans, two researchers, and twice synthesis, review and gate


@pytest.mark.parametrize("points", [{"none": ""}, AFTER, ANSWERED], ids=["none", "after", "answered"])
async def test_a_killed_worker_changes_nothing_of_the_brief(sweep: Sweep, points: dict[str, str]) -> None:
    """One kill, at which each of several runs is at another of the brief's activities."""
    found = await sweep.all_at_once(points)
    for point, outcome in found.items():
        await check(outcome, sweep, lost=point.startswith("answered:"), siblings=point != "none")
    # Whoever is held is alone by then, but for the run that came last.
    made = sum(outcome.requests - point.startswith("answered:") for point, outcome in found.items())
    assert made - MODEL_CALLS * len(found) in {0, 1}, "a recorded call is made again"


@pytest.mark.parametrize("request_number", [1, 4, 8])
async def test_a_killed_server_changes_nothing_of_the_brief(sweep: Sweep, request_number: int) -> None:
    await check(await sweep.run("none", kill_server_at=request_number), sweep, lost=0, siblings=0)
