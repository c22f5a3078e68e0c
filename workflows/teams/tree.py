"""The team tree: nodes of agents, calls and patterns. Any node stands where any other may."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Name, Text, WireModel
from activities.contracts.mcp import McpServer
from workflows.teams.agents import AgentSpec

MAX_SUBTASKS = 200
"""Subtasks of one supervisor: as child workflows with two attempts they stay within 4,000 events of its history."""

Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]


class AgentNode(WireModel):
    """A step done by one agent."""

    kind: Literal["agent"] = "agent"
    agent: Name


class CallNode(WireModel):
    """A step done by one tool, without a model: deterministic steps are code."""

    kind: Literal["call"] = "call"
    tool: Name
    arguments: dict[str, JsonValue] = {}
    """The tool's arguments. ``$goal`` stands for the run's goal; a pattern says what else it offers to its calls."""
    name: Name = "call"
    """The node's name in the tree, unlike that of any other node or agent."""


class SubtaskSpec(WireModel):
    """One part of the work, as the team, a tool or a planner lays it out."""

    type: Name
    """The worker type that does it."""
    task: Annotated[str, Field(min_length=1, max_length=8_000)]
    input: JsonValue = None
    """What the worker needs to know, besides the goal and the task."""
    timeout_seconds: Seconds | None = None
    """In place of the worker type's."""
    attempts: Annotated[int, Field(ge=1, le=5)] | None = None
    """In place of the worker type's."""


class WorkerSpec(WireModel):
    """A worker type: who does subtasks of this type, and what happens where they fail."""

    node: "Node"
    description: Text = ""
    """What this worker can do; a planner reads it."""
    timeout_seconds: Seconds = 600.0
    """Bound of one attempt."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """Attempts of one subtask. One that has begun an effect is not made again."""
    reroute: Annotated[tuple[Name, ...], Field(max_length=4)] = ()
    """Worker types that get the subtask, in this order, where this one fails for good."""


class SupervisorNode(WireModel):
    """Decompose, dispatch to workers by type, follow up, synthesise, verify."""

    kind: Literal["supervisor"] = "supervisor"
    name: Name = "supervisor"
    workers: Annotated[dict[Name, WorkerSpec], Field(min_length=1, max_length=32)]
    subtasks: Annotated[tuple[SubtaskSpec, ...], Field(max_length=MAX_SUBTASKS)] = ()
    """The decomposition, where the team knows it. One of ``subtasks``, ``split`` and ``planner`` is given."""
    split: CallNode | None = None
    """A tool that returns the subtasks of a round: a list of ``{type, task, input}``; empty ends the work.
    It may take ``$goal``, ``$input``, ``$round`` and ``$results``."""
    planner: Name | None = None
    """An agent that decides on the subtasks of each round. Its output contract is given by the worker types."""
    rounds: Annotated[int, Field(ge=1, le=10)] = 1
    """Rounds of decomposition: the first, and follow-ups on what came back."""
    max_subtasks: Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] = 8
    """Of all rounds together."""
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    seconds: Seconds = 3600.0
    """From the start to the end of the last round; what is not done by then is given up."""
    synthesis: "Node | None" = None
    """Makes one whole of the results. A call may take ``$goal``, ``$input``, ``$results`` and ``$missing``.
    Absent: the output is the list of results."""
    review: "Node | None" = None
    """Looks at the synthesis before the gate does. A call may take ``$goal``, ``$input``, ``$results`` and ``$draft``."""
    gate: CallNode | None = None
    """A tool that decides on the draft: ``{accepted, problems, output}``. It may take ``$goal``, ``$input``,
    ``$results``, ``$missing``, ``$draft``, ``$review`` and ``$final`` (true where no correction follows)."""
    corrections: Annotated[int, Field(ge=0, le=5)] = 1
    """Times that the gate's problems go back to the synthesis."""


Node = Annotated[AgentNode | CallNode | SupervisorNode, Field(discriminator="kind")]
WorkerSpec.model_rebuild()
SupervisorNode.model_rebuild()


class TeamSpec(WireModel):
    """What a user writes."""

    team: Name
    version: Annotated[int, Field(ge=1)] = 1
    description: Text = ""
    agents: Annotated[dict[Name, AgentSpec], Field(max_length=100)] = {}
    mcp: Annotated[dict[Name, McpServer], Field(max_length=16)] = {}
    """MCP servers whose tools agents may be granted, as ``server__tool``."""
    root: Node


def node_name(node: Node) -> str:
    """A node's own name: a part of the paths of everything below it."""
    return node.agent if isinstance(node, AgentNode) else node.name


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in the order of the file. A planner comes as the node of its agent."""
    yield node
    if isinstance(node, SupervisorNode):
        if node.planner:
            yield AgentNode(agent=node.planner)
        for part in (node.split, *(worker.node for worker in node.workers.values())):
            if part:
                yield from walk(part)
        for part in (node.synthesis, node.review, node.gate):
            if part:
                yield from walk(part)
