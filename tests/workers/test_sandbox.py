"""The sandbox is entered for what lies in it, and for nothing else; runs are none the wiser."""

from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.enums.v1 import CommandType
from temporalio.worker import WorkflowInstance
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from tests.conftest import Workers
from tests.support.supervision import SUBTASKS, obedient, spacious, team
from workers.plugin import ostinato_plugin
from workers.runs import read_result
from workers.sandbox import LeanInstance, LeanSandbox
from workers.settings import Settings
from workflows.contracts import RunStatus

INFO: Any = SimpleNamespace(workflow_id="run-1", run_id="r", workflow_type="agent", namespace="default")


class Inner(WorkflowInstance):
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def activate(self, act: Any) -> Any:
        return act

    def get_info(self) -> Any:
        return INFO

    def get_serialization_context(self, command_info: Any) -> Any:  # noqa: ARG002 -- the name is the base class's
        self.asked.append("serialization")

    def get_external_store_context(self, command_info: Any) -> Any:  # noqa: ARG002 -- the name is the base class's
        self.asked.append("store")


def command(kind: CommandType.ValueType) -> Any:
    return SimpleNamespace(command_type=kind, command_seq=1)


@pytest.mark.parametrize(
    ("asks_about", "asked"),
    [
        (None, []),
        (command(CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK), []),
        (command(CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION), ["store"]),
        (command(CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION), ["store"]),
    ],
)
def test_where_a_payload_is_stored_is_asked_for_other_workflows_only(asks_about: Any, asked: list[str]) -> None:
    inner = Inner()
    target: Any = LeanInstance(inner, INFO, coded=False).get_external_store_context(asks_about)
    assert inner.asked == asked
    if not asked:
        assert (target.target.id, target.target.run_id) == ("run-1", "r")


@pytest.mark.parametrize(("coded", "asked"), [(False, []), (True, ["serialization"])])
def test_the_context_of_a_payload_is_asked_for_a_codec_only(coded: bool, asked: list[str]) -> None:
    inner = Inner()
    LeanInstance(inner, INFO, coded=coded).get_serialization_context(None)
    assert inner.asked == asked


@pytest.mark.parametrize("codec", ["", "module:factory"])
def test_the_plugin_keeps_the_restrictions_and_knows_of_the_codec(settings: Settings, codec: str) -> None:
    if codec:
        settings = settings.model_copy(update={"codec": "tests.activities.test_object_store:Rot"})
    plugin: Any = ostinato_plugin(settings)
    runner = plugin.workflow_runner(SandboxedWorkflowRunner())
    assert isinstance(runner, LeanSandbox)
    assert runner.coded is bool(codec)
    assert "activities" in runner.restrictions.passthrough_modules


async def test_a_run_with_a_child_and_large_payloads_works_on_it(workers: Workers) -> None:
    async with workers(obedient) as bench:
        handle = await bench.start(spacious(team(subtasks=SUBTASKS)), goal="long " * 3_000)
        assert (await read_result(handle)).status is RunStatus.COMPLETE
        paths = [p async for p in bench.deployment.store.list_paths(f"lineages/{handle.id}/payloads")]
    assert paths, "large payloads of the run and of its child lie with the run"
