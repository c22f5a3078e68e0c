"""``ostinato mcp``: the MCP servers of a team, what they offer now, and whether that is what was accepted."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from activities.contracts.mcp import SEPARATOR, McpServer, server_of
from activities.errors import ConfigurationInvalid, OstinatoError
from activities.mcp.base import ListedTool, McpClients, listing_hash
from activities.mcp.listing import freeze_tools, own_name
from activities.mcp.pins import McpPin, Pins, difference
from scripts.session import open_session, quiet
from scripts.terminal import COMPLETE, FAILED, Json, Output, fix_of
from workers.mcp import mcp_clients
from workers.settings import load_settings
from workers.team_file import load_team, nearest
from workflows.mcp import mcp_tools
from workflows.teams.tree import TeamSpec


async def mcp(
    team: Path, /, *, accept: Annotated[str, Parameter(allow_leading_hyphen=False)] = "", as_json: Json = False
) -> int:
    """Show the MCP servers of a team: their tools, and whether they are those that were accepted.

    Connects to each server that the settings allow, from this machine. The first run of a team accepts what is there;
    a change is refused by every run until it is accepted here.

    Args:
        team: The team file.
        accept: A server whose tools are accepted as they are now.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    spec = load_team(team)
    if accept and accept not in spec.mcp:
        raise ConfigurationInvalid(f"the team declares no MCP server {accept!r}", fix=nearest(accept, sorted(spec.mcp)))
    async with open_session(settings, output) as session:
        pins, clients = Pins(session.deployment.store), mcp_clients(settings)
        try:
            shown = [
                await _look(name, spec, clients, pins, accept=name == accept)
                for name in spec.mcp
                if accept in {"", name}
            ]
        finally:
            await clients.aclose()
    output.object({"team": spec.team, "servers": shown})
    for server in shown:
        _print(server, output)
    if not shown:
        output.text("the team declares no MCP servers")
    return COMPLETE if all(server["state"] in {"new", "accepted"} for server in shown) else FAILED


async def _look(name: str, team: TeamSpec, clients: McpClients, pins: Pins, *, accept: bool) -> dict[str, Any]:
    server = team.mcp[name]
    used = {tool for tools in mcp_tools(team).values() for tool in tools if server_of(tool, team.mcp) == name}
    granted = {tool: own_name(tool, name, server) for tool in sorted(used)}
    shown: dict[str, Any] = {"server": name, "at": server.url or shlex.join(server.command)}
    try:
        listed = await clients.list_tools(name, server.endpoint(), server.timeout_seconds)
        if accept:
            await pins.accept(team.team, name, listed)
        there = {tool.name: tool.digest for tool in listed}
        shown["schema_hash"] = listing_hash({tool: there[tool] for tool in granted.values() if tool in there})
        shown["tools"] = [_tool(tool, name, server, granted) for tool in listed]
        freeze_tools(name, server, listed, granted)
        if server.schema_hash is not None:
            shown |= {"state": "accepted", "reason": "the team file has its hash"}
        else:
            shown |= _state(name, await pins.read(team.team, name), listed, granted.values())
    except OstinatoError as error:
        shown |= {"state": "refused", "reason": str(error), "fix": fix_of(error)}
    return shown


def _state(name: str, pin: McpPin | None, listed: Sequence[ListedTool], used: Iterable[str]) -> dict[str, str]:
    if pin is None:
        return {"state": "new", "reason": "the first run accepts it as it is"}
    found = difference(pin, listed)
    if found.touches(used):
        return {"state": "changed", "reason": str(found), "fix": f"ostinato mcp TEAM --accept {name}"}
    return {"state": "accepted", "reason": str(found)}


def _tool(tool: ListedTool, name: str, server: McpServer, granted: dict[str, str]) -> dict[str, Any]:
    ours = next((key for key, told in server.tools.items() if (told.tool or key) == tool.name), tool.name)
    return {
        "tool": tool.name,
        "granted_as": next((key for key, theirs in granted.items() if theirs == tool.name), None),
        "grant": f"{name}{SEPARATOR}{ours}",
        "effect": server.told(ours).effect.value,
        "schema_hash": tool.digest,
        "description": tool.description[:4000],
    }


def _print(server: dict[str, Any], output: Output) -> None:
    output.text(f"{server['server']}  {server['state']}  {server['at']}")
    output.text(f"  {server['reason']}")
    if "fix" in server:
        output.text(f"  fix: {server['fix']}")
    for tool in server.get("tools", ()):
        mark = "*" if tool["granted_as"] else " "
        first = tool["description"].split("\n")[0][:80]
        output.text(f"  {mark} {tool['grant']}  {tool['effect']}  {tool['schema_hash'][:12]}  {first}")
