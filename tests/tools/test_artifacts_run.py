"""Files of a whole run: through the workflow into its result, and from there to the user's disk."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from activities.contracts.artifacts import ArtifactRef
from activities.object_store import digest_of
from scripts.results import save_result, saved_paths
from scripts.terminal import Output
from tests.conftest import Workers
from tests.support.scripted import calls, in_order, says
from tests.support.teams import one_agent, one_call
from workers.runs import read_result, start_run
from workflows.contracts import RunStatus


async def test_an_agent_hands_over_files(workers: Workers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = in_order(
        calls(("write_artifact", {"name": "brief.md", "text": "# Draft"})),
        calls(
            ("write_artifact", {"name": "brief.md", "text": "# Brief"}),
            ("write_artifact", {"name": "../brief.md", "text": "# Out"}),
            ("write_artifact", {"name": "data/answer.md", "text": "gone"}),
        ),
        says("See brief.md."),
    )
    async with workers(script) as bench:
        run = await bench.admit(one_agent(tools=["write_artifact"]))
        result = await read_result(await start_run(bench.deployment.client, run))
        assert result.status is RunStatus.COMPLETE
        assert {ref.name: ref.digest for ref in result.artifacts} == {
            "brief.md": digest_of(b"# Brief"),
            "data/answer.md": digest_of(b"gone"),
        }
        lost = ArtifactRef(name="lost.md", digest=digest_of(b"nobody stored this"), size_bytes=18)
        result = result.model_copy(update={"artifacts": (*result.artifacts, lost)})
        here = replace(bench.deployment, settings=bench.deployment.settings.model_copy(update={"home": tmp_path}))
        paths = await save_result(here, run, result, Output(as_json=True))
    folder = tmp_path / "runs" / run.scope_id
    names = ["result.json", "answer.md", "artifacts/brief.md", "artifacts/data/answer.md"]
    assert paths == [str(folder / name) for name in names] == saved_paths(here.settings, run.scope_id, result)
    assert (folder / "artifacts" / "brief.md").read_text() == "# Brief"
    assert "See brief.md." in (folder / "answer.md").read_text()
    assert json.loads((folder / "result.json").read_text())["artifacts"] == paths
    assert "'lost.md' is not saved" in capsys.readouterr().err


async def test_the_setting_reaches_the_tool(workers: Workers, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/page").respond_with_data("Hello.", content_type="text/plain")
    url = httpserver.url_for("/page")
    team = one_call("fetch_url", {"url": url})
    async with workers(in_order(), fetch_allowed_hosts=(f"localhost:{httpserver.port}",)) as bench:
        result = await bench.run(team)
        assert result.output == {"url": url, "status": 200, "type": "text/plain", "text": "Hello.", "cut": False}
    async with workers(in_order()) as bench:
        result = await bench.run(team)
        assert result.failure
        assert (result.failure.kind.value, "only 80 and 443" in result.failure.message) == ("tool_failed", True)
