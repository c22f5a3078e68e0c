"""``resume``, ``checkpoints``, ``rewind``, ``fork`` and what is left of their runs, as their users see them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from scripts.commands.delete import ended_executions
from scripts.results import result_folder
from scripts.session import Session
from tests.scripts.support import Cli, Ended
from tests.support.namespaces import deployment_in, new_namespace
from tests.support.scripted import ScriptedProvider, says
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.retention import Verdict, cutoff_of, examine, survey
from workers.server import ServerInfo
from workers.settings import load_settings

TEAM = """team: way
root:
  kind: pipeline
  name: flow
  stages:
    - {kind: call, name: first, tool: echo, arguments: {text: $goal}}
    - {kind: call, name: mail, tool: send_mail, arguments: {to: $input}}
    - {kind: call, name: last, tool: moody, arguments: {what: $input}}
"""


@dataclass
class Site:
    """A user's commands, and the workers that serve them."""

    deployment: Deployment
    server: ServerInfo
    cli: Cli
    effects: Path

    async def do(self, *arguments: str) -> Ended:
        return await asyncio.to_thread(self.cli.run, *arguments)

    def mails_to(self, whom: str) -> int:
        return sum(line.endswith(f" {whom}") for line in self.effects.read_text().splitlines())


@pytest.fixture
async def site(server: ServerInfo, new_user: Callable[[], Cli], effects: Path) -> AsyncIterator[Site]:
    effects.write_text("")  # tests before this one in the same process share the file
    cli, namespace = new_user(), await new_namespace(server, timedelta(days=1))
    cli.extra |= {
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": namespace,
        "OSTINATO_TOOL_MODULES": "tests.support.tools",
    }
    (cli.folder / "way.yaml").write_text(TEAM)
    settings = load_settings(home=cli.home, tool_modules=("tests.support.tools",), log_level="error")
    deployment = await deployment_in(namespace, server, settings)
    provider = {"offline": ScriptedProvider(lambda call, index: says("done"))}  # noqa: ARG005 -- a script's shape
    async with running_pools(deployment, ["workflows", "tools", "models-offline"], provider):
        yield Site(deployment, server, cli, effects)


async def test_one_way_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "bad")
    failed = await site.do("run", "way.yaml", "--goal", "ann", "--id", "w")
    assert failed.code == 1, failed.err
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "good")
    resumed = await site.do("resume", "w", "--json")
    assert (resumed.code, resumed.json()["output"]) == (0, "good: sent to ann"), resumed.err
    assert site.mails_to("ann") == 1
    complete = await site.do("resume", "w")
    assert complete.code == 2
    assert "fix: ostinato rewind w --to CHECKPOINT" in complete.err

    listed = (await site.do("checkpoints", "w", "--json")).json()
    rows = [(row["checkpoint"], row["key"], row["step"]) for row in listed["checkpoints"]]
    assert rows == [
        ("0", None, None),
        ("1", "first", "flow/first"),
        ("2", "mail", "flow/mail"),
        ("3", "last", "flow/last"),
    ]
    assert [(effect["tool"], effect["outcome"], effect["repeated"]) for effect in listed["effects"]] == [
        ("send_mail", "done", True)
    ]
    unsure = await site.do("rewind", "w", "--to", "first", "--set", "first=bob")
    assert unsure.code == 2
    line = "effect send_mail in flow/mail t1 (once, in an earlier run of the lineage): done; called with"
    assert f'{line} {{"to": "ann"}}; answered sent to ann; at 20' in unsure.out
    assert f"; request id {listed['effects'][0]['request_id']}" in unsure.out
    assert "fix: look at them, and then run `ostinato rewind w --to first --set first=bob --yes`" in unsure.err
    assert site.mails_to("bob") == 0
    rewound = await site.do("rewind", "w", "--to", "first", "--set", "first=bob", "--yes", "--json")
    assert (rewound.code, rewound.json()["output"]) == (0, "good: sent to bob"), rewound.err

    told = await site.do("show", "w")
    assert "rewound from w at 1 (execution " in told.out
    assert "), set flow/first" in told.out
    assert ", set anew (--set)" in (await site.do("show", "w", "--state")).out
    nobody = await site.do("show", "no-such-run-of-any-name")
    assert "fix: the newest are: w\n" in nobody.err, "each run once"

    wrong = await site.do("fork", "w", "--from", "frist", "--json")
    assert (wrong.code, wrong.json()["fix"]) == (2, "did you mean 'first'?")
    forked = await site.do("fork", "w", "--from", "1", "--set", "first=eve", "--id", "w-2", "--yes", "--json")
    assert (forked.code, forked.json()["run_id"], forked.json()["output"]) == (0, "w-2", "good: sent to eve"), (
        forked.err
    )
    assert [site.mails_to(whom) for whom in ("ann", "bob", "eve")] == [1, 1, 1]
    folder = result_folder(site.deployment.settings, "w-2")
    assert "sent to eve" in (folder / "answer.md").read_text()

    shown, of_fork = (await site.do("show", "w", "--json")).json(), (await site.do("show", "w-2", "--json")).json()
    assert [(row["kind"], row["workflow_id"]) for row in shown["lineage"]["descendants"]] == [
        ("resume", "w"),
        ("rewind", "w"),
        ("fork", "w-2"),
    ]
    origin = of_fork["lineage"]["from"]
    assert (origin["kind"], origin["run_id"], origin["checkpoint"], origin["set"]) == ("fork", "w", "1", ["flow/first"])
    assert (of_fork["lineage"]["scope"], of_fork["output"]) == ("w", "good: sent to eve")
    await _everything_goes_together(site)


async def _everything_goes_together(site: Site) -> None:
    store, client = site.deployment.store, site.deployment.client
    (lineage,) = [found for found in await survey(store) if found.scope_id == "w"]
    waiting = await client.start_workflow("any", id="w-3", task_queue="nobody-polls-here")
    note = b'{"number": 9, "workflow_id": "w-3", "kind": "fork", "from_run": "w"}'
    await store.create("lineages/w/runs/000009", note, scope_id="w")
    later = cutoff_of(timedelta(days=-1))
    assert (await examine(client, store, lineage, later)).verdict is Verdict.OPEN
    refused = await site.do("delete", "w-2")
    assert refused.code == 2
    assert "the run w-2 shares its records with w, w-3" in refused.err
    assert "fix: ostinato delete w-2 --lineage" in refused.err
    open_yet = await site.do("delete", "w-2", "--lineage")
    assert "the run w-3 has not ended" in open_yet.err
    await waiting.terminate()
    finding = await examine(client, store, lineage, later)
    assert finding.verdict is Verdict.CLOSED
    assert {workflow_id for workflow_id, _ in finding.executions} == {"w", "w-2", "w-3"}
    assert sum(workflow_id == "w" for workflow_id, _ in finding.executions) == 3
    session = Session(site.deployment, site.server)
    known = [*await ended_executions(session, "w"), *await ended_executions(session, "w-2")]
    assert set(known) == {execution for execution in finding.executions if execution[0] != "w-3"}
