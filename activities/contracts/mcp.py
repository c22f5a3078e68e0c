"""MCP servers as a team declares them, and the listing that freezes their tools into a run's agents."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from activities.contracts.base import Digest, Name, RunId, Tokens, WireModel
from activities.contracts.mcp_endpoint import McpEndpoint, McpToolName
from activities.contracts.profile import Effect

SEPARATOR = "__"
"""Between the server's name and the tool's: an agent is granted ``server__tool``."""

MAX_SERVERS = 16
"""MCP servers that one team may declare."""

MAX_TOOLS = 200
"""Tools that one server may have."""

Seconds = Annotated[float, Field(gt=0, le=3600)]


class McpTool(WireModel):
    """What a team says of one tool. What a server says of its own tools' effects is not believed."""

    effect: Effect = Effect.ONCE
    tool: McpToolName | None = None
    """The server's name for it, where that is not the name that the team gives it."""
    timeout_seconds: Seconds | None = None
    """Instead of the server's."""


class McpServer(McpEndpoint):
    """One MCP server of a team. Agents get its tools one by one, as ``server__tool``."""

    tools: Annotated[dict[Name, McpTool], Field(max_length=MAX_TOOLS)] = {}
    """Tools of which there is something to say. One that is not named here has the effect ``once``."""
    timeout_seconds: Seconds = 30.0
    """Longest time of one call, and of the listing."""
    schema_hash: Digest | None = None
    """The tools that the agents use have to have exactly this hash (``ostinato mcp TEAM`` shows it)."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [told.tool or name for name, told in self.tools.items()]
        if len(names) != len(set(names)):
            raise ValueError("two of its tools mean the same tool of the server")
        return self

    def told(self, name: str) -> McpTool:
        """What the team says of the tool that it names so."""
        return self.tools.get(name, McpTool())

    def endpoint(self) -> McpEndpoint:
        """What a call needs of it."""
        return McpEndpoint(command=self.command, env=self.env, url=self.url, token=self.token)


class McpListRequest(WireModel):
    """List the servers' tools, check their pins, and add them to the profiles of the agents that use them."""

    scope_id: RunId
    team: Name
    servers: Annotated[dict[Name, McpServer], Field(max_length=MAX_SERVERS)]
    profiles: Annotated[dict[str, Digest], Field(max_length=2000)]
    """Node name to AgentProfile blob, without these tools."""
    wanted: Annotated[dict[str, tuple[Name, ...]], Field(max_length=2000)]
    """Node name to the tools ``server__tool`` of its agent."""


class McpListing(WireModel):
    """The agents with their tools, and what the workflow has to know of them."""

    profiles: Annotated[dict[str, Digest], Field(max_length=2000)]
    prompt_tokens: dict[str, Tokens]
    """Node name to the estimated length of what each of its prompts begins with, these tools included."""
    tool_seconds: dict[str, float]
    """Tool name to the bound of one call."""


def server_of(tool: str, servers: Iterable[str]) -> str | None:
    """The declared server that a granted tool ``server__tool`` belongs to; ``None``: it is no tool of theirs."""
    fitting = [name for name in servers if tool.startswith(name + SEPARATOR)]
    return max(fitting, key=len, default=None)
