"""A run whose agents use MCP servers learns of their tools first, once, and keeps what it learnt."""

from temporalio import workflow

from workflows import steps

with workflow.unsafe.imports_passed_through():
    from activities.contracts.mcp import SEPARATOR, McpListRequest, server_of
    from activities.contracts.profile import Effect
    from workflows.contracts import RunInput
    from workflows.teams.routes import owners
    from workflows.teams.tree import AgentNode, CallNode, TeamSpec, plan_name, walk


async def with_mcp_tools(run: RunInput) -> RunInput:
    """The run with its servers' tools in the plans. Costs nothing where there are none, or where it was done.

    Raises:
        ActivityError: read it with ``workflows.failures``.
    """
    if run.task is not None or run.goes_on:
        return run  # nested, or continued: its input holds them
    wanted = {name: tools for name, tools in mcp_tools(run.team).items() if name in run.plans}
    if not wanted:
        return run
    servers = {name: server for name, server in run.team.mcp.items() if _is_used(name, wanted, run.team)}
    request = McpListRequest(
        scope_id=run.scope_id,
        team=run.team.team,
        servers=servers,
        profiles={name: run.plans[name].profile for name in wanted},
        wanted=wanted,
    )
    listing = await steps.list_mcp_tools(
        request,
        seconds=max(server.timeout_seconds for server in servers.values()),
        summary=f"tools of {', '.join(servers)}"[:200],
    )
    plans = dict(run.plans)
    for name, profile in listing.profiles.items():
        effects = (*plans[name].effects, *(tool for tool in wanted[name] if has_effect(tool, run.team)))
        once = (*plans[name].once, *(tool for tool in wanted[name] if effect_of_mcp(tool, run.team) is Effect.ONCE))
        plans[name] = plans[name].model_copy(
            update={"profile": profile, "prompt_tokens": listing.prompt_tokens[name], "effects": effects, "once": once}
        )
    return run.model_copy(update={"plans": plans, "tool_seconds": {**run.tool_seconds, **listing.tool_seconds}})


def mcp_tools(team: TeamSpec) -> dict[str, tuple[str, ...]]:
    """The agents and calls that use tools of MCP servers, by their names, with those tools."""
    found: dict[str, tuple[str, ...]] = {}
    for node in walk(team.root):
        if isinstance(node, AgentNode):
            named = {name: team.agents[name].tools for name in owners(team, node.agent) if name in team.agents}
            if plan_name(node) != node.agent and node.agent in team.agents:
                named[plan_name(node)] = team.agents[node.agent].tools
        else:
            named = {node.name: (node.tool,)} if isinstance(node, CallNode) else {}
        for name, tools in named.items():
            if theirs := tuple(dict.fromkeys(tool for tool in tools if server_of(tool, team.mcp))):
                found[name] = theirs
    return found


def has_effect(tool: str, team: TeamSpec) -> bool:
    """Whether the team's word on a tool ``server__tool`` is that it has effects; it has where nothing is said."""
    return effect_of_mcp(tool, team) not in {None, Effect.READ}


def effect_of_mcp(tool: str, team: TeamSpec) -> Effect | None:
    """The team's word on a tool ``server__tool``; ``None``: it is no tool of an MCP server."""
    server = server_of(tool, team.mcp)
    return team.mcp[server].told(tool.removeprefix(server + SEPARATOR)).effect if server else None


def _is_used(server: str, wanted: dict[str, tuple[str, ...]], team: TeamSpec) -> bool:
    return any(server_of(tool, team.mcp) == server for tools in wanted.values() for tool in tools)
