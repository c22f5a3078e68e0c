"""The client's side of human tasks: which are open, what one asks, and how it is decided.

Tasks are read from their histories, so looking needs no worker, and what the list of workflows tells too late or too
early does no harm. Who decides is asserted, not authenticated: whoever may send updates to the namespace may decide.
"""

import asyncio
import getpass
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.failures import FailureDetail
from activities.contracts.people import HUMAN_TASK, DecideRequest, HumanDecision, HumanTask, HumanTaskView
from activities.errors import ConfigurationInvalid
from activities.records import request_hash
from workers.settings import Settings
from workflows.human_checks import fold
from workflows.human_view import view_of

OPEN = f"WorkflowType = '{HUMAN_TASK}' AND ExecutionStatus = 'Running'"
MAX_READ = 1000
"""Open tasks that are looked at, the newest."""
MAX_EVENTS = 1000
"""Of one task's history: twice what 100 reminders take."""
PARALLEL = 16
DECIDE_SECONDS = 30.0
"""How long a worker may take to answer a decision; it takes a tenth of a second."""
_RPC = timedelta(seconds=10)
_ENDS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "decided",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "nobody decided in time",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "nobody decided in time",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "its run was stopped",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "it was terminated",
}


@dataclass(frozen=True)
class TaskStatus:
    """A human task as its history tells it."""

    view: HumanTaskView
    ended: str = ""
    """Why it takes no decision any more; empty while it is open."""
    closed: bool = False
    """Its workflow has ended too: the decision is on record, and nobody has to be there to answer for it."""


@dataclass(frozen=True)
class Inbox:
    """What waits for people."""

    tasks: tuple[HumanTaskView, ...]
    """Oldest first."""
    unread: int = 0
    """Open tasks that were not looked at, or cannot be read from here."""


def default_person(settings: Settings) -> str:
    """Who decides where nobody is named: the setting ``user``, else who is logged in here.

    Raises:
        ConfigurationInvalid: nobody is.
    """
    try:
        return settings.user or getpass.getuser()
    except (OSError, KeyError) as error:
        raise ConfigurationInvalid("it is not known who you are", fix="set OSTINATO_USER, or give --as NAME") from error


def is_for(view: HumanTaskView, person: str) -> bool:
    """Whether a person may decide a task now."""
    return not view.people or fold(person) in map(fold, view.people)


async def open_tasks(client: Client, now: float, *, run_id: str = "") -> Inbox:
    """The tasks that wait for a decision.

    Args:
        client: the deployment's.
        now: seconds since 1970.
        run_id: only those of this run.
    """
    wanted = f"{OPEN} AND WorkflowId STARTS_WITH '{run_id}~'" if run_id else OPEN
    listed = [run.id async for run in client.list_workflows(wanted, limit=MAX_READ)]
    total = len(listed)
    if total == MAX_READ:
        total = (await client.count_workflows(wanted, rpc_timeout=_RPC)).count
    gate = asyncio.Semaphore(PARALLEL)

    async def one(task_id: str) -> TaskStatus | None:
        async with gate:
            with suppress(ConfigurationInvalid):
                return await read_task(client, task_id, now)
            return None

    found = await asyncio.gather(*map(one, listed))
    views = [task.view for task in found if task and not task.ended]
    unread = total - len(listed) + sum(task is None for task in found)
    return Inbox(tuple(sorted(views, key=lambda view: (view.opened_at, view.task_id))), unread)


async def read_task(client: Client, task_id: str, now: float) -> TaskStatus:
    """One task as it stands. No worker is needed.

    Raises:
        ConfigurationInvalid: there is none of this id, or it cannot be read from here.
    """
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=task_id)
    reader = _Reader(client.data_converter.with_context(context))
    try:
        count = 0
        async for event in client.get_workflow_handle(task_id).fetch_history_events(skip_archival=True):
            await reader.read(event)
            count += 1
            if count >= MAX_EVENTS:
                break
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise unknown(task_id) from error
        raise
    except (ValueError, TypeError, RuntimeError, ApplicationError) as error:
        raise ConfigurationInvalid(
            f"{task_id!r} is no human task, or cannot be read from here",
            fix="ostinato inbox --all lists those that are open; check OSTINATO_CODEC where the deployment has one",
        ) from error
    if reader.task is None:
        raise unknown(task_id)
    view = view_of(reader.task, task_id, reader.opened_at, now, reader.decision)
    return TaskStatus(view, reader.ended, reader.closed)


