"""A human task over weeks, on skipped time: reminders, escalation, the default at the deadline, and nobody at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import TimeSkipper

from activities.contracts.failures import FailureKind
from activities.contracts.people import Asking, HumanDecision, HumanTask, HumanTaskView
from activities.contracts.steps import StepKey
from activities.errors import ConfigurationInvalid
from tests.conftest import new_run_id
from tests.support.people import asks, says_yes
from workers.admission import RunOrder, admit
from workers.client import connect
from workers.deployment import Deployment
from workers.inbox import decide, read_task
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.server import ServerInfo
from workflows import steps
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

DAY = 86_400


@dataclass
class Skipping:
    """Workers whose workflows skip time."""

    deployment: Deployment
    skipper: TimeSkipper

    async def finish(self, team: TeamSpec, path: str = "ask") -> tuple[RunResult, HumanTaskView]:
        """A run that nobody decides anything for, and its human task. Each workflow has a clock of its own."""
        run = await admit(self.deployment, team, RunOrder(goal="Do it.", run_id=new_run_id()))
        result = await asyncio.wait_for(read_result(await start_run(self.deployment.client, run)), 60)
        task = await read_task(self.deployment.client, f"{run.scope_id}~{path}~ask", 0.0)
        return result, task.view

    async def view(self, handle: WorkflowHandle[Any, Any]) -> HumanTaskView:
        return HumanTaskView.model_validate(await handle.query("task"))

    async def shown(self, handle: WorkflowHandle[Any, Any]) -> str:
        """What the Temporal UI shows as the task's current details."""
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(metadata.current_details)


@pytest.fixture
async def skipping(deployment: Deployment, server: ServerInfo) -> AsyncIterator[Skipping]:
    async with _skipping(deployment, server) as found:
        yield found


@asynccontextmanager
async def _skipping(deployment: Deployment, server: ServerInfo) -> AsyncIterator[Skipping]:
    skipper = TimeSkipper(await connect(deployment.settings, address=server.address))
    changed = Deployment(deployment.settings, skipper.client, deployment.store, deployment.tools)
    async with running_pools(changed, ["workflows", "tools"]):
        yield Skipping(changed, skipper)


def waits(**asking: Any) -> TeamSpec:
    return asks(choices=["approve", "reject", "answer"], asking={"people": ["nora"], **asking})


async def test_weeks_with_reminders_and_an_escalation_that_can_be_seen(skipping: Skipping) -> None:
    run_id = new_run_id()
    asking = {
        "people": ["nora"],
        "seconds": 21 * DAY,
        "remind_seconds": 3 * DAY,
        "escalate_seconds": 10 * DAY,
        "escalate_to": ["ann"],
    }
    task = HumanTask.model_validate(
        {"key": StepKey(scope_id=run_id, path="a", step="ask"), "question": "Ship it?", "asking": asking}
    )
    with skipping.skipper.with_time_skipping_disabled():
        handle = await skipping.deployment.client.start_workflow(
            "human_task", task, id=f"{run_id}~a~ask", task_queue=steps.WORKFLOW_QUEUE, result_type=HumanDecision
        )
        await skipping.skipper.fast_forward(handle, timedelta(days=4))
        early, shown = await skipping.view(handle), await skipping.shown(handle)
        with pytest.raises(ConfigurationInvalid, match=r"'ann' may not decide this \(later\)"):
            await decide(skipping.deployment.client, handle.id, says_yes("ann"))
        await skipping.skipper.fast_forward(handle, timedelta(days=7))
        late, shown_late = await skipping.view(handle), await skipping.shown(handle)
        said = await decide(skipping.deployment.client, handle.id, says_yes("ann"))
        result = await asyncio.wait_for(handle.result(), 30)
    assert (early.reminders, early.escalated, early.people) == (1, False, ("nora",))
    assert (late.reminders, late.escalated, late.people) == (3, True, ("nora", "ann"))
    assert "Waits for nora until" in shown
    assert "Reminders: 1." in shown
    assert "Escalates to ann at" in shown
    assert "Escalated to ann." in shown_late
    assert f"ostinato decide {handle.id} --approve|--reject" in shown_late
    assert result == said
    assert said.decided_at - late.opened_at == pytest.approx(11 * DAY, abs=60)


async def test_reminders_are_bounded_however_often_they_are_wished_for(skipping: Skipping) -> None:
    team = waits(seconds=365 * DAY, remind_seconds=60, default="approve")
    run = await admit(skipping.deployment, team, RunOrder(goal="Do it.", run_id=new_run_id()))
    result = await asyncio.wait_for(read_result(await start_run(skipping.deployment.client, run)), 60)
    handle = skipping.deployment.client.get_workflow_handle(f"{run.scope_id}~ask~ask")
    description = await handle.describe()
    assert result.status is RunStatus.COMPLETE
    assert (await skipping.view(handle)).reminders == 100
    assert 450 < description.history_length < 800


