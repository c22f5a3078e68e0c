"""One run on an S3 store, through real workers: records, threads, an input, large payloads, and its exported bundle."""

from pathlib import Path

import pytest

from activities.object_store import ObjectStore
from activities.providers.base import ModelProvider, ProviderAnswer, ProviderCall
from tests.conftest import new_run_id
from tests.support.namespaces import deployment_in, new_namespace
from tests.support.scripted import ScriptedProvider, calls, says
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.bundles import export_bundle, read_bundle, replay_bundle, write_bundle
from workers.pools import running_pools
from workers.registration import check_bond
from workers.runs import read_result, start_run
from workers.server import ServerInfo
from workers.settings import load_settings

GOAL = "ö" * 16_000
"""32 kB: over what stays in history."""


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "harbour.md").write_text("The harbour opens at six.\n")
    return folder


def script(call: ProviderCall, index: int) -> ProviderAnswer:
    del call
    return calls(("read_document", {"path": "harbour.md"})) if index == 0 else says("at six")


async def test_a_run_on_s3_from_its_upload_to_its_bundle(
    server: ServerInfo, s3: str, documents: Path, tmp_path: Path, effects: Path
) -> None:
    del effects
    settings = load_settings(home=tmp_path / "home", store=s3, log_level="error")
    deployment = await deployment_in(await new_namespace(server), server, settings)
    provider = ScriptedProvider(script)
    providers: dict[str, ModelProvider] = {"offline": provider}
    team = one_agent(tools=["read_document"])
    async with running_pools(deployment, ["workflows", "tools", "models-offline"], providers):
        order = RunOrder(goal=GOAL, run_id=new_run_id(), folder=documents)
        handle = await start_run(deployment.client, await admit(deployment, team, order))
        result = await read_result(handle)
        bundle = await export_bundle(deployment.client, ObjectStore(settings.store_address), handle.id)
    assert result.output == "at six", result.failure
    assert "opens at six" in str(provider.calls[1].messages)

    store = ObjectStore(s3)
    paths = [path async for path in store.list_paths(f"lineages/{handle.id}/")]
    kinds = {path.split("/")[2] for path in paths}
    assert {"blobs", "records", "payloads"} <= kinds
    assert (await check_bond(deployment.client, store)).store_id
    assert bundle.payloads
    assert set(bundle.payloads) <= set(paths)
    write_bundle(bundle, tmp_path / "bundle.json")
    elsewhere = load_settings(home=tmp_path / "elsewhere")
    await replay_bundle(read_bundle(tmp_path / "bundle.json"), elsewhere)
    assert not elsewhere.home.exists()
    assert await store.delete_lineage(handle.id) == len(paths)
    assert {path async for path in store.list_paths("")} == {"store.check", "store.id"}
