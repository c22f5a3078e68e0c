"""``ostinato gc``: what may go goes with all that is kept of it, and whatever somebody could still need stays."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import StorageDriverStoreContext

from activities.object_store import ObjectStore, StoredObject
from scripts.commands.gc import sweep
from scripts.results import result_folder
from scripts.session import Session
from scripts.terminal import Output
from tests.conftest import new_run_id
from tests.scripts.support import Cli
from tests.support.namespaces import deployment_in, new_namespace
from tests.support.scripted import ScriptedProvider, says
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.external_storage import ObjectStorageDriver
from workers.pools import running_pools
from workers.retention import Verdict, cutoff_of, examine, survey
from workers.runs import read_result, start_run
from workers.server import ServerInfo
from workers.settings import load_settings

DAY = 86_400.0
FOREIGN = "other-" + "0" * 40
NOBODY = "nobody-polls-here"


@dataclass
class Site:
    """A deployment with a namespace, a store and saved results of its own, and a user's commands on it."""

    deployment: Deployment
    server: ServerInfo
    cli: Cli

    @property
    def session(self) -> Session:
        return Session(self.deployment, self.server)

    def folder(self, scope_id: str) -> Path:
        return self.cli.home / "store" / "lineages" / scope_id

    async def lineage(self, scope_id: str, *ages_in_days: float) -> None:
        """Objects of these ages."""
        for index, age in enumerate(ages_in_days):
            digest = await self.deployment.store.put(scope_id, f"{scope_id} {index}".encode())
            self.age(self.folder(scope_id) / "blobs" / digest, age)

    def saved(self, run_id: str, age_in_days: float) -> Path:
        folder = result_folder(self.deployment.settings, run_id)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text("{}")
        self.age(folder, age_in_days)
        return folder

    def age(self, path: Path, days: float) -> None:
        then = time.time() - days * DAY
        for each in (*path.rglob("*"), path):
            os.utime(each, (then, then))

    async def gc(self, *options: str) -> dict[str, object]:
        ended = await asyncio.to_thread(self.cli.run, "gc", "--json", *options)
        assert ended.code == 0, ended.err
        return {**ended.json(), "said": ended.err}

    async def exists(self, scope_id: str) -> bool:
        return bool([path async for path in self.deployment.store.list_paths(f"lineages/{scope_id}/")])


@pytest.fixture(scope="module")
async def site(server: ServerInfo, new_user: Callable[[], Cli], effects: Path) -> AsyncIterator[Site]:
    del effects
    cli, namespace = new_user(), await new_namespace(server, timedelta(days=1))
    cli.extra |= {"TEMPORAL_ADDRESS": server.address, "TEMPORAL_NAMESPACE": namespace}
    settings = load_settings(home=cli.home, log_level="error")
    deployment = await deployment_in(namespace, server, settings)
    answers = {"offline": ScriptedProvider(lambda call, index: says("done"))}  # noqa: ARG005 -- a script's shape
    async with running_pools(deployment, ["workflows", "tools", "models-offline"], answers):
        yield Site(deployment, server, cli)


async def ended_run(site: Site) -> str:
    """A run that has ended, with a child that has."""
    order = RunOrder(goal="Do it.", run_id=new_run_id())
    handle = await start_run(site.deployment.client, await admit(site.deployment, one_agent(), order))
    await read_result(handle)
    child = await site.deployment.client.start_workflow("any", id=f"{handle.id}/child", task_queue=NOBODY)
    await child.terminate()
    await listed(site, f"WorkflowId = '{child.id}' AND ExecutionStatus = 'Terminated'")
    return handle.id


async def listed(site: Site, query: str) -> None:
    """Wait until the server's list has something: it follows with a delay."""
    async with asyncio.timeout(20):
        while not [run async for run in site.deployment.client.list_workflows(query)]:
            await asyncio.sleep(0.05)


async def test_only_what_is_old_and_in_nobodys_use_goes(site: Site) -> None:
    ended = await ended_run(site)
    site.age(site.folder(ended), 40)
    waiting = await site.deployment.client.start_workflow("any", id="waiting", task_queue=NOBODY)
    orphan = await site.deployment.client.start_workflow("any", id="parentless/child", task_queue=NOBODY)
    await listed(site, f"WorkflowId = '{orphan.id}'")
    gone = ("gone", "gone.a")
    kept = (ended, "waiting", "parentless", "mixed", "gone-2", FOREIGN, "unknown")
    for scope_id in ("gone", "gone.a", "waiting", "parentless", FOREIGN, "unknown"):
        await site.lineage(scope_id, 40, 50)
    await site.lineage("mixed", 40, 0)
    await site.lineage("gone-2", 29)
    with_result, only_result = site.saved("gone", 39), site.saved("result-only", 39)
    young_result = site.saved("young-result", 1)
    await site.lineage("young-result", 40)

    planned = await site.gc("--dry-run")
    assert all([await site.exists(scope_id) for scope_id in (*gone, *kept)])
    assert only_result.exists()
    done = await site.gc()
    assert {**planned, "dry_run": False} == done
    assert {str(row["lineage"]) for row in done["deleted"]} == {*gone, "result-only"}  # type: ignore[attr-defined]  # JSON
    assert (done["lineages"], done["objects"], done["bytes"]) == (3, 4, 2 * len("gone 0") + 2 * len("gone.a 0"))
    assert done["kept"] == {"open": 2, "young": 4, "foreign": 2}
    assert not any([await site.exists(scope_id) for scope_id in gone])
    assert not site.folder("gone").exists()  # nor does an empty folder stay
    assert all([await site.exists(scope_id) for scope_id in (*kept, "young-result")])
    assert not with_result.exists()
    assert not only_result.exists()
    assert young_result.exists()

    again = await site.gc()
    assert (again["lineages"], again["kept"]) == (0, done["kept"])
    for handle in (waiting, orphan):
        await handle.terminate()


