"""The connections of one worker process: one for each server, opened at first use, checked, opened again after a death."""

import asyncio
from typing import Any

from pydantic import JsonValue, RootModel

from activities.contracts.mcp_endpoint import McpEndpoint, McpToolRef
from activities.contracts.profile import Effect, ToolSpec
from activities.errors import ConfigurationInvalid, ToolFailed
from activities.mcp.base import ListedTool, McpToolError
from activities.mcp.connection import LATE_FIX, Connection, NotDone, Unreadable
from activities.mcp.policy import Access, McpPolicy
from activities.tools.base import Tool, ToolContext

MAX_CONNECTIONS = 32
"""Servers that one worker process is connected to at once."""

READY_SECONDS = 8.0
"""How long one call waits for its server: it fits the time that a call has around the tool's own."""

FRESH_SECONDS = 5.0
"""A listing that is older is asked for again before a call: so a death between calls and a renamed tool are noticed."""

CHECK_SECONDS = 3.0
"""How long a server may take to list again before a call."""

CLOSE_SECONDS = 8.0
"""Longest end of a connection: three times the grace of a process, and some."""


class McpArguments(RootModel[dict[str, JsonValue]]):
    """Any JSON object: the server checks it."""


class McpPool:
    """Implements ``McpClients``."""

    def __init__(
        self, policy: McpPolicy, *, fresh_seconds: float = FRESH_SECONDS, check_seconds: float = CHECK_SECONDS
    ) -> None:
        self._policy = policy
        self._check_seconds = check_seconds
        self._fresh_seconds = fresh_seconds
        self._connections: dict[McpEndpoint, Connection] = {}
        self._all: set[Connection] = set()
        self._closed = False

    async def list_tools(self, server: str, endpoint: McpEndpoint, seconds: float) -> tuple[ListedTool, ...]:
        """As ``McpClients``."""
        access = self._policy.admit(server, endpoint)
        asked_at = asyncio.get_running_loop().time()
        connection = await self._open(server, access, seconds)
        try:
            await connection.relist(seconds, unless_since=asked_at)
        except ToolFailed:
            self._retire(connection)  # the next attempt starts it anew
            raise
        return tuple(connection.tools.values())

    async def bind(self, spec: ToolSpec) -> Tool:
        """As ``McpClients``."""
        if spec.mcp is None:
            raise ValueError(f"{spec.name} is no tool of an MCP server")
        ref = spec.mcp
        access = self._policy.admit(ref.server, ref.endpoint)
        await self._checked(ref, access)

        async def call(context: ToolContext, root: dict[str, Any]) -> str:
            for last in (False, True):
                connection = await self._checked(ref, access)
                try:
                    return await connection.call(ref.tool, root, context.request_id)
                except NotDone as error:
                    if last and spec.effect is Effect.ONCE:
                        # A failure would leave the intent behind, as if nobody knew. It is known.
                        raise McpToolError(f"the server was not reached, and has done nothing: {error}") from None
                    if last:
                        raise ToolFailed(
                            f"the MCP server {ref.server!r} was not reached: {error}", fix=LATE_FIX
                        ) from None
                except Unreadable as error:
                    if spec.effect is Effect.ONCE:
                        # Not the agent's to try again: the server may have done it.
                        raise ToolFailed(
                            f"the MCP server {ref.server!r} failed: {error}",
                            fix="mend it, or use another version of it",
                        ) from None
                    raise
            raise AssertionError("unreachable")

        return Tool(call, spec, McpArguments, "context")

    async def aclose(self) -> None:
        """As ``McpClients``."""
        self._closed = True
        tasks = [connection.task for connection in self._all]
        for connection in self._all:
            connection.close()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    async def _checked(self, ref: McpToolRef, access: Access) -> Connection:
        """A connection whose server has the tool as it was listed.

        Raises:
            ConfigurationInvalid: the tool is gone or another.
            ToolFailed: the server cannot be reached.
        """
        connection = await self._alive(ref.server, access)
        now = connection.tools.get(ref.tool)
        if now is None or now.digest != ref.schema_hash:
            what = "is gone or renamed" if now is None else "has changed"
            raise ConfigurationInvalid(
                f"the tool {ref.tool!r} of the MCP server {ref.server!r} {what} since this run began; it is not called",
                fix=f"look at it, and where it is good: ostinato mcp TEAM --accept {ref.server}, and a new run",
            )
        return connection

    async def _alive(self, server: str, access: Access) -> Connection:
        connection = await self._open(server, access, READY_SECONDS)
        age = asyncio.get_running_loop().time() - connection.listed_at
        if not connection.suspect and age < self._fresh_seconds:
            return connection
        try:
            await connection.check(self._check_seconds)
        except ToolFailed:
            if connection.users and not connection.suspect and not connection.ended:
                return connection  # at work on something else; this call has a bound of its own
            self._retire(connection)
            connection = await self._open(server, access, READY_SECONDS)
        return connection

    async def _open(self, server: str, access: Access, seconds: float) -> Connection:
        if self._closed:
            raise ToolFailed("this worker is shutting down", fix="start another one, or wait for it")
        connection = self._connections.get(access.endpoint)
        if connection is None or connection.ended:
            self._make_room(server)
            connection = Connection(server, access)
            self._connections[access.endpoint] = connection
            self._all.add(connection)
            connection.task.add_done_callback(lambda _: self._forget(access.endpoint, connection))
        await connection.opened(seconds)
        return connection

    def _retire(self, connection: Connection) -> None:
        """No new calls; those under way may end."""
        for endpoint, current in list(self._connections.items()):
            if current is connection:
                del self._connections[endpoint]
        connection.retire()

    def _make_room(self, server: str) -> None:
        if len(self._all) < MAX_CONNECTIONS:
            return
        idle = [connection for connection in self._connections.values() if not connection.users]
        if not idle:
            raise ToolFailed(
                f"no connection is free for the MCP server {server!r}: {MAX_CONNECTIONS} are in use",
                fix="start more workers, or let fewer MCP servers be used at once",
            )
        self._retire(min(idle, key=lambda connection: connection.used_at))

    def _forget(self, endpoint: McpEndpoint, connection: Connection) -> None:
        self._all.discard(connection)
        if self._connections.get(endpoint) is connection:
            del self._connections[endpoint]
        if not connection.task.cancelled():
            connection.task.exception()
