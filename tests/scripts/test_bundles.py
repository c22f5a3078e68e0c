"""Bundles and chains: a run that continued as new, with an input that is too large for history."""

import dataclasses
from pathlib import Path

import pytest
from temporalio.workflow import NondeterminismError

from activities.errors import BlobMissing, ConfigurationInvalid
from activities.object_store import ObjectStore
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import calls, says
from tests.support.teams import one_agent
from workers.bundles import Bundle, export_bundle, external_paths, read_bundle, replay_bundle, write_bundle
from workers.following import follow
from workers.runs import read_input, read_result, run_chain
from workers.settings import Settings

GOAL = "ä" * 16_000
"""32 kB: every execution's input lies in the object store."""
TURNS = 8


def count_up(call: ProviderCall, index: int) -> ProviderAnswer:
    del call
    return calls(("add", {"a": index, "b": 1})) if index < TURNS - 1 else says("counted")


async def test_a_chain_is_followed_exported_and_replayed_without_the_store(workers: Workers, tmp_path: Path) -> None:
    async with workers(count_up) as bench:
        client, settings = bench.deployment.client, bench.deployment.settings
        handle = await bench.start(one_agent(tools=["add"]), GOAL, max_history_events=30)
        seen = [progress async for progress in follow(client, handle.id)]
        assert (await read_result(handle)).output == "counted"
        chain = await run_chain(client, handle.id)
        given = await read_input(client, handle.id)
        bundle = await export_bundle(client, ObjectStore(settings.store_address), handle.id)
    assert [p.what for p in seen if p.what.startswith("a: turn") and p.state == "done"] == [
        f"a: turn {turn}" for turn in range(1, TURNS + 1)
    ]
    assert len(chain) > 1
    assert [history.run_id for history in bundle.histories] == chain
    assert (given.goal, given.scope_id) == (GOAL, handle.id)
    assert len(bundle.payloads) >= len(chain)
    assert external_paths(bundle.histories) == sorted(bundle.payloads)

    path = tmp_path / "chain.json"
    write_bundle(bundle, path)
    copy = read_bundle(path)
    assert copy == bundle
    elsewhere = Settings(home=tmp_path / "elsewhere", tool_modules=settings.tool_modules)
    await replay_bundle(copy, elsewhere)
    assert not elsewhere.home.exists()
    await _bites(copy, elsewhere)


async def _bites(bundle: Bundle, settings: Settings) -> None:
    """A bundle with a missing payload, or with a step that was another one, does not pass."""
    with pytest.raises((BlobMissing, RuntimeError)):
        await replay_bundle(dataclasses.replace(bundle, payloads={}), settings)
    first = bundle.histories[0]
    events = [type(event).FromString(event.SerializeToString()) for event in first.events]
    scheduled = next(e for e in events if e.HasField("activity_task_scheduled_event_attributes"))
    scheduled.activity_task_scheduled_event_attributes.activity_type.name = "something.else"
    changed = dataclasses.replace(bundle, histories=(dataclasses.replace(first, events=events),))
    with pytest.raises(NondeterminismError):
        await replay_bundle(changed, settings)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "ostinato-history/2"}', "\udcff", "9" * 5000])
def test_what_is_no_bundle_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationInvalid, match="no bundle"):
        read_bundle(path)