async def test_what_the_namespace_still_shows_is_kept_however_short_the_age(site: Site) -> None:
    await site.lineage("half-a-day", 0.5)
    await site.lineage("two-days", 2)
    done = await site.gc("--older-than", "1h")
    assert done["retention_days"] == 1
    assert "shows histories for 1 day" in str(done["said"])
    assert await site.exists("half-a-day")
    assert not await site.exists("two-days")


async def test_a_run_past_its_retention_goes_with_its_children_and_its_result(site: Site) -> None:
    run_id = await ended_run(site)
    saved = site.saved(run_id, 0)
    (lineage,) = [lineage for lineage in await survey(site.deployment.store) if lineage.scope_id == run_id]
    later = cutoff_of(timedelta(days=30), datetime.now(UTC) + timedelta(days=31))
    finding = await examine(site.deployment.client, site.deployment.store, lineage, later)
    assert finding.verdict is Verdict.CLOSED
    assert {workflow_id for workflow_id, _ in finding.executions} == {run_id, f"{run_id}/child"}
    assert len(finding.paths) == lineage.objects > 0
    for dry_run in (True, False, False):  # the second time the server is still at deleting the histories
        assert saved.exists() is await site.exists(run_id)
        tally = await sweep(site.session, [lineage], later, Output(as_json=True), dry_run=dry_run)
        assert tally.verdicts == {"closed": 1}
        assert saved.exists() is dry_run
        assert await site.exists(run_id) is dry_run


async def test_a_run_that_starts_after_the_survey_loses_nothing(site: Site) -> None:
    store, client = site.deployment.store, site.deployment.client
    for scope_id in ("uploading", "starting"):
        await site.lineage(scope_id, 40)
    surveyed = {lineage.scope_id: lineage for lineage in await survey(store)}
    cutoff = cutoff_of(timedelta(days=30))
    # Its client has begun to upload: the very blob that is there already, so that nothing is new but its age.
    await store.put("uploading", b"uploading 0")
    assert (await examine(client, store, surveyed["uploading"], cutoff)).verdict is Verdict.YOUNG
    # It runs already, and the server's list may not have it yet.
    started = await client.start_workflow("any", id="starting", task_queue=NOBODY)
    assert (await examine(client, store, surveyed["starting"], cutoff)).verdict is Verdict.OPEN
    await started.terminate()

    class StartsARun(ObjectStore):
        """While it is listed, a run starts: after the server was asked for its list, and with nothing new uploaded."""

        async def list_objects(self, prefix: str) -> AsyncIterator[StoredObject]:
            await client.start_workflow("any", id="between", task_queue=NOBODY)
            async for item in super().list_objects(prefix):
                yield item

    await site.lineage("between", 40)
    (between,) = [lineage for lineage in await survey(store) if lineage.scope_id == "between"]
    assert (await examine(client, StartsARun(store.address), between, cutoff)).verdict is Verdict.OPEN
    await client.get_workflow_handle("between").terminate()


async def test_a_large_payload_that_is_used_again_becomes_young(site: Site) -> None:
    store = ObjectStore(site.deployment.settings.store_address)
    driver, context = ObjectStorageDriver(store), StorageDriverStoreContext(target=None)
    (claim,) = await driver.store(context, [Payload(data=b"large")])
    path = site.cli.home / "store" / claim.claim_data["path"]
    for age, rewritten in ((0.01, False), (40, True)):
        site.age(path, age)
        before = await store.modified(claim.claim_data["path"])
        assert await driver.store(context, [Payload(data=b"large")]) == [claim]
        after = await store.modified(claim.claim_data["path"])
        assert before
        assert after
        assert (after > before) is rewritten
    path.unlink()


async def test_nothing_goes_where_the_server_is_not_the_stores(site: Site, server: ServerInfo) -> None:
    await site.lineage("precious", 400)
    other = Cli(site.cli.folder, {**site.cli.extra, "TEMPORAL_NAMESPACE": await new_namespace(server)})
    for store in ("", (site.cli.folder / "unbound").as_uri()):
        ended = await asyncio.to_thread(Cli(other.folder, {**other.extra, "OSTINATO_STORE": store}).run, "gc")
        assert ended.code == 2, ended.out
        assert "fix:" in ended.err
    assert await site.exists("precious")


def test_an_age_that_is_none_is_said(site: Site) -> None:
    for age in ("thirty", "999999d"):
        ended = site.cli.run("gc", f"--older-than={age}")
        assert (ended.code, "--older-than 45d" in ended.err) == (2, True), ended.err
