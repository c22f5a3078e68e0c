"""A server as a child process, spoken to line by line, with what the library's own transport lacks: a longest line.

The child never outlives its connection. Its standard input is closed, and what is left of its process group after a
grace is killed, even where the connection is cancelled. Where this process is killed itself, the child sees the end of
its input.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCMessage, jsonrpc_message_adapter

from activities.mcp.base import MAX_ANSWER_BYTES
from activities.mcp.policy import Access

EXIT_SECONDS = 2.0
"""How long a server may take to end after the end of its input, and again after SIGTERM."""

TAIL_BYTES = 2000
"""The end of what a server writes to its standard error, kept to say why it died."""


class Ending:
    """Why a transport ended, set by the transport before it closes its streams."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.reason = ""
        self.too_large = False

    def end(self, reason: str, *, too_large: bool = False) -> None:
        """The first reason counts."""
        if not self.over.is_set():
            self.reason, self.too_large = reason, too_large
            self.over.set()


@dataclass(frozen=True)
class Child:
    """A server's process with its pipes."""

    process: asyncio.subprocess.Process
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader


@asynccontextmanager
async def stdio_transport(access: Access, ending: Ending) -> AsyncIterator[TransportStreams]:
    """Start the server and yield its message streams.

    Raises:
        OSError: it cannot be started.
    """
    child = await _start(access)
    incoming_end, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, outgoing_end = anyio.create_memory_object_stream[SessionMessage](0)
    tail = bytearray()

    async def read() -> None:
        async with incoming_end:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await _read(child, incoming_end, ending)
            await asyncio.wait({errors}, timeout=0.2)
            said = bytes(tail).decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
            ending.end(f"the server ended{f': {said}' if said else ''}")

    async def write() -> None:
        with suppress(OSError, anyio.EndOfStream, anyio.ClosedResourceError):
            async for message in outgoing_end:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                child.stdin.write(text.encode() + b"\n")
                await child.stdin.drain()

    async def keep_errors() -> None:
        while data := await child.stderr.read(4096):
            tail.extend(data)
            del tail[:-TAIL_BYTES]

    errors = asyncio.create_task(keep_errors())
    pumps = [errors, asyncio.create_task(read()), asyncio.create_task(write())]
    try:
        yield incoming, outgoing
    finally:
        await to_the_end(_stop(child, pumps))
        for stream in (incoming, outgoing, incoming_end, outgoing_end):
            stream.close()


async def _start(access: Access) -> Child:
    process = await asyncio.create_subprocess_exec(
        *access.endpoint.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Not the worker's environment: that holds the deployment's keys.
        env=get_default_environment() | {name: access.values[name] for name in access.endpoint.env},
        start_new_session=True,
        limit=MAX_ANSWER_BYTES,
    )
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise OSError("the server has no pipes")
    return Child(process, process.stdin, process.stdout, process.stderr)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for work that a cancellation must not interrupt, and cancel afterwards. It has bounds of its own."""
    task, cancelled = asyncio.create_task(work), None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled


async def _read(
    child: Child,
    incoming: MemoryObjectSendStream[SessionMessage | Exception],
    ending: Ending,
) -> None:
    while True:
        try:
            line = await child.stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            # What follows cannot be told from the rest of this line, so the connection is of no use any more.
            ending.end(f"it wrote a message of more than {MAX_ANSWER_BYTES >> 20} MiB", too_large=True)
            return
        if message := _message(line):
            await incoming.send(SessionMessage(message))


def _message(line: bytes) -> JSONRPCMessage | None:
    """The message; ``None`` for what servers print to their output although it belongs into the log.

    An answer that cannot be read becomes an error, as in the library's own HTTP: nobody need wait for another one.
    """
    with suppress(ValueError):
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    with suppress(ValueError, RecursionError):
        said = json.loads(line.decode("utf-8", "replace"))
        if isinstance(said, dict) and "method" not in said and said.get("id") is not None:
            return JSONRPCError(jsonrpc="2.0", id=said["id"], error=ErrorData(code=PARSE_ERROR, message="unreadable"))
    return None


async def _stop(child: Child, pumps: list[asyncio.Task[None]]) -> None:
    """Close its input, wait, then end what is left of its group."""
    try:
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps, timeout=EXIT_SECONDS)
        child.stdin.close()
        drain = asyncio.create_task(_drain(child))  # a child that cannot write cannot end
        for signal_number in (None, signal.SIGTERM, signal.SIGKILL):
            if signal_number is not None:
                _kill_group(child.process.pid, signal_number)
            with suppress(TimeoutError):
                await asyncio.wait_for(_gone(child.process), EXIT_SECONDS)
                break
        drain.cancel()
        await asyncio.wait({drain}, timeout=EXIT_SECONDS)
    finally:
        # What the server has started itself, and the server where even this was cancelled.
        _kill_group(child.process.pid, signal.SIGKILL)
        child.process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 -- nothing public closes them


async def _gone(process: asyncio.subprocess.Process) -> None:
    # ``process.wait()`` waits for the pipes too, which a grandchild may hold open.
    while process.returncode is None:  # noqa: ASYNC110 -- nothing else tells
        await asyncio.sleep(0.01)


async def _drain(child: Child) -> None:
    async def one(stream: asyncio.StreamReader) -> None:
        while await stream.read(65536):
            pass

    await asyncio.gather(*(one(stream) for stream in (child.stdout, child.stderr)))


def _kill_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
