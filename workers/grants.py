"""Grants as they are frozen at admission: for each agent and call all conditions from the root down to it, added up.

A child has at most its parent's. An agent that stands at several places of the tree, or gets steps by transfer, has one
profile: the conditions of all its places hold at each of them, which is never more than any of them allows.
"""

from collections.abc import Iterator, Mapping

from activities.contracts.grants import Grant
from activities.errors import ConfigurationInvalid
from activities.grants import check_rules
from workflows.teams.platform import PLATFORM_TOOLS
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, CallNode, Node, NodeBase, TeamSpec, inner_nodes

Frozen = dict[str, tuple[Grant, ...]]
"""Tool to the conditions that all have to hold; a tool without any is left out."""


def frozen_grants(team: TeamSpec) -> dict[str, Frozen]:
    """The conditions of every agent and call of a team, by name.

    Raises:
        ConfigurationInvalid: a tool that the grants above do not allow, or a condition that cannot be read.
    """
    found: dict[str, dict[str, list[Grant]]] = {}
    for name, agent in team.agents.items():
        _check(agent.grants, f"the agent {name!r}")
        found[name] = {tool: [grant] for tool, grant in agent.grants.items()}
    for chain in _chains(team.root, ()):
        for name, tools in _uses(team, chain[-1]):
            for tool in tools:
                found.setdefault(name, {}).setdefault(tool, []).extend(_conditions(name, tool, chain))
    return {
        name: {tool: kept for tool, all_ in own.items() if (kept := _distinct(all_))} for name, own in found.items()
    }


def _chains(node: Node, above: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """Every node with those above it, the root first."""
    chain = (*above, node)
    yield chain
    for _, inner in inner_nodes(node):
        yield from _chains(inner, chain)


def _uses(team: TeamSpec, node: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Who works at a node, with its tools."""
    if isinstance(node, CallNode):
        yield node.name, (node.tool,)
    if isinstance(node, AgentNode):
        for name in owners(team, node.agent):
            if name in team.agents:
                yield name, tuple(tool for tool in team.agents[name].tools if tool not in PLATFORM_TOOLS)


def _conditions(name: str, tool: str, chain: tuple[NodeBase, ...]) -> Iterator[Grant]:
    for node in chain:
        if node.grants is None:
            continue
        _check(node.grants, f"the grants above {name!r}")
        if tool not in node.grants:
            raise ConfigurationInvalid(
                f"{name!r} has the tool {tool!r}, which the grants above it do not allow",
                fix=f"grant {tool} there too, or take the tool away",
            )
        yield node.grants[tool]


def _check(grants: Mapping[str, Grant], where: str) -> None:
    for tool, grant in grants.items():
        check_rules(grant.arguments, f"{where}: {tool}")


def _distinct(grants: list[Grant]) -> tuple[Grant, ...]:
    kept: list[Grant] = []
    for grant in grants:
        if grant != Grant() and grant not in kept:
            kept.append(grant)
    return tuple(kept)