@pytest.mark.parametrize(
    ("asking", "output"),
    [({"default": "approve"}, "approved"), ({"default": "answer", "default_answer": "nobody knows"}, "nobody knows")],
)
async def test_the_default_holds_at_the_deadline(skipping: Skipping, asking: dict[str, Any], output: str) -> None:
    result, view = await skipping.finish(waits(seconds=14 * DAY, **asking))
    assert (result.status, result.output) == (RunStatus.COMPLETE, output)
    assert [said.by for said in result.decisions] == ["default"]
    assert view.decision is not None
    assert view.decision.decided_at == view.opened_at + 14 * DAY


@pytest.mark.parametrize(
    ("default", "kind"), [({}, FailureKind.DEADLINE_EXCEEDED), ({"default": "reject"}, FailureKind.NOT_ALLOWED)]
)
async def test_nobody_decides_and_the_step_fails(
    skipping: Skipping, default: dict[str, Any], kind: FailureKind
) -> None:
    result, view = await skipping.finish(waits(seconds=14 * DAY, **default))
    assert result.failure is not None
    assert (result.status, result.failure.kind) == (RunStatus.FAILED, kind)
    if kind is FailureKind.DEADLINE_EXCEEDED:
        assert "nobody decided in time (nora): May it go out?" in result.failure.message
        assert view.decision is None


async def test_a_default_that_is_not_offered_decides_nothing(skipping: Skipping) -> None:
    """The team's way of asking serves many questions, and not every one may be answered so."""
    run_id = new_run_id()
    task = HumanTask.model_validate(
        {
            "key": StepKey(scope_id=run_id, path="a", step="ask"),
            "question": "Ship it?",
            "asking": {"default": "answer", "default_answer": "yes"},
        }
    )
    handle = await skipping.deployment.client.start_workflow(
        "human_task", task, id=f"{run_id}~a~ask", task_queue=steps.WORKFLOW_QUEUE, result_type=HumanDecision
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), 30)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "deadline_exceeded"


@pytest.mark.parametrize(("default", "asked_again"), [("reject", True), ("approve", False)])
async def test_that_nobody_was_there_is_no_answer_for_a_run_that_goes_on(
    skipping: Skipping, default: str, asked_again: bool
) -> None:
    """A default that rejects is not recorded: the resumed run asks again. One that goes on is."""
    team = waits(seconds=5 * DAY, default=default)
    run = await admit(skipping.deployment, team, RunOrder(goal="Do it.", run_id=new_run_id()))
    from_record = []
    for name in ("one", "two"):
        root = f"{run.scope_id}-{name}"
        handle = await skipping.deployment.client.start_workflow(
            "person", run, id=root, task_queue=steps.WORKFLOW_QUEUE, result_type=RunResult
        )
        await asyncio.wait_for(read_result(handle), 30)
        view = (await read_task(skipping.deployment.client, f"{root}~ask~ask", 0.0)).view
        assert view.decision is not None
        assert view.decision.by == "default"
        from_record.append(view.decision.from_record)
    assert from_record == [False, not asked_again]


@pytest.mark.parametrize(
    ("default", "kind"), [("reject", FailureKind.NOT_ALLOWED), ("approve", FailureKind.DEADLINE_EXCEEDED)]
)
async def test_the_steps_own_deadline_is_that_of_the_decision(
    skipping: Skipping, default: str, kind: FailureKind
) -> None:
    """A default that goes on is for people who had their time, and not a way around them."""
    team = asks(
        choices=["approve", "reject"], asking={"seconds": 30 * DAY, "default": default}, timeout_seconds=2 * DAY
    )
    pipeline = TeamSpec.model_validate(
        {"team": "t", "root": {"kind": "pipeline", "seconds": 9 * DAY, "stages": [team.root.model_dump(mode="json")]}}
    )
    result, view = await skipping.finish(pipeline, "pipeline~ask")
    assert result.failure is not None
    assert result.failure.kind is kind
    assert view.deadline - view.opened_at == pytest.approx(2 * DAY, abs=1)


async def test_a_way_of_asking_that_cannot_work_fails_at_once(skipping: Skipping) -> None:
    for asking, problem in (
        ({"default": "answer"}, "has no default_answer"),
        ({"escalate_to": ["ann"]}, "without escalate_seconds"),
        ({"people": ["t/a@1"]}, "no person's name"),
    ):
        run = await admit(skipping.deployment, waits(), RunOrder(goal="Do it.", run_id=new_run_id()))
        root = run.team.root.model_copy(update={"asking": Asking.model_validate({"people": ["nora"], **asking})})
        bad = run.model_copy(update={"team": run.team.model_copy(update={"root": root})})
        result = await asyncio.wait_for(read_result(await start_run(skipping.deployment.client, bad)), 30)
        assert result.failure is not None
        assert problem in result.failure.message
        assert result.failure.kind is FailureKind.CONFIGURATION_INVALID
