"""The client's side of a session: how it is started, what is sent, and how it is read back without a worker."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowExecutionDescription,
    WorkflowUpdateFailedError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.failures import FailureDetail
from activities.contracts.messages import ThreadRef
from activities.errors import ConfigurationInvalid
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.runs import RECONNECT_SECONDS, read_result, start_options
from workers.team_file import nearest
from workflows.contracts import RunInput, RunResult
from workflows.progress import PATTERN
from workflows.sessions import (
    SESSION,
    Refusal,
    SessionInput,
    SessionMessage,
    SessionReply,
    SessionSettings,
    digest_of_text,
)
from workflows.teams.tree import AgentNode, TeamSpec

RETRY_SECONDS = 0.5
_AGAIN = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.ABORTED,
}
"""A server that restarts, has as many updates of the session in flight as it takes, or is in the middle of a new execution."""


def team_of(team: TeamSpec, agent: str = "") -> TeamSpec:
    """The team with one of its agents as the root; its first where none is named.

    Raises:
        ConfigurationInvalid: it has no such agent.
    """
    if not team.agents:
        raise ConfigurationInvalid(f"the team {team.team!r} has no agents", fix="add one, or use `ostinato run`")
    agent = agent or (team.root.agent if isinstance(team.root, AgentNode) else next(iter(team.agents)))
    if agent not in team.agents:
        raise ConfigurationInvalid(
            f"the team {team.team!r} has no agent {agent!r}", fix=nearest(agent, sorted(team.agents))
        )
    return team.model_copy(update={"root": AgentNode(agent=agent)})


def session_goal(team: TeamSpec) -> str:
    """What stands where a run has its goal."""
    return f"A session with the agent {team.root.agent}." if isinstance(team.root, AgentNode) else "A session."


async def admit_session(
    deployment: Deployment, team: TeamSpec, order: RunOrder, settings: SessionSettings | None = None
) -> SessionInput:
    """Check a session and upload what it needs. ``team`` comes from ``team_of``.

    Raises:
        ConfigurationInvalid: the first thing that cannot work. Nothing has been started, nothing is spent.
    """
    run = await admit(deployment, team, order)
    given = {name: getattr(run, name) for name in RunInput.model_fields}
    return SessionInput(**given, settings=settings or SessionSettings())


async def send(
    client: Client, session_id: str, text: str, message_id: str, *, start: SessionInput | None = None
) -> SessionReply:
    """Send a message and wait for its reply, over restarts of workers and server. Sending it again costs nothing.

    Args:
        client: the deployment's.
        session_id: the session.
        text: what is said.
        message_id: whoever sends the same id again gets the same reply.
        start: the session is started with it where it is not there yet.

    Raises:
        ConfigurationInvalid: the message is refused; the fix says what to do.
        RPCError: there is no such session, or the server is gone for longer than ``RECONNECT_SECONDS``.
    """
    message, lost_since = SessionMessage(text=text), 0.0
    while True:
        try:
            reply = await _send_once(client, session_id, message, message_id, start)
            return _same(reply, text, message_id)
        except WorkflowUpdateFailedError as error:
            if not _comes_again(error.cause):
                raise _refused(error.cause) from error
            lost_since = 0.0
        except RPCTimeoutOrCancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from None
        except (WorkflowAlreadyStartedError, RPCError) as error:
            closed = isinstance(error, WorkflowAlreadyStartedError) or error.status is RPCStatusCode.NOT_FOUND
            if closed and (known := await _reply_of_ended(client, session_id, message_id)):
                return _same(known, text, message_id)
            lost_since = lost_since or time.monotonic()
            again = closed or (isinstance(error, RPCError) and error.status in _AGAIN)
            if not again or time.monotonic() - lost_since > RECONNECT_SECONDS:
                raise
        await asyncio.sleep(RETRY_SECONDS)


async def end_session(client: Client, session_id: str) -> None:
    """Ask a session to end when it has answered what waits.

    Raises:
        RPCError: there is no such session, or it has ended.
    """
    await client.get_workflow_handle(session_id).signal("end")


@dataclass(frozen=True)
class SessionView:
    """A session as its history tells it."""

    given: SessionInput
    replies: dict[str, SessionReply]
    """The last replies by message id, the newest last."""
    waiting: tuple[str, ...]
    """Ids of messages that are not answered."""

    @property
    def last(self) -> SessionReply | None:
        """The newest reply to a message that was taken up."""
        return max((reply for reply in self.replies.values() if reply.number), key=lambda r: r.number, default=None)

    @property
    def thread(self) -> ThreadRef | None:
        """The conversation, at its last good version."""
        return self.last.thread if self.last else None


def is_session(description: WorkflowExecutionDescription) -> bool:
    """Whether a workflow is a session."""
    return description.workflow_type == SESSION


async def read_session(client: Client, session_id: str) -> SessionView:
    """Read a session's newest execution, which carries what was before. No worker is needed.

    Raises:
        RPCError: there is no such session.
    """
    given: SessionInput | None = None
    replies: dict[str, SessionReply] = {}
    accepted: dict[str, None] = {}
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=session_id)
    converter = client.data_converter.with_context(context)
    async for event in client.get_workflow_handle(session_id).fetch_history_events(skip_archival=True):
        if event.event_id == 1:
            started = event.workflow_execution_started_event_attributes
            (given,) = await converter.decode(started.input.payloads, [SessionInput])
            replies |= {entry.message_id: entry.reply for entry in (given.session.answered if given.session else ())}
        elif event.HasField("workflow_execution_update_accepted_event_attributes"):
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            accepted[request.meta.update_id] = None
        elif event.HasField("workflow_execution_update_completed_event_attributes"):
            completed = event.workflow_execution_update_completed_event_attributes
            accepted.pop(completed.meta.update_id, None)
            if completed.outcome.HasField("success"):
                (reply,) = await converter.decode(completed.outcome.success.payloads, [SessionReply])
                replies.pop(completed.meta.update_id, None)
                replies[completed.meta.update_id] = reply
    if given is None:
        raise ConfigurationInvalid(f"the session {session_id!r} has no history", fix="look at it again in a moment")
    return SessionView(given, replies, tuple(accepted))


async def _send_once(
    client: Client, session_id: str, message: SessionMessage, message_id: str, start: SessionInput | None
) -> SessionReply:
    if start is None:
        handle = client.get_workflow_handle(session_id)
        return SessionReply.model_validate(
            await handle.execute_update("send", message, id=message_id, result_type=SessionReply)
        )
    operation: WithStartWorkflowOperation[Any, RunResult] = WithStartWorkflowOperation(
        SESSION, start, result_type=RunResult, **_start_options(start)
    )
    try:
        return SessionReply.model_validate(
            await client.execute_update_with_start_workflow(
                "send", message, id=message_id, start_workflow_operation=operation, result_type=SessionReply
            )
        )
    except BaseException:
        with suppress(Exception):  # the operation holds the same error once more, and complains if nobody looks
            async with asyncio.timeout(0):
                await operation.workflow_handle()
        raise


def _start_options(run: SessionInput) -> dict[str, Any]:
    """Those of a run, but for what a session has of its own: its pattern, and how long it may live."""
    options, settings = start_options(run), run.settings
    attributes = [pair for pair in options["search_attributes"].search_attributes if pair.key != PATTERN]
    longest: timedelta = options["execution_timeout"]  # of one message
    return {
        **options,
        "execution_timeout": longest * (1 + settings.queue) + timedelta(seconds=settings.lifetime_seconds),
        "static_summary": f"{run.team.team}: a session with {run.own_path}",
        "static_details": f"Team `{run.team.team}` version {run.team.version}, agent `{run.own_path}`",
        "search_attributes": TypedSearchAttributes([*attributes, SearchAttributePair(PATTERN, SESSION)]),
    }


def _same(reply: SessionReply, text: str, message_id: str) -> SessionReply:
    """The reply, where it answers this text: within one execution the server itself answers a repeated id."""
    if reply.message != digest_of_text(text):
        raise ConfigurationInvalid(
            f"another text was sent as message {message_id!r}", fix="send it under a new id, or leave the id away"
        )
    return reply


def _comes_again(cause: BaseException) -> bool:
    return isinstance(cause, ApplicationError) and cause.type == Refusal.TURNING_OVER.value


def _refused(cause: BaseException) -> ConfigurationInvalid:
    fix = "ostinato show says how the session stands"
    if isinstance(cause, ApplicationError):
        with suppress(IndexError, ValidationError):
            fix = FailureDetail.model_validate(cause.details[0]).fix or fix
        return ConfigurationInvalid(cause.message, fix=fix)
    return ConfigurationInvalid(f"the message was not answered: {cause}", fix=fix)


async def _reply_of_ended(client: Client, session_id: str, message_id: str) -> SessionReply | None:
    """A remembered reply of a session that has ended; None where the session runs after all, in a new execution.

    Raises:
        RPCError: there is no such session.
        ConfigurationInvalid: it has ended without an answer to this message.
    """
    description = await client.get_workflow_handle(session_id).describe()
    if not is_session(description):
        raise ConfigurationInvalid(f"the run {session_id!r} is no session", fix="choose another --id")
    view = await read_session(client, session_id)
    if reply := view.replies.get(message_id):
        return reply
    if description.close_time is None:
        return None
    result = await read_result(client.get_workflow_handle(session_id, result_type=RunResult))
    why = f": {result.failure.message}" if result.failure else ""
    raise ConfigurationInvalid(f"the session {session_id!r} has ended{why}", fix="start another with another --id")
