"""All executions of a run are found by its histories: nested ones, and those that continued as new."""

from pathlib import Path

from tests.conftest import Workers
from tests.support.scripted import calls, says
from tests.support.supervision import SUBTASKS, obedient, spacious, team
from tests.support.teams import one_agent
from workers.bundles import export_bundle, read_bundle, replay_bundle, write_bundle
from workers.executions import executions_of
from workers.runs import read_result
from workers.settings import load_settings


async def test_nested_workflows_are_part_of_the_run_and_of_its_bundle(workers: Workers, tmp_path: Path) -> None:
    async with workers(obedient) as bench:
        handle = await bench.start(spacious(team(subtasks=SUBTASKS)))
        await read_result(handle)
        client, store = bench.deployment.client, bench.deployment.store
        found = await executions_of(client, handle.id)
        write_bundle(await export_bundle(client, store, handle.id), tmp_path / "bundle.json")
    assert [workflow_id for workflow_id, _ in found] == [handle.id, f"{handle.id}/supervisor/s1-1"]
    bundle = read_bundle(tmp_path / "bundle.json")
    assert {history.workflow_id for history in bundle.histories} == {workflow_id for workflow_id, _ in found}
    await replay_bundle(bundle, load_settings(home=tmp_path / "home"))


async def test_executions_that_continued_as_new_are_found_oldest_first(workers: Workers) -> None:
    async with workers(lambda _, index: calls(("add", {"a": index, "b": 1})) if index < 5 else says("done")) as bench:
        handle = await bench.start(one_agent(tools=["add"]), max_history_events=20)
        await read_result(handle)
        found = await executions_of(bench.deployment.client, handle.id)
        last = (await handle.describe()).run_id
    assert len(found) > 1
    assert found[-1] == (handle.id, last)
    assert len(set(found)) == len(found)
