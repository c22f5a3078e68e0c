"""How many actions of a node a judge of a monitor reviews at most: each costs what the judge's agent may use."""

from activities.contracts.messages import MAX_TOOL_CALLS
from activities.contracts.monitors import ActionKind, MonitorJudge
from activities.rules import fits
from workflows.teams.platform import own_tools
from workflows.teams.routes import owners, stand_in
from workflows.teams.tree import AgentNode, CallNode, MonitorNode, Node, PatternBase, TeamSpec


def most_reviews(team: TeamSpec, monitor: MonitorNode, judge: MonitorJudge) -> int:
    """Of what a monitored node is handed, of all that is done in it, and of what it comes to."""
    return _handed(monitor.node, judge) + _of(team, monitor.node, judge) + (ActionKind.ANSWER in judge.on)


def _handed(node: Node, judge: MonitorJudge) -> int:
    """Of a step, handed to its node and to each that stands in."""
    if ActionKind.HANDOFF not in judge.on:
        return 0
    other = stand_in(node)
    return 1 + (_handed(other, judge) if other else 0)


def _of(team: TeamSpec, node: Node, judge: MonitorJudge) -> int:
    other = stand_in(node)
    return _own(team, node, judge) + (_of(team, other, judge) if other else 0)


def _own(team: TeamSpec, node: Node, judge: MonitorJudge) -> int:
    match node:
        case AgentNode():
            short = node.budget is not None and node.budget.on_breach == "partial"
            return sum(
                _agent(team, name, judge, short=short) for name in owners(team, node.agent) if name in team.agents
            )
        case CallNode():
            return int(ActionKind.TOOL_CALL in judge.on and fits(judge.tool, node.tool))
        case MonitorNode():  # who judges is not judged
            return _of(team, node.node, judge)
        case PatternBase():
            return sum(part.most * (_of(team, part.node, judge) + _handed(part.node, judge)) for part in node.parts())
        case _:
            return 0


def _agent(team: TeamSpec, name: str, judge: MonitorJudge, *, short: bool) -> int:
    """A step of one owner: every turn proposes an answer, a transfer, or calls, of which refused ones are tool errors.

    What it has said where a limit ends it (``short``: a budget too) may stand for its answer, and is reviewed as one.
    """
    spec = team.agents[name]
    limits, tools = spec.limits, [tool for tool in own_tools(spec) if fits(judge.tool, tool)]
    if not fits(judge.agent, name):
        return 0
    unfinished = short or spec.on_limit == "partial"
    answers = min(limits.turns, 1 + limits.corrections + unfinished) if ActionKind.ANSWER in judge.on else 0
    transfers = limits.turns - 1 if ActionKind.HANDOFF in judge.on and spec.transfers_to else 0
    proposed = min(MAX_TOOL_CALLS * (limits.turns - 1), limits.tool_calls + limits.tool_errors + MAX_TOOL_CALLS)
    return answers + transfers + (proposed if tools and ActionKind.TOOL_CALL in judge.on else 0)
