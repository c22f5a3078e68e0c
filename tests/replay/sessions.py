"""Sessions to record: how they start, what is said, and how they end."""

from collections.abc import Awaitable, Callable

from temporalio.client import Client

from workers.runs import RunHandle, read_result
from workers.sessions import send
from workflows.contracts import RunInput, RunResult
from workflows.sessions import SessionInput, SessionSettings

Start = Callable[[Client, RunInput], Awaitable[RunHandle]]


def talking(*said: str, **settings: object) -> Start:
    """A session in which these messages were answered; each text is its message's id too."""

    async def start(client: Client, run: RunInput) -> RunHandle:
        given = {name: getattr(run, name) for name in RunInput.model_fields}
        session = SessionInput(**given, settings=SessionSettings.model_validate(settings))
        for text in said:
            await send(client, run.scope_id, text, text, start=session)
        return client.get_workflow_handle(run.scope_id, result_type=RunResult)

    return start


async def ended(handle: RunHandle) -> None:
    """Somebody ends the session."""
    await handle.signal("end")
    await read_result(handle)


async def cancelled(handle: RunHandle) -> None:
    """Somebody stops it."""
    await handle.cancel()
    await read_result(handle)


async def left(handle: RunHandle) -> None:
    """Nobody says anything more, and it waits."""
    await handle.describe()
