"""The team tree: nodes of agents, calls, people and patterns. Any node stands where any other may."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from activities.contracts.base import Line, Name, Text, WireModel
from activities.contracts.mcp import McpServer
from activities.contracts.people import Asking
from workflows.teams.agents import AgentSpec
from workflows.teams.kinds.base import ConstantFallback, NodeBase, Part, PatternBase, SkipFallback, Tier, TierFallback
from workflows.teams.kinds.debate import DebateNode
from workflows.teams.kinds.fan_out import FanOutNode
from workflows.teams.kinds.hierarchy import HierarchyNode, TierSpec
from workflows.teams.kinds.monitor import MonitorNode
from workflows.teams.kinds.network import NetworkNode, PeerSpec
from workflows.teams.kinds.own import WorkflowNode
from workflows.teams.kinds.pipeline import PipelineNode, key_of
from workflows.teams.kinds.plan import ExecutorSpec, PlanNode
from workflows.teams.kinds.refine import RefineNode
from workflows.teams.kinds.router import Route, RouterNode
from workflows.teams.kinds.single import AgentNode, CallNode, PersonNode
from workflows.teams.kinds.supervisor import Phases, SubtaskSpec, SupervisorNode, WorkerSpec

__all__ = [
    "NODE_KINDS",
    "AgentNode",
    "AgentSpec",
    "CallNode",
    "ConstantFallback",
    "DebateNode",
    "Fallback",
    "FanOutNode",
    "HierarchyNode",
    "MonitorNode",
    "NetworkNode",
    "Node",
    "NodeBase",
    "Part",
    "PatternBase",
    "PersonNode",
    "Phases",
    "PipelineNode",
    "PlanNode",
    "RefineNode",
    "RouterNode",
    "SkipFallback",
    "SubtaskSpec",
    "SupervisorNode",
    "TeamSpec",
    "Tier",
    "TierFallback",
    "WorkerSpec",
    "WorkflowNode",
]

_AnyNode = (
    AgentNode
    | CallNode
    | PersonNode
    | PipelineNode
    | FanOutNode
    | SupervisorNode
    | HierarchyNode
    | RouterNode
    | DebateNode
    | RefineNode
    | PlanNode
    | NetworkNode
    | MonitorNode
    | WorkflowNode
)
Node = Annotated[_AnyNode, Field(discriminator="kind")]
Fallback = Annotated[_AnyNode | ConstantFallback | SkipFallback | TierFallback, Field(discriminator="kind")]
_KINDS = (
    AgentNode,
    CallNode,
    PersonNode,
    PipelineNode,
    FanOutNode,
    SupervisorNode,
    HierarchyNode,
    RouterNode,
    DebateNode,
    RefineNode,
    PlanNode,
    NetworkNode,
    MonitorNode,
    WorkflowNode,
)
NODE_KINDS = tuple(str(kind.model_fields["kind"].default) for kind in _KINDS)
for _model in (NodeBase, PatternBase, *_KINDS, WorkerSpec, TierSpec, Route, ExecutorSpec, PeerSpec):
    _model.model_rebuild(_types_namespace={"Node": Node, "Fallback": Fallback, "PersonNode": PersonNode})


class TeamSpec(WireModel):
    """What a user writes."""

    team: Name
    version: Annotated[int, Field(ge=1)] = 1
    description: Text = ""
    agents: Annotated[dict[Name, AgentSpec], Field(max_length=100)] = {}
    mcp: Annotated[dict[Name, McpServer], Field(max_length=16)] = {}
    """MCP servers whose tools agents may be granted, as ``server__tool``."""
    constraints: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    """What holds for every step; it travels in every handoff."""
    people: Asking = Asking()
    """Who decides where a gate or a budget asks and nobody else is named."""
    root: Node


def node_name(node: Node) -> str:
    """A node's own name: what its plan, agent or workflow is found by."""
    return node.agent if isinstance(node, AgentNode) else node.name


def workflow_type(node: Node) -> str:
    """The type of the workflow that runs a node where it has one of its own."""
    return node.workflow if isinstance(node, WorkflowNode) else node.kind


def node_key(node: Node) -> str:
    """The key of the state under which a node's output is committed."""
    return key_of(node)


def plan_name(node: Node) -> str:
    """The name of what admission resolved for a node."""
    return node.plan if isinstance(node, AgentNode) else node.name


def plan_names(node: Node) -> Iterator[str]:
    """The names of everything that was resolved for a node and what is below it."""
    for inner in walk(node):
        yield node_name(inner)
        yield plan_name(inner)


def on_tier(node: AgentNode, tier: Tier) -> AgentNode:
    """The same step on another tier, which nothing stands in for."""
    return node.model_copy(update={"tier": tier, "fallback": None, "budget": None, "critical": True})


def inner_nodes(node: Node) -> Iterator[tuple[str, Node]]:
    """The nodes right below, in the order of the file, each with its place. A planner comes as the node of its agent."""
    for part in node.parts():
        yield part.place, part.node
    if isinstance(node, PatternBase) and node.escalate:
        yield "escalate", node.escalate
    if isinstance(node.fallback, NodeBase):
        yield "fallback", node.fallback
    elif isinstance(node.fallback, TierFallback) and isinstance(node, AgentNode):
        yield "fallback", on_tier(node, node.fallback.tier)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, fallbacks included, in the order of the file."""
    yield node
    for _, inner in inner_nodes(node):
        yield from walk(inner)
