"""What the rest knows of MCP: tools as a server lists them, their hashes, and the Protocol of the connections.

The library behind it is loaded by the pool that makes the connections, and by nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from activities.contracts.mcp_endpoint import McpEndpoint
from activities.contracts.profile import ToolSpec
from activities.errors import ConfigurationInvalid
from activities.object_store import digest_of
from activities.tools.base import Tool

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Longest message that is read of a server: as much as is kept of any tool's result."""

MAX_PAGES = 20
"""Pages of one listing."""

MAX_SCHEMA_BYTES = 32 * 1024
"""Longest input schema of one tool. The model pays for it in every prompt."""

OFF_FIX = "allow it in the setting mcp_allowed of this deployment's workers, or remove it from the team"


class McpToolError(Exception):
    """A server's own error answer. The agent gets it as the tool's error."""


@dataclass(frozen=True)
class ListedTool:
    """One tool as its server lists it."""

    name: str
    description: str
    schema: dict[str, Any] = field(hash=False)

    @property
    def digest(self) -> str:
        """Of all that a model is told of the tool."""
        return _digest([self.name, self.description, self.schema])


def listing_hash(digests: Mapping[str, str]) -> str:
    """The hash of several tools, for the team file: the server's name of each, and its digest."""
    return _digest(dict(digests))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_of(text.encode("utf-8", "surrogatepass"))


class McpClients(Protocol):
    """Connections to MCP servers, shared by all calls of one worker process."""

    async def list_tools(self, server: str, endpoint: McpEndpoint, seconds: float) -> tuple[ListedTool, ...]:
        """Ask the server for its tools, now.

        Raises:
            ConfigurationInvalid: the deployment does not allow the server, or it lists more than is taken.
            ToolFailed: it cannot be started or reached, or does not answer in time.
        """

    async def bind(self, spec: ToolSpec) -> Tool:
        """The tool behind a spec with ``mcp``, ready to be called: allowed, connected, and still what was listed.

        Raises:
            ConfigurationInvalid: the deployment does not allow the server, or the tool has changed.
            ToolFailed: the server cannot be started or reached.
        """

    async def aclose(self) -> None:
        """End all connections and the processes behind them."""


class McpOff:
    """The connections of a deployment that allows no MCP server."""

    async def list_tools(self, server: str, endpoint: McpEndpoint, seconds: float) -> tuple[ListedTool, ...]:
        """Refuse."""
        del endpoint, seconds
        raise _off(server)

    async def bind(self, spec: ToolSpec) -> Tool:
        """Refuse."""
        raise _off(spec.mcp.server if spec.mcp else spec.name)

    async def aclose(self) -> None:
        """There is nothing to end."""


def _off(server: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"the MCP server {server!r} is not allowed: MCP is off in this deployment", fix=OFF_FIX)
