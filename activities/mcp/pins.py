"""Pins: what a server's tools were when they were accepted. Trust on first use, and a change is refused by name.

A tool's description is text that a model obeys, so a server that changes it changes the agents. A pin belongs to a
team and a server's name, and outlives every run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from activities.contracts.base import Digest, WireModel
from activities.contracts.mcp import MAX_TOOLS
from activities.contracts.mcp_endpoint import McpToolName
from activities.errors import ConfigurationInvalid
from activities.mcp.base import ListedTool
from activities.object_store import ObjectStore, encode_model, parse_model

Digests = Annotated[dict[McpToolName, Digest], Field(max_length=MAX_TOOLS)]


class McpPin(WireModel):
    """All tools of a server as they were accepted, those that nobody uses included."""

    tools: Digests


@dataclass(frozen=True)
class Difference:
    """What of a server is not as accepted."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def __str__(self) -> str:
        parts = [
            f"{word}: {', '.join(names[:10])}{' and more' if len(names) > 10 else ''}"
            for word, names in (("changed", self.changed), ("removed", self.removed), ("added", self.added))
            if names
        ]
        return "; ".join(parts) or "nothing changed"

    def touches(self, wanted: Iterable[str]) -> bool:
        """Whether one of these tools is meant."""
        return not {*self.changed, *self.removed, *self.added}.isdisjoint(wanted)


class Pins:
    """The pins of a deployment, in its object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def read(self, team: str, server: str) -> McpPin | None:
        """What was accepted, if anything was."""
        data = await self._store.read(_path(team, server), scope_id=_scope(team))
        return parse_model(data, McpPin) if data is not None else None

    async def check(self, team: str, server: str, listed: Sequence[ListedTool], wanted: Iterable[str]) -> None:
        """Pin what is not pinned yet, and refuse a wanted tool that is not as pinned.

        Raises:
            ConfigurationInvalid: naming what changed.
        """
        pin = _pin(listed)
        if await self._store.create(_path(team, server), encode_model(pin), scope_id=_scope(team)):
            return
        accepted = await self.read(team, server)
        if accepted and (found := difference(accepted, listed)).touches(wanted):
            raise ConfigurationInvalid(
                f"the tools of the MCP server {server!r} are not those that were accepted: {found}",
                fix=f"look at them, and where they are good: ostinato mcp TEAM --accept {server}",
            )

    async def accept(self, team: str, server: str, listed: Sequence[ListedTool]) -> None:
        """Pin what is there now, over what was."""
        await self._store.write(_path(team, server), encode_model(_pin(listed)), scope_id=_scope(team))


def difference(pin: McpPin, listed: Sequence[ListedTool]) -> Difference:
    """What of a listing is not as pinned."""
    now = _pin(listed).tools
    return Difference(
        changed=tuple(name for name in pin.tools if name in now and now[name] != pin.tools[name]),
        removed=tuple(name for name in pin.tools if name not in now),
        added=tuple(name for name in now if name not in pin.tools),
    )


def _pin(listed: Sequence[ListedTool]) -> McpPin:
    return McpPin(tools={tool.name: tool.digest for tool in sorted(listed, key=lambda tool: tool.name)})


def _path(team: str, server: str) -> str:
    return f"mcp/{team}/{server}.json"


def _scope(team: str) -> str:
    # Where blobs are encrypted by lineage, the pins of a team are one of their own.
    return f"mcp/{team}"
