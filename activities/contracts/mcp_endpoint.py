"""Where an MCP server is and which of its tools is meant: all that one call needs to know.

Secrets are named, never held: values come from the deployment's settings, on the worker.
"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from activities.contracts.base import Digest, Line, Name, WireModel

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
"""The name of an environment variable."""

McpToolName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A tool's name as its server says it, which may have characters that names of ours have not."""


class McpEndpoint(WireModel):
    """One MCP server: a program spoken to over its standard input and output, or an address over streamable HTTP."""

    command: Annotated[tuple[Line, ...], Field(max_length=64)] = ()
    """The program and its arguments; never a shell line. Only what the setting ``mcp_allowed`` allows is started."""
    env: Annotated[tuple[EnvName, ...], Field(max_length=32)] = ()
    """Names of the setting ``mcp_secrets`` that the program gets as environment variables."""
    url: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$", max_length=2000)] = ""
    """The address instead of a command."""
    token: Name | None = None
    """The name of the setting ``mcp_secrets`` that is sent to the address as bearer token."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either a command or a url")
        if self.env and self.url:
            raise ValueError("env belongs to a command")
        if self.token and self.command:
            raise ValueError("token belongs to a url")
        return self


class McpToolRef(WireModel):
    """What makes a granted tool a tool of an MCP server."""

    server: Name
    endpoint: McpEndpoint
    tool: McpToolName
    schema_hash: Digest
    """Of the tool as it was listed; a server whose tool is another by now is not called."""
