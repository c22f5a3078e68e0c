"""Tools that are called at most once, where a pattern may have use for a call twice, or end it under way."""

from collections.abc import Iterator

from activities.contracts.profile import Effect
from workers.checks.findings import Finding, Findings, TeamView
from workflows.mcp import effect_of_mcp
from workflows.teams.kinds.fan_out import REDUCER
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, CallNode, DebateNode, FanOutNode, Node, walk


def once(view: TeamView) -> Findings:
    """Races that end such a call under way, and debates that make it in every round."""
    for place in view.places:
        match place.node:
            case FanOutNode(at_least=at_least) if at_least != "all":
                where = [(part.place, part.node) for part in place.node.parts() if part.place != REDUCER]
                why = "does not wait for all its branches, and {} may be ended while it calls {!r}, which is called at most"
                why += " once: nobody would know whether it was done"
                fix = "wait for all (at_least: all), or call it in a step after the fan-out"
            case DebateNode(rounds=rounds, debaters=debaters) if rounds:
                where = [(f"debaters.{name}", node) for name, node in debaters.items()]
                why = "votes again after the first round, and {} would call {!r}, which is called at most once, in each"
                fix = "call it in a step before or after the debate, or set rounds: 0"
            case _:
                continue
        for part, node in where:
            tool = next(_tools(view, node), "")
            if tool:
                yield Finding((*place.at, *part.split(".")), f"{place.label} {why.format(part, tool)}", fix)


def _tools(view: TeamView, node: Node) -> Iterator[str]:
    """The tools below a node that are called at most once."""
    for inner in walk(node):
        names: tuple[str, ...] = (inner.tool,) if isinstance(inner, CallNode) else ()
        if isinstance(inner, AgentNode) and inner.agent in view.team.agents:
            names = tuple(tool for name in owners(view.team, inner.agent) for tool in view.team.agents[name].tools)
        yield from (tool for tool in names if _effect(view, tool) is Effect.ONCE)


def _effect(view: TeamView, tool: str) -> Effect | None:
    return view.tools[tool].spec.effect if tool in view.tools else effect_of_mcp(tool, view.team)
