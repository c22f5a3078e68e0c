"""The main job on a real server: ``scripts/teams/brief.yaml`` on folders, with the offline model and with one that lies."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from activities.providers.base import ModelProvider
from activities.providers.openai import OpenAIProvider
from scripts.artifact_files import save_artifacts
from tests.conftest import new_run_id
from tests.providers.fake_openai import FakeOpenAI, json_answer
from tests.providers.fake_server import Reply
from tests.tools.folder import HARBOUR, RULES
from tests.tools.pdf_files import ANNUAL, pdf_of
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.team_file import load_team
from workflows.contracts import RunResult, RunStatus

BRIEF = Path(__file__).resolve().parents[2] / "scripts" / "teams" / "brief.yaml"


@asynccontextmanager
async def briefs(
    deployment: Deployment, folder: Path, provider: ModelProvider | None = None
) -> AsyncIterator[Callable[[str], Any]]:
    """Workers of all pools in this process, and a function that runs the brief's team on a question."""
    name = provider.name if provider else "offline"
    providers: dict[str, ModelProvider] = {name: provider} if provider else {}

    async def run(question: str) -> tuple[RunResult, dict[str, str]]:
        order = RunOrder(goal=question, run_id=new_run_id(), folder=folder, provider=name)
        frozen = await admit(deployment, load_team(str(BRIEF)), order)
        result = await read_result(await start_run(deployment.client, frozen))
        saved = folder.parent / order.run_id
        files, problems = await save_artifacts(deployment.store, order.run_id, result.artifacts, saved)
        assert problems == []
        return result, {Path(file).name: Path(file).read_text() for file in files}

    async with running_pools(deployment, ["workflows", "tools", f"models-{name}"], providers):
        yield run


def documents(tmp_path: Path) -> Path:
    """A folder with text, a table, a PDF and something that cannot be read."""
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "log.md").write_text(HARBOUR)
    (folder / "rules.txt").write_bytes(RULES.encode())
    (folder / "dues.csv").write_text("ship,cargo,dues\nMargit,salt,0\nAurora,pepper,48\n")
    (folder / "report.pdf").write_bytes(pdf_of(ANNUAL))
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\x00\x01")
    return folder


def stands(folder: Path, quote: str, source: str) -> bool:
    """Whether a quotation begins on the line that its source names; of a PDF, whether these are a page's words."""
    path, _, place = source.rpartition(":")
    if place.startswith("p"):
        said = " ".join(" ".join(line) for line in ANNUAL[int(place[1:]) - 1 : int(place[1:]) + 1])
        return path == "report.pdf" and quote in said
    text = (folder / path).read_bytes().decode().replace("\r\n", "\n")
    lines = text.split("\n")[int(place) - 1 :]
    return quote in "\n".join(lines) and quote not in "\n".join(lines[1:])


async def test_every_quotation_of_a_brief_stands_in_the_documents(deployment: Deployment, tmp_path: Path) -> None:
    folder = documents(tmp_path)
    async with briefs(deployment, folder) as run:
        result, files = await run(
            "What is a pilot paid, what duty does salt pay, how much did dredging cost, and what are the dues of Aurora?"
        )
    output = result.output
    assert result.status is RunStatus.COMPLETE
    quotes = [claim["quote"] for claim in output["claims"]]
    for fact in ("12 shillings", "Salt pays no duty", "Dredging cost 1,310 crowns", "Aurora,pepper,48"):
        assert any(fact in quote for quote in quotes), fact
    assert all(stands(folder, claim["quote"], claim["source"]) for claim in output["claims"])
    assert output["counts"]["dropped"] == 0
    assert any("photo.jpg" in line for line in result.missing)
    assert {step.agent for step in result.steps} >= {f"brief/{name}@1" for name in ("supervisor", "researcher", "writer", "checker")}  # fmt: skip
    assert json.loads(files["brief.json"])["claims"] == output["claims"]
    assert "photo.jpg" in files["brief.md"]
    assert all(claim["source"] in files["brief.md"] for claim in output["claims"])