async def decide(client: Client, task_id: str, request: DecideRequest, *, update_id: str = "") -> HumanDecision:
    """Decide a task by its id alone.

    Args:
        client: the deployment's.
        task_id: the human task's workflow id.
        request: the decision.
        update_id: whoever sends the same id again gets the same answer; made from the request where empty.

    Raises:
        ConfigurationInvalid: the decision is refused, or nobody is there to take it; nothing was decided then.
    """
    update_id = update_id or request_hash(request.model_dump(mode="json"))
    handle = client.get_workflow_handle(task_id)
    try:
        async with asyncio.timeout(DECIDE_SECONDS):
            said = await handle.execute_update("decide", request, id=update_id, result_type=HumanDecision)
        return HumanDecision.model_validate(said)
    except WorkflowUpdateFailedError as error:
        raise _refused(error.cause) from error
    except (TimeoutError, RPCTimeoutOrCancelledError) as error:
        if (task := asyncio.current_task()) and task.cancelling():
            raise asyncio.CancelledError from None
        raise ConfigurationInvalid(
            f"no worker took the decision within {DECIDE_SECONDS:.0f} s; nothing is known to be decided",
            fix="send it again when `ostinato up` or the run's own command serves it: it counts once",
        ) from error
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        ended = (await read_task(client, task_id, 0.0)).ended or "it has ended"
        raise ConfigurationInvalid(
            f"the task {task_id} takes no decision any more: {ended}", fix="ostinato show says how the run went on"
        ) from error


def unknown(task_id: str, near: Iterable[str] = ()) -> ConfigurationInvalid:
    """The error that says that there is no such task."""
    fix = next((f"did you mean {name!r}?" for name in near), "ostinato inbox --all lists those that are open")
    return ConfigurationInvalid(f"there is no human task {task_id[:300]!r}", fix=fix)


class _Reader:
    """One task's events in their order."""

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter
        self.task: HumanTask | None = None
        self.opened_at = 0.0
        self.decision: HumanDecision | None = None
        self.ended, self.closed = "", False

    async def read(self, event: HistoryEvent) -> None:
        if event.event_id == 1:
            started = event.workflow_execution_started_event_attributes
            if started.workflow_type.name != HUMAN_TASK:
                raise ValueError(f"a {started.workflow_type.name}")
            self.opened_at = event.event_time.ToMicroseconds() / 1e6
            (self.task,) = await self._converter.decode(started.input.payloads, [HumanTask])
        elif event.HasField("workflow_execution_update_completed_event_attributes"):
            outcome = event.workflow_execution_update_completed_event_attributes.outcome
            if outcome.HasField("success"):
                (self.decision,) = await self._converter.decode(outcome.success.payloads, [HumanDecision])
                self.ended = self.ended or "decided"
        elif event.event_type in _ENDS:
            self.ended, self.closed = _ENDS[event.event_type], True
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
                completed = event.workflow_execution_completed_event_attributes
                (self.decision,) = await self._converter.decode(completed.result.payloads, [HumanDecision])


def _refused(cause: BaseException) -> ConfigurationInvalid:
    message, fix = f"the decision was not taken: {cause}", "look at the task with ostinato inbox --all"
    if isinstance(cause, ApplicationError):
        message = cause.message
        with suppress(IndexError, ValidationError):
            detail = FailureDetail.model_validate(cause.details[0])
            message, fix = detail.message, detail.fix or fix
    return ConfigurationInvalid(message, fix=fix)
