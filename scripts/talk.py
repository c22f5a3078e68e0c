"""A talk with a session: served where nobody else does, followed while it answers, and left as it is at the end."""

import asyncio
import secrets
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from scripts.artifact_files import save_artifacts
from scripts.attendance import find_input, note_differences
from scripts.following import progress_line, until_unserved
from scripts.lookup import is_running
from scripts.plan import Plan
from scripts.results import OFFLINE_LABEL, as_text, is_offline, result_folder
from scripts.session import Session, check_keys, leave_at_second_interrupt, pools_of, serve_here, unserved, until
from scripts.terminal import Output
from workers.following import follow
from workers.registration import bind_store
from workers.runs import read_result
from workers.sessions import SessionView, admit_session, end_session, is_session, send
from workflows.contracts import RunInput, RunResult
from workflows.sessions import SessionInput, SessionReply, SessionSettings

END_SECONDS = 60.0
"""How long an ended session may take to answer what still waits."""
START_SECONDS = 60.0
"""How long a session may take to begin when its first message is sent."""


class Talk:
    """One command's part in a session. ``begin`` comes first; whatever it starts ends with ``stack``."""

    def __init__(self, session: Session, session_id: str, output: Output, stack: AsyncExitStack) -> None:
        self._session, self._id = session, session_id
        self._output, self._stack = output, stack
        self._given: RunInput | None = None
        self._start: SessionInput | None = None
        self._serves = False
        self._asking = ""
        self._skip = 0
        self._telling = False
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, plan: Plan | None, settings: SessionSettings, *, look: bool) -> None:
        """Find the session, or make one ready; it starts with its first message.

        Raises:
            ConfigurationInvalid: there is none, or the id is that of a run.
        """
        self._given = await find_input(self._session, self._id) if look else None
        if self._given is None and plan is None:
            raise ConfigurationInvalid(
                f"there is no session {self._id!r}", fix="name a team to start one, such as scripts/teams/ask.yaml"
            )
        if self._given is None and plan:
            await self._serve(pools_of(plan.queues))
            self._given = self._start = await admit_session(self._session.deployment, plan.team, plan.order, settings)
            self._introduce("a new session")
        elif self._given:
            self._skip = await self._join(plan, self._given)
        self._stack.push_async_callback(self._end_tasks)

    async def say(self, text: str, message_id: str = "") -> SessionReply:
        """Send a message, wait for its reply and print it.

        Raises:
            ConfigurationInvalid: the message is refused.
        """
        self._asking = message_id or new_message_id()
        if not self._telling:
            self._telling = True
            self._tasks.append(asyncio.create_task(self._tell()))
        try:
            reply = await send(self._session.client, self._id, text, self._asking, start=self._start)
            self._start = None  # it is there: a session that has ended is not begun anew
        except asyncio.CancelledError:
            self._output.note(
                f"the message is on the server: --message-id {self._asking} with the same text asks again"
            )
            raise
        finally:
            message_id, self._asking = self._asking, ""
        await self._print(reply, message_id)
        return reply

    async def end(self) -> None:
        """End the session; what waits is answered first.

        Raises:
            ConfigurationInvalid: it has not begun, or does not end.
        """
        client = self._session.client
        if self._start is None:
            await end_session(client, self._id)
            handle = client.get_workflow_handle(self._id, result_type=RunResult)
            try:
                async with asyncio.timeout(END_SECONDS):
                    await read_result(handle, rpc_timeout=timedelta(seconds=END_SECONDS))
            except (TimeoutError, RPCError) as error:
                raise ConfigurationInvalid(
                    f"the session {self._id} has not ended yet: it answers what waits",
                    fix=f"look later with ostinato show {self._id}; ostinato stop {self._id} ends it at once",
                ) from error
        self._output.note(f"the session {self._id} has ended")

    def leave(self, *, interrupted: bool = False) -> None:
        """Say how to come back."""
        if self._start is None:
            self._output.note(f"the session stays: ostinato chat --id {self._id} goes on with it")
        if interrupted and self._serves:
            leave_at_second_interrupt()
            grace = self._session.deployment.settings.grace_seconds
            self._output.note(f"ending: calls under way have {grace:g} s; Ctrl-C ends it at once")

    async def _join(self, plan: Plan | None, given: RunInput) -> int:
        """Go on with a session that is there; the events of its history so far."""
        description = await self._session.client.get_workflow_handle(self._id).describe()
        if not is_session(description):
            raise ConfigurationInvalid(
                f"{self._id!r} is a run, and no session", fix="choose another --id, or see it with ostinato show"
            )
        if plan:
            note_differences(plan, given, self._output)
        running = is_running(description)
        if running:
            await self._serve(pools_of(given.queues))
        self._introduce("goes on:" if running else "ended already:")
        return description.history_length

    async def _serve(self, pools: list[str]) -> None:
        """Make sure that somebody answers, now and later: a deployment, or else this process."""
        deployment = self._session.deployment
        await bind_store(deployment.client, deployment.store)
        if await unserved(deployment.client, pools):
            check_keys(deployment.settings, pools)
            await serve_here(self._stack, deployment, pools)
            self._serves = True
        else:
            self._tasks.append(asyncio.create_task(self._stand_in(pools)))

    async def _stand_in(self, pools: list[str]) -> None:
        deployment = self._session.deployment
        await until_unserved(deployment.client, pools)
        try:
            check_keys(deployment.settings, pools)
        except ConfigurationInvalid as error:
            self._output.note(f"no worker serves this session any more, and this command cannot: {error}")
            return
        self._output.note("no worker serves this session any more: this command goes on with it")
        await serve_here(self._stack, deployment, pools)
        self._serves = True

    async def _tell(self) -> None:
        """What is under way, while somebody waits for an answer."""
        with suppress(RPCError, TimeoutError):  # whoever sends learns of it too
            await until(self._is_there, START_SECONDS)
            async for progress in follow(self._session.client, self._id, whole=False, skip=self._skip):
                if self._asking and (line := progress_line(progress)):
                    self._output.note(line)

    async def _is_there(self) -> bool:
        try:
            await self._session.client.get_workflow_handle(self._id).describe()
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        return True

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _introduce(self, what: str) -> None:
        given = self._given
        assert given  # noqa: S101 -- the caller has it
        self._output.note(f"{what} {self._id}, with {given.own_path} of {given.team.team}")
        if url := self._session.ui_of(self._id):
            self._output.note(f"watch it: {url}")
        if is_offline(given):
            self._output.note(f"{given.own_path}: {OFFLINE_LABEL}")
        for sentence in given.missing:
            self._output.note(f"missing: {sentence}")

    async def _print(self, reply: SessionReply, message_id: str) -> None:
        given, output, deployment = self._given, self._output, self._session.deployment
        assert given  # noqa: S101 -- ``begin`` has set it
        runs = result_folder(deployment.settings, self._id).parent
        saved, problems = await save_artifacts(deployment.store, self._id, reply.artifacts, runs)
        if reply.output is not None:
            output.text(as_text(RunResult(status=reply.status, output=reply.output), given))
            output.text()
        for line in [f"saved: {path}" for path in saved] + problems:
            output.note(line)
        if failure := reply.failure:
            output.note(f"{reply.status.value}: {failure.message}")
            if failure.fix:
                output.note(f"fix: {failure.fix}")
            if reply.effects:
                output.note(f"before that, {reply.effects} calls were made of tools that have effects")
        output.note(
            f"message {reply.number}: {reply.usage.tokens:,} tokens, {reply.usage.cost_usd:.4f} USD;"
            f" all: {reply.total.tokens:,} tokens, {reply.total.cost_usd:.4f} USD"
        )
        output.object(reply_object(self._id, message_id, reply, saved))
        output.flush()


