"""Tools and grants: every tool is known and allowed, every grant is for a tool that somebody below it has."""

from collections.abc import Collection

from activities.contracts.grants import Grants
from activities.contracts.mcp import SEPARATOR, server_of
from activities.contracts.profile import Effect
from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workers.checks.names import not_known
from workflows.teams.platform import PLATFORM_TOOLS, TRANSFER
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, CallNode


def tools(view: TeamView) -> Findings:
    """Names of tools that there are not, and checks that would do something."""
    for name, agent in view.team.agents.items():
        for index, tool in enumerate(agent.tools):
            yield from _known(view, ("agents", name, "tools", str(index)), f"the agent {name!r}", tool)
        for check in agent.output.checks if agent.output else ():
            at = ("agents", name, "output", "checks")
            yield from _known(view, at, f"the agent {name!r}", check, what="check")
            if check in view.tools and view.tools[check].spec.effect is not Effect.READ:
                yield Finding(at, f"the check {check!r} of the agent {name!r} has effects", "use a tool of effect read")
    for place in view.places:
        if isinstance(place.node, CallNode):
            yield from _known(view, (*place.at, "tool"), f"the call {place.node.name!r}", place.node.tool)


def _known(view: TeamView, at: At, who: str, tool: str, what: str = "tool") -> Findings:
    if tool in PLATFORM_TOOLS and at[0] == "agents" and what == "tool":
        if tool == TRANSFER:
            yield Finding(
                at, f"{who} names the tool 'transfer', which comes with transfers_to", "name the agents there"
            )
        return  # the platform has it, and no deployment
    if what == "tool" and server_of(tool, view.team.mcp):
        return
    if what == "tool" and view.team.mcp and SEPARATOR in tool:
        server = tool.split(SEPARATOR, maxsplit=1)[0]
        yield Finding(
            at,
            f"the tool {tool!r} is of the MCP server {server!r}, which the team does not declare",
            not_known(server, view.team.mcp),
        )
    elif view.knows_tools and tool not in view.tools:
        yield Finding(at, f"{who} names the {what} {tool!r}, which is not known", not_known(tool, view.tools))


def grants(view: TeamView) -> Findings:
    """Grants that nobody can use, and tools that a grant above does not allow."""
    below: dict[At, set[str]] = {place.at: set() for place in view.places}
    for place in view.places:
        for above in (place, *place.chain):
            below[above.at].update(_tools(view, place))
    for place in view.places:
        granted = place.node.grants
        if granted is not None:
            here = (*place.at, "grants")
            yield from _unused(here, f"{place.label} grants the tool", granted, below[place.at], "nobody below it has")
            yield from _conditions(view, here, place.label, granted)
            for tool in granted:
                yield from _allowed(place, (*here, tool), f"{place.label} grants", tool)
        if not isinstance(place.node, AgentNode | CallNode):
            continue
        at = (*place.at, "tool") if isinstance(place.node, CallNode) else place.at
        for tool in _tools(view, place):
            if granted is not None and tool not in granted:
                yield _refused(at, f"{place.label} has", tool, f"its own grants ({_list(granted)})")
            yield from _allowed(place, at, f"{place.label} has", tool)
    for name, agent in view.team.agents.items():
        own: Grants = agent.grants
        here = ("agents", name, "grants")
        yield from _unused(here, f"the agent {name!r} grants the tool", own, agent.tools, "it does not have")
        yield from _conditions(view, here, f"the agent {name!r}", own)


def _tools(view: TeamView, place: Place) -> tuple[str, ...]:
    """The tools of a node itself, those of the agents that it may be transferred to included."""
    if isinstance(place.node, AgentNode) and place.node.agent in view.team.agents:
        every = (view.team.agents[name].tools for name in owners(view.team, place.node.agent))
        return tuple(dict.fromkeys(tool for tools in every for tool in tools))
    return view.tools_of(place.node)


def _unused(at: At, says: str, granted: Grants, have: Collection[str], lack: str) -> Findings:
    for tool in granted:
        if tool not in have:
            yield Finding((*at, tool), f"{says} {tool!r}, which {lack}", not_known(tool, have), Weight.ERROR)


def _conditions(view: TeamView, at: At, who: str, granted: Grants) -> Findings:
    for tool, grant in granted.items():
        known = view.tools[tool].arguments.model_fields if tool in view.tools else grant.arguments
        for argument in grant.arguments:
            if argument not in known:
                yield Finding(
                    (*at, tool, "arguments", argument),
                    f"{who} grants the tool {tool!r} under a condition on {argument!r}, which is no argument of it",
                    not_known(argument, known),
                )


def _allowed(place: Place, at: At, says: str, tool: str) -> Findings:
    for above in place.chain:
        if above.node.grants is not None and tool not in above.node.grants:
            yield _refused(at, says, tool, f"the grants of {above.label} above it ({_list(above.node.grants)})")
            return


def _refused(at: At, says: str, tool: str, who: str) -> Finding:
    return Finding(
        at,
        f"{says} the tool {tool!r}, which {who} do not allow",
        f"grant {tool} there too, or take the tool away: below a grant there is at most what it allows",
    )


def _list(granted: Grants) -> str:
    return ", ".join(sorted(granted)) or "none"
