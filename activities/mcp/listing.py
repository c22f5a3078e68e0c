"""The activity ``mcp.list``: servers' tools become part of a run's frozen agents."""

import asyncio
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence

from temporalio import activity

from activities.contracts.mcp import SEPARATOR, McpListing, McpListRequest, McpServer, server_of
from activities.contracts.mcp_endpoint import McpToolRef
from activities.contracts.profile import AgentProfile, ToolSpec
from activities.contracts.steps import StepKey
from activities.errors import ConfigurationInvalid
from activities.heartbeats import durable_activity
from activities.mcp.base import MAX_SCHEMA_BYTES, ListedTool, McpClients, listing_hash
from activities.mcp.pins import Pins
from activities.object_store import ObjectStore
from activities.prompts import profile_tokens
from activities.records import Records, request_hash

MAX_DESCRIPTION = 4000


class McpActivities:
    """The listing. The connections are injected on the worker."""

    def __init__(self, store: ObjectStore, clients: McpClients) -> None:
        self._store = store
        self._records = Records(store)
        self._pins = Pins(store)
        self._clients = clients

    @activity.defn(name="mcp.list")
    async def list_tools(self, request: McpListRequest) -> McpListing:
        """Answer from the record, or list, check the pins, freeze and record.

        Raises:
            ApplicationError: ``configuration_invalid`` (a server that is not allowed, a tool that it has not or that is
                not as accepted; not retried), ``tool_failed`` (a server that cannot be reached; retried),
                ``payload_too_large`` (not retried), ``store_unavailable`` (retried).
        """
        key = StepKey(scope_id=request.scope_id, path="mcp", step="list")
        async with durable_activity(key):
            hashed = request_hash(request.model_dump(mode="json"))
            if found := await self._records.find(key, hashed, McpListing):
                return found.result
            wanted = sorted({name for names in request.wanted.values() for name in names})
            used = sorted({name for tool in wanted if (name := server_of(tool, request.servers))})
            # All to their ends, each has a bound: the first refusal must not leave other listings running.
            found_specs = await asyncio.gather(
                *(self._specs(request, name, wanted) for name in used), return_exceptions=True
            )
            specs: dict[str, ToolSpec] = {}
            for result in found_specs:
                if isinstance(result, BaseException):
                    raise result
                specs |= {spec.name: spec for spec in result}
            listing = await self._freeze(request, specs)
            return await self._records.settle(key, hashed, listing, activity.info().workflow_run_id or "")

    async def _specs(self, request: McpListRequest, name: str, wanted: Iterable[str]) -> list[ToolSpec]:
        server = request.servers[name]
        listed = await self._clients.list_tools(name, server.endpoint(), server.timeout_seconds)
        granted = {tool: own_name(tool, name, server) for tool in wanted if server_of(tool, request.servers) == name}
        specs = freeze_tools(name, server, listed, granted)
        if server.schema_hash is None:
            await self._pins.check(request.team, name, listed, granted.values())
        return specs

    async def _freeze(self, request: McpListRequest, specs: Mapping[str, ToolSpec]) -> McpListing:
        profiles, tokens = {}, {}
        for node, names in request.wanted.items():
            profile = await self._store.get_model(request.scope_id, request.profiles[node], AgentProfile)
            own = tuple(spec for spec in profile.tools if spec.name not in specs)
            profile = profile.model_copy(update={"tools": (*own, *(specs[name] for name in names if name in specs))})
            profiles[node] = await self._store.put_model(request.scope_id, profile)
            tokens[node] = profile_tokens(profile)
        seconds = {spec.name: spec.timeout_seconds for spec in specs.values()}
        return McpListing(profiles=profiles, prompt_tokens=tokens, tool_seconds=seconds)


def own_name(granted: str, name: str, server: McpServer) -> str:
    """The server's own name of a granted tool ``server__tool``."""
    ours = granted.removeprefix(name + SEPARATOR)
    return server.told(ours).tool or ours


def freeze_tools(
    name: str, server: McpServer, listed: Sequence[ListedTool], granted: Mapping[str, str]
) -> list[ToolSpec]:
    """The granted tools of one server as they are listed.

    Args:
        name: what the team calls the server.
        server: what the team says of it.
        listed: what the server says.
        granted: ``server__tool`` to the server's own name.

    Raises:
        ConfigurationInvalid: the server has no such tool, one that cannot be offered, or not those of the team's hash.
    """
    there = {tool.name: tool for tool in listed}
    specs = []
    for ours, theirs in sorted(granted.items()):
        if theirs not in there:
            near = difflib.get_close_matches(theirs, there, n=1)
            known = ", ".join(sorted(there)[:20]) or "none"
            raise ConfigurationInvalid(
                f"the MCP server {name!r} has no tool {theirs!r}",
                fix=f"did you mean {near[0]!r}?" if near else f"its tools are: {known}",
            )
        tool = there[theirs]
        if len(json.dumps(tool.schema).encode()) > MAX_SCHEMA_BYTES or tool.schema.get("type") != "object":
            raise ConfigurationInvalid(
                f"the tool {theirs!r} of the MCP server {name!r} takes no JSON object, or its schema is over "
                f"{MAX_SCHEMA_BYTES >> 10} KiB",
                fix="do without it, or use another server",
            )
        told = server.told(ours.removeprefix(name + SEPARATOR))
        specs.append(
            ToolSpec(
                name=ours,
                description=tool.description[:MAX_DESCRIPTION],
                parameters=tool.schema,
                effect=told.effect,
                timeout_seconds=told.timeout_seconds or server.timeout_seconds,
                mcp=McpToolRef(server=name, endpoint=server.endpoint(), tool=theirs, schema_hash=tool.digest),
            )
        )
    found = listing_hash({theirs: there[theirs].digest for theirs in granted.values()})
    if server.schema_hash is not None and server.schema_hash != found:
        raise ConfigurationInvalid(
            f"the tools of the MCP server {name!r} have the hash {found}, not the team's {server.schema_hash}",
            fix=f"look at them with ostinato mcp TEAM, and where they are good write schema_hash: {found}",
        )
    return specs
