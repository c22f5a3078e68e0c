"""MCP as a deployment sees it: which servers it allows, and which names of a team's agents mean their tools."""

from activities.contracts.mcp import SEPARATOR, server_of
from activities.errors import ConfigurationInvalid
from activities.mcp.base import McpClients, McpOff
from activities.mcp.policy import McpPolicy
from workers.settings import Settings
from workers.team_file import nearest
from workflows.teams.agents import AgentSpec
from workflows.teams.tree import TeamSpec


def mcp_policy(settings: Settings) -> McpPolicy:
    """What the settings say of MCP."""
    secrets = {name: value.get_secret_value() for name, value in settings.mcp_secrets.items()}
    return McpPolicy(settings.mcp_allowed, secrets)


def mcp_clients(settings: Settings) -> McpClients:
    """The connections of one worker process. The library is loaded only where a server is allowed."""
    if not settings.mcp_allowed:
        return McpOff()
    from activities.mcp.pool import McpPool  # noqa: PLC0415 -- no other pool loads the library

    return McpPool(mcp_policy(settings))


def split_mcp_tools(team: TeamSpec, agent: AgentSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """An agent's own tools, and those of MCP servers, by name and in order.

    Raises:
        ConfigurationInvalid: a name ``server__tool`` of a server that the team does not declare.
    """
    names = tuple(dict.fromkeys(agent.tools))
    theirs = tuple(name for name in names if is_mcp_tool(team, name))
    return tuple(name for name in names if name not in theirs), theirs


def is_mcp_tool(team: TeamSpec, name: str) -> bool:
    """Whether a granted name means a tool of one of the team's MCP servers.

    Raises:
        ConfigurationInvalid: a name ``server__tool`` of a server that the team does not declare.
    """
    if server_of(name, team.mcp):
        return True
    if team.mcp and SEPARATOR in name:
        server = name.split(SEPARATOR, maxsplit=1)[0]
        raise ConfigurationInvalid(
            f"the tool {name!r} is of the MCP server {server!r}, which the team does not declare",
            fix=nearest(server, sorted(team.mcp)),
        )
    return False
