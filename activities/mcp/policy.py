"""Which MCP servers a deployment allows, and which secrets each of them may get.

A team file proposes a command or an address; only what is allowed here is started or reached. A command is allowed by
the words that it begins with, so ``python`` alone would allow any program; an address by origin and folder.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from activities.contracts.mcp_endpoint import McpEndpoint
from activities.errors import ConfigurationInvalid
from activities.mcp.base import OFF_FIX


class McpAllowed(BaseModel):
    """One entry of the setting: a command or an address, and the secrets that may go there.

    Written as a text (an address, or a command as one would type it), a list of words, or in full.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    url: str = ""
    secrets: Annotated[tuple[str, ...], Field(max_length=32)] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"url": value} if "://" in value else {"command": shlex.split(value)}
        return {"command": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("an entry is either a command or an address")
        if self.url and (not _is_plain(self.url) or urlsplit(self.url).scheme not in {"http", "https"}):
            raise ValueError("an address is http:// or https://, a host, and a path without dots")
        return self

    def covers(self, endpoint: McpEndpoint) -> bool:
        """Whether this entry allows the command or address."""
        if self.command:
            return endpoint.command[: len(self.command)] == self.command
        if not endpoint.url or not _is_plain(endpoint.url):
            return False
        allowed, asked = urlsplit(self.url), urlsplit(endpoint.url)
        if (allowed.scheme, allowed.hostname, _port(self.url)) != (asked.scheme, asked.hostname, _port(endpoint.url)):
            return False
        folder = allowed.path.rstrip("/")
        return asked.path.rstrip("/") == folder or asked.path.startswith(folder + "/")


@dataclass(frozen=True)
class Access:
    """An allowed server with the values that it gets. Stays on the worker."""

    endpoint: McpEndpoint
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The credentials of an address."""
        token = self.endpoint.token
        return {"Authorization": f"Bearer {self.values[token]}"} if token else {}


@dataclass(frozen=True)
class McpPolicy:
    """What the settings say of MCP."""

    allowed: Sequence[McpAllowed] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def admit(self, server: str, endpoint: McpEndpoint) -> Access:
        """The server with its secrets, where it is allowed.

        Raises:
            ConfigurationInvalid: it is not, or one of its secrets is not for it or not set. No value is named.
        """
        covering = [entry for entry in self.allowed if entry.covers(endpoint)]
        if not covering:
            what = shlex.join(endpoint.command) if endpoint.command else endpoint.url
            raise ConfigurationInvalid(f"the MCP server {server!r} ({what}) is not allowed here", fix=OFF_FIX)
        names = [*endpoint.env, *([endpoint.token] if endpoint.token else [])]
        for name in names:
            if not any(name in entry.secrets for entry in covering):
                raise ConfigurationInvalid(
                    f"the MCP server {server!r} may not have the secret {name!r}",
                    fix="name it under secrets of the server's entry in mcp_allowed",
                )
            if not self.secrets.get(name):
                raise ConfigurationInvalid(
                    f"the secret {name!r} of the MCP server {server!r} is not set", fix="set it in mcp_secrets"
                )
        return Access(endpoint, {name: self.secrets[name] for name in names})


def _is_plain(url: str) -> bool:
    """Whether an address means what it says: no user, no fragment, no way out of its folder."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- raises where it is none
    except ValueError:
        return False
    path = unquote(unquote(parts.path))
    steps = path.replace("\\", "/").split("/")
    return bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment and not {".", ".."} & set(steps)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
