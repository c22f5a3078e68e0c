"""Tools that are called at most once, where a pattern would make the call again, or end it under way."""

from collections.abc import Iterator

from activities.contracts.profile import Effect
from workers.checks.findings import At, Finding, Findings, Place, TeamView
from workflows.mcp import effect_of_mcp
from workflows.teams.kinds.fan_out import REDUCER
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, CallNode, FanOutNode, Node, Part, walk


def once(view: TeamView) -> Findings:
    """Races that end such a call under way, and patterns that make it again each time that they run a part."""
    for place in view.places:
        if isinstance(place.node, FanOutNode) and place.node.at_least != "all":
            yield from _raced(view, place, place.node)
        yield from _repeated(view, place)


def _raced(view: TeamView, place: Place, node: FanOutNode) -> Findings:
    for part in node.parts():
        if part.place != REDUCER and (tool := next(_tools(view, part.node), "")):
            yield Finding(
                _at(place, part),
                f"{place.label} does not wait for all its branches, and {part.place} may be ended while it calls {tool!r},"
                " which is called at most once: nobody would know whether it was done",
                "wait for all (at_least: all), or call it in a step after the fan-out",
            )


def _repeated(view: TeamView, place: Place) -> Findings:
    told: set[str] = set()
    for part in place.node.parts():
        if not part.again or part.most < 2 or part.group in told:
            continue
        if tool := next(_tools(view, part.node), ""):
            told |= {part.group} - {""}  # alternatives are one thing
            yield Finding(
                _at(place, part),
                f"{place.label} runs {part.place} up to {part.most} times, and it would call {tool!r}, which is called at"
                " most once, each time",
                f"call it in a step before or after {place.label}, or set {part.again}",
            )


def _at(place: Place, part: Part) -> At:
    return (*(place.base if part.outer else place.at), *part.place.split("."))


def _tools(view: TeamView, node: Node) -> Iterator[str]:
    """The tools below a node that are called at most once."""
    for inner in walk(node):
        names: tuple[str, ...] = (inner.tool,) if isinstance(inner, CallNode) else ()
        if isinstance(inner, AgentNode) and inner.agent in view.team.agents:
            names = tuple(tool for name in owners(view.team, inner.agent) for tool in view.team.agents[name].tools)
        yield from (tool for tool in names if _effect(view, tool) is Effect.ONCE)


def _effect(view: TeamView, tool: str) -> Effect | None:
    return view.tools[tool].spec.effect if tool in view.tools else effect_of_mcp(tool, view.team)