async def test_what_the_documents_do_not_answer_is_said_in_these_words(deployment: Deployment, tmp_path: Path) -> None:
    folder = documents(tmp_path)
    (folder / "photo.jpg").unlink()
    async with briefs(deployment, folder) as run:
        result, files = await run("How many passengers does the ferry to Bergen take?")
        half, _ = await run("Who rings the bell when the lamp goes out, and who is the queen of Norway?")
    assert result.status is RunStatus.COMPLETE
    assert (result.output["answer"], result.output["claims"]) == ("not in these documents", [])
    assert "not in these documents" in files["brief.md"]
    assert half.output["unanswered"] == ["who is the queen of Norway?"]
    assert "rings the bell" in half.output["claims"][0]["quote"]


TRUE = {
    "claim": "Pilots get 12 shillings.",
    "quote": "A pilot is paid 12 shillings for each ship.",
    "source": "log.md:8",
}
MOVED = {"claim": "Pilots rest after a storm.", "quote": "Pilots rest two days after a storm.", "source": "log.md:2"}
LIES = (
    {"claim": "Pilots are fined.", "quote": "A pilot who is late is fined a crown.", "source": "log.md:8"},
    {"claim": "Pilots get 13 shillings.", "quote": "A pilot is paid 13 shillings for each ship.", "source": "log.md:8"},
    {"claim": "Ships pay.", "quote": "Ships pay twelve crowns to the pilot.", "source": "tariff.md:3"},
    {"claim": "Half a word.", "quote": "ilot is paid 12 shillings for each ship.", "source": "log.md:8"},
)


class Liar:
    """Answers every agent by what it is told to be: all of them lie where the contract lets them."""

    def __init__(self) -> None:
        self.drafts = 0
        self.complaints: list[str] = []

    def __call__(self, request: dict[str, Any]) -> Reply:
        system, last = str(request["messages"][0]["content"]), str(request["messages"][-1]["content"])
        if "break a question" in system:
            subtasks = [] if "results so far" in last else [{"type": "research", "task": "What is a pilot paid?"}]
            return json_answer({"subtasks": subtasks})
        if "Answer your subtask" in system:
            return json_answer({"subtask_id": "s1-1", "found": True, "findings": [TRUE]})
        if "Write a brief" in system:
            self.drafts += 1
            self.complaints += [last] if "cannot be used" in last else []
            return json_answer({"found": True, "title": "Pilots", "claims": [*LIES, TRUE, MOVED], "unanswered": []})
        return json_answer({"verdicts": [{"claim": at, "supported": True, "reason": "yes"} for at in range(1, 7)]})


async def test_a_model_that_lies_gets_one_correction_and_its_lies_are_dropped(
    deployment: Deployment, tmp_path: Path
) -> None:
    folder, liar = documents(tmp_path), Liar()
    with FakeOpenAI(respond=liar) as server:
        async with briefs(deployment, folder, OpenAIProvider(SecretStr("key"), server.base_url)) as run:
            result, files = await run("What is a pilot paid?")
    output = result.output
    assert liar.drafts == 2
    assert all(f'claim {at} ("{lie["claim"]}")' in liar.complaints[0] for at, lie in enumerate(LIES, 1))
    assert [claim["quote"] for claim in output["claims"]] == [TRUE["quote"], MOVED["quote"]]
    assert all(stands(folder, claim["quote"], claim["source"]) for claim in output["claims"])
    assert output["counts"] == {"claims": 6, "verified": 2, "corrected": 1, "dropped": 4}
    assert [dropped["claim"] for dropped in output["dropped"]] == [lie["claim"] for lie in LIES]
    kept, _, dropped_part = files["brief.md"].partition("## Dropped")
    assert not any(lie["claim"] in kept for lie in LIES)
    assert all(lie["claim"] in dropped_part for lie in LIES)
    assert files["brief.md"].startswith("# What is a pilot paid?\n\n"), "the model's own title is not used"
