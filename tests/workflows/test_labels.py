"""The ready team ``labels`` on its sample, with the offline model: every line gets a label, and the table says which."""

import csv
import io
from pathlib import Path

from tests.conftest import new_run_id
from tests.workflows.test_ready_pipelines import TEAMS, files_of
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.team_file import load_team
from workflows.contracts import RunStatus

FEEDBACK = TEAMS / "samples" / "feedback"


async def test_every_line_gets_a_label_and_the_table_says_which(deployment: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "october.csv").write_text((FEEDBACK / "october.csv").read_text())
    (folder / "notes.md").write_text("# Notes\n\n- My order is missing and nobody answers.\n- =1+1 is no question\n")
    order = RunOrder(goal="What do customers want?", run_id=new_run_id(), folder=folder)
    async with running_pools(deployment, ["workflows", "tools", "models-offline"]):
        handle = await start_run(deployment.client, await admit(deployment, load_team(TEAMS / "labels.yaml"), order))
        result = await read_result(handle)
        files = await files_of(deployment, handle, result, tmp_path)
    assert result.status is RunStatus.COMPLETE, (result.failure, result.missing)
    rows = list(csv.DictReader(io.StringIO(files["labels.csv"])))
    of = {row["source"]: row["label"] for row in rows}
    assert len(rows) == 12
    assert result.usage.model_calls == 1
    assert of["october.csv:2"] == of["october.csv:6"] == of["notes.md:3"] == "complaint"
    assert of["october.csv:3"] == of["october.csv:7"] == "question"
    assert of["october.csv:4"] == of["october.csv:9"] == "wish"
    assert of["october.csv:5"] == of["october.csv:8"] == "praise"
    assert of["october.csv:11"] == "other"
    assert [row["text"] for row in rows if row["source"] == "notes.md:4"] == ["'=1+1 is no question"]
    assert isinstance(result.output, dict)
    assert (result.output["lines"], result.output["unlabelled"]) == (12, [])