def new_message_id() -> str:
    """An id that no other message has."""
    return secrets.token_hex(8)


def reply_object(session_id: str, message_id: str, reply: SessionReply, artifacts: list[str]) -> dict[str, Any]:
    """The object of ``chat --json``. Every key is always there."""
    value: dict[str, Any] = {
        "run_id": session_id,
        "workflow_id": session_id,
        "message_id": message_id,
        "number": reply.number,
        "status": reply.status.value,
        "output": reply.output,
        "artifacts": artifacts,
        "usage": {
            "input_tokens": reply.usage.input_tokens,
            "output_tokens": reply.usage.output_tokens,
            "cost_usd": reply.usage.cost_usd,
            "model_calls": reply.usage.model_calls,
            "tool_calls": reply.usage.tool_calls,
        },
        "total_tokens": reply.total.tokens,
        "total_cost_usd": reply.total.cost_usd,
        "missing": list(reply.missing),
    }
    if failure := reply.failure:
        value["failure"] = {"kind": failure.kind.value, "message": failure.message, "fix": failure.fix}
    return value


def session_object(view: SessionView) -> dict[str, Any]:
    """How a session stands, for ``show``."""
    last = view.last
    return {
        "agent": view.given.own_path,
        "messages": last.number if last else 0,
        "waiting": len(view.waiting),
        "tokens": last.total.tokens if last else 0,
        "cost_usd": last.total.cost_usd if last else 0.0,
        "idle_days": view.given.settings.idle_seconds / 86_400,
    }
