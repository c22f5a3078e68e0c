"""One connection to one MCP server: a session in a task of its own, its tools as listed, and calls from any task."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from mcp import MCPError
from mcp.client import Client
from mcp.client._transport import TransportStreams
from mcp_types import (
    CONNECTION_CLOSED,
    PARSE_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from activities.contracts.mcp import MAX_TOOLS
from activities.errors import ConfigurationInvalid, OstinatoError, PayloadTooLarge, ToolFailed, redact
from activities.mcp.base import MAX_ANSWER_BYTES, MAX_PAGES, ListedTool, McpToolError
from activities.mcp.http import BYTE_LIMIT, LOST, NO_SESSION, NOT_SENT, http_transport
from activities.mcp.policy import Access
from activities.mcp.results import render
from activities.mcp.stdio import Ending, stdio_transport

OPEN_SECONDS = 60.0
"""How long a server may take from its start to its first listing. A caller waits less, and finds it open next time."""

IDLE_SECONDS = 300.0
"""A connection that nobody used for so long is closed."""

LATE_FIX = "see that it runs, and how long it takes: ostinato mcp TEAM; a slow one needs longer timeout_seconds"
UNREADABLE = "the server's answer is none that MCP knows"

Answer = TypeVar("Answer")


class NotDone(Exception):
    """The server was not reached, or does not know the session any more, and so has not done what was asked."""


class Unreadable(McpToolError):
    """The server answered, in no form that MCP knows: it may have done what was asked."""


class Connection:
    """Opened by its creation, closed by ``close`` or after a while without use."""

    def __init__(self, server: str, access: Access) -> None:
        self.server = server
        self.users = 0
        self.retired = False
        self.suspect = False
        """A call did not end in time, or the server says that its tools have changed: ask before the next call."""
        self._access = access
        self._secrets = tuple(access.values.values())
        self._loop = asyncio.get_running_loop()
        self._ending = Ending()
        self._closing = asyncio.Event()
        self._opened = asyncio.Event()
        self._relisting = asyncio.Lock()
        self._checking: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._failure: OstinatoError | None = None
        self.tools: dict[str, ListedTool] = {}
        self.used_at = self.listed_at = self._loop.time()
        self.task = asyncio.create_task(self._live())

    @property
    def ended(self) -> bool:
        """Whether it takes no more calls."""
        return self.task.done() or self._ending.over.is_set() or self._closing.is_set()

    def close(self) -> None:
        """Ask it to end. ``task`` is done when it has, its process included."""
        self._closing.set()
        if not self._opened.is_set():
            self.task.cancel()  # nobody in there listens yet

    def retire(self) -> None:
        """Close it when the calls under way have ended; each of them has a bound."""
        self.retired = True
        if not self.users:
            self.close()

    async def opened(self, seconds: float) -> None:
        """Wait until it can be used.

        Raises:
            ToolFailed: the server cannot be started or reached, or not in this time.
            ConfigurationInvalid: it lists more than is taken.
        """
        waiter = asyncio.create_task(self._opened.wait())
        try:
            await asyncio.wait({waiter, self.task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if not self._opened.is_set():
            raise self._failure or ToolFailed(
                f"the MCP server {self.server!r} was not ready within {seconds:g} s", fix=LATE_FIX
            )

    async def relist(self, seconds: float, *, unless_since: float | None = None) -> None:
        """Ask for the tools again.

        Args:
            seconds: longest wait.
            unless_since: not where somebody else did after this loop time.

        Raises:
            ToolFailed: it does not answer.
            ConfigurationInvalid: it lists more than is taken.
        """
        async with self._relisting:
            if unless_since is not None and self.listed_at > unless_since:
                return
            try:
                async with asyncio.timeout(seconds):
                    await self._list()
            except TimeoutError:
                raise ToolFailed(
                    f"the MCP server {self.server!r} did not list its tools within {seconds:g} s", fix=LATE_FIX
                ) from None
            except (McpToolError, NotDone) as error:
                raise self._failed(str(error)) from None

    async def check(self, seconds: float) -> None:
        """Ask for the tools again, together with whoever asks at this moment.

        Raises:
            ToolFailed: it does not answer.
            ConfigurationInvalid: it lists more than is taken.
        """
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self.relist(seconds))
            self._checking.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._checking)

    async def call(self, tool: str, arguments: dict[str, Any], request_id: str) -> str:
        """Call one tool; its result as text.

        Raises:
            McpToolError: the server answered with an error.
            Unreadable: it answered with something else than a result or an error.
            NotDone: the server was not reached, or refused the session.
            ToolFailed: it died, or the connection broke.
            PayloadTooLarge: it answered more than is read.
        """
        params = CallToolRequestParams.model_validate(
            {"name": tool, "arguments": arguments, "_meta": {"ostinato/request-id": request_id}}
        )
        self.users += 1
        try:
            # Not the library's ``call_tool``: that answers questions of the server, and calls again by itself.
            return render(await self._ask(CallToolRequest(params=params), CallToolResult))
        except asyncio.CancelledError:
            self.suspect = True
            raise
        finally:
            self.users -= 1
            self.used_at = self._loop.time()
            if self.retired:
                self.retire()

    async def _live(self) -> None:
        """Open, list, and stay until closed, idle, or dead."""
        try:
            async with asyncio.timeout(OPEN_SECONDS) as bound:
                transport: AbstractAsyncContextManager[TransportStreams] = (
                    stdio_transport(self._access, self._ending)
                    if self._access.endpoint.command
                    else http_transport(self._access)
                )
                async with Client(transport, cache=None, message_handler=self._heard) as client:
                    self._client = client
                    await self._list()
                    bound.reschedule(None)
                    self._opened.set()
                    await self._until_over()
        except asyncio.CancelledError:
            raise
        except (Exception, BaseExceptionGroup) as error:
            cause = _cause(error)
            self._failure = cause if isinstance(cause, OstinatoError) else self._failed(_reason(cause))
            self._ending.end(_reason(cause))
        finally:
            self._ending.end("the connection was closed")

    async def _until_over(self) -> None:
        over = [asyncio.create_task(self._closing.wait()), asyncio.create_task(self._ending.over.wait())]
        try:
            while True:
                done, _ = await asyncio.wait(over, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if done or (not self.users and self._loop.time() - self.used_at >= IDLE_SECONDS):
                    return
        finally:
            for waiter in over:
                waiter.cancel()

    async def _heard(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.suspect = True

    async def _list(self) -> None:
        found: dict[str, ListedTool] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            request = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor))
            page = await self._ask(request, ListToolsResult)
            for tool in page.tools:
                found[tool.name] = ListedTool(tool.name, tool.description or "", tool.input_schema)
            if len(found) > MAX_TOOLS or not (cursor := page.next_cursor):
                break
        if cursor or len(found) > MAX_TOOLS:
            raise ConfigurationInvalid(
                f"the MCP server {self.server!r} lists more than {MAX_TOOLS} tools, or more than {MAX_PAGES} pages",
                fix="use a server with fewer tools, or one that can be told which to offer",
            )
        self.tools, self.suspect, self.listed_at = found, False, self._loop.time()

    async def _ask(self, request: CallToolRequest | ListToolsRequest, kind: type[Answer]) -> Answer:
        if self._client is None:
            raise self._failed("it is not connected")
        try:
            return await self._while_alive(self._client.session.send_request(request, kind))  # type: ignore[type-var]  # the library asks for its own union of results
        except MCPError as error:
            if BYTE_LIMIT in error.message or self._ending.too_large:
                raise self._too_large() from None
            if error.code == CONNECTION_CLOSED or LOST in error.message:
                raise self._failed(error.message) from None
            if error.code == PARSE_ERROR:
                raise Unreadable(UNREADABLE) from None
            if error.code == NO_SESSION:
                self._ending.end(error.message)
            if error.code in {NOT_SENT, NO_SESSION}:
                raise NotDone(redact(error.message, self._secrets)) from None
            raise McpToolError(redact(error.message, self._secrets)) from None
        except ValidationError:
            raise Unreadable(UNREADABLE) from None

    async def _while_alive(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for an answer for as long as there is a server that may give it."""
        call = asyncio.create_task(work)
        over = asyncio.create_task(self._ending.over.wait())
        try:
            await asyncio.wait({call, over}, return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                return call.result()
            if self._ending.too_large:
                raise self._too_large()
            raise self._failed("it ended")
        finally:
            over.cancel()
            if not call.done():
                call.cancel()
                await asyncio.wait({call}, timeout=1)

    def _failed(self, reason: str) -> ToolFailed:
        reason = redact(self._ending.reason or reason, self._secrets)
        return ToolFailed(
            f"the MCP server {self.server!r} failed: {reason}",
            fix="see that it runs, and what it logs: ostinato mcp TEAM",
        )

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"the MCP server {self.server!r} answered with more than {MAX_ANSWER_BYTES >> 20} MiB",
            fix="let the tool return less",
        )


def _cause(error: BaseException) -> BaseException:
    """The first thing that went wrong, out of the groups that the library wraps it in; one of ours before any other."""
    if isinstance(error, BaseExceptionGroup):
        error = error.subgroup(OstinatoError) or error
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _reason(error: BaseException) -> str:
    """What went wrong, in the server's or the system's words."""
    if isinstance(error, TimeoutError):
        return f"not ready within {OPEN_SECONDS:g} s"
    return error.message if isinstance(error, MCPError) else f"{type(error).__name__}: {error}"
