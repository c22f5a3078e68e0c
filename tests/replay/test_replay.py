"""Committed histories replay on today's code, without a server and without the store that they came from."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.workflow import NondeterminismError

from tests.replay.record import SCENARIOS
from tests.replay.scenario import HISTORIES, SUMS
from workers.bundles import read_bundle, replay_bundle
from workers.pools import ALL_WORKFLOWS, EXIT_PAUSE_SECONDS
from workers.settings import load_settings

FILES = sorted(HISTORIES.glob("*/*.json"))


@pytest.fixture(scope="module", autouse=True)
async def pause_after_the_last_replay() -> AsyncIterator[None]:
    yield
    await asyncio.sleep(EXIT_PAUSE_SECONDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_committed_history_replays(path: Path, tmp_path: Path) -> None:
    await replay_bundle(read_bundle(path), load_settings(home=tmp_path))
    assert list(tmp_path.iterdir()) == []  # nothing was written


def test_every_workflow_has_a_success_a_failure_and_a_waiting_history() -> None:
    names = [getattr(workflow, "__temporal_workflow_definition").name for workflow in ALL_WORKFLOWS]
    assert names
    for name in names:
        scenarios = {path.name.split(".")[0].split("_")[0] for path in (HISTORIES / name).glob("*.json")}
        assert {"success", "failure", "waiting"} <= scenarios, f"{name} has only {scenarios}"
    assert {scenario.path for scenario in SCENARIOS} <= set(FILES), "run python -m tests.replay.record"


@pytest.mark.parametrize(
    ("said", "otherwise"), [('"model.call"', '"tool.call"'), ('"name": "agent"', '"name": "call"')]
)
async def test_a_broken_history_does_not_replay(said: str, otherwise: str, tmp_path: Path) -> None:
    """The guard bites: a history of other code is refused."""
    bundle = read_bundle(HISTORIES / "agent" / "success.v1.json")
    text = bundle.histories[0].to_json()
    assert said in text
    history = WorkflowHistory.from_json(bundle.workflow_id, text.replace(said, otherwise))
    with pytest.raises((NondeterminismError, RuntimeError, WorkflowFailureError)):
        await replay_bundle(replace(bundle, histories=(history,)), load_settings(home=tmp_path))


def test_histories_are_append_only() -> None:
    """A recorded history is evidence of what runs out there: it is never changed, and never taken away."""
    listed = {name: digest for digest, name in (line.split("  ") for line in SUMS.read_text().splitlines())}
    found = {path.relative_to(HISTORIES).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in FILES}
    assert found == listed
