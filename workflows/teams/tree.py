"""The team tree: nodes of agents, calls, people and patterns. Any node stands where any other may."""

from collections.abc import Iterator
from typing import Annotated, Literal, cast

from pydantic import Field, JsonValue

from activities.contracts.base import Line, Name, Schema, Text, WireModel
from activities.contracts.grants import Grants
from activities.contracts.mcp import McpServer
from activities.contracts.people import Asking, Choice
from activities.errors import ConfigurationInvalid
from workflows.teams.agents import AgentSpec
from workflows.teams.budget_spec import BudgetSpec

MAX_SUBTASKS = 200
"""Subtasks of one supervisor: as child workflows with two attempts they stay within 4,000 events of its history."""
MAX_STAGES = 64
"""Stages of one pipeline."""

Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Tier = Literal["small", "mid", "frontier", "local"]


class NodeBase(WireModel):
    """What every kind of node may say about its place in the tree. ``workflows.nodes.run_node`` sees to all of it."""

    key: Name | None = None
    """Under which its output is committed to the run's state, and its part of the path in a pipeline; its name where
    absent."""
    input: Schema | None = None
    """JSON Schema of what it is given, checked before it starts."""
    needs: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    """Keys of the run's state that it is given besides its task. Nothing else of the state reaches it."""
    context: Literal["node", "full"] = "node"
    """What of the handoff enters an agent's prompt: its task and constraints alone, or goal, decisions and summary too."""
    timeout_seconds: Seconds | None = None
    """Bound of this step: not done and not failed by then, it is ended and reported."""
    budget: BudgetSpec | None = None
    """What it and everything below it may use."""
    grants: Grants | None = None
    """The tools that may be used from here on down, each under its conditions; absent: no narrowing."""
    constraints: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    """What holds for it and everything below it."""
    critical: bool = True
    """``False``: where it fails its pattern goes on without it, and the result names what is missing."""
    fallback: "Fallback | None" = None
    """What stands in where it fails: another node, or a constant, a skip, or the same agent on another tier."""

    def __rshift__(self, other: "Node") -> "PipelineNode":
        """``a >> b``: one pipeline of all stages in a row; a pipeline that says anything of its own stays one of them.

        Raises:
            ConfigurationInvalid: what follows is no node.
        """
        if not isinstance(other, NodeBase):
            raise ConfigurationInvalid(
                f"a stage of a pipeline is a node, not {other!r}"[:200],
                fix="chain nodes, as in agent('a') >> call('b')",
            )
        return PipelineNode(stages=(*_stages(self), *_stages(other)))


class ConstantFallback(WireModel):
    """A fixed output."""

    kind: Literal["constant"] = "constant"
    value: JsonValue = None


class SkipFallback(WireModel):
    """Nothing: the result names it as missing."""

    kind: Literal["skip"] = "skip"


class TierFallback(WireModel):
    """The same agent, on models of another tier."""

    kind: Literal["tier"] = "tier"
    tier: Tier


class AgentNode(NodeBase):
    """A step done by one agent."""

    kind: Literal["agent"] = "agent"
    agent: Name
    tier: Tier | None = None
    """In place of the agent's own, or of its model."""


class CallNode(NodeBase):
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
    """In place of the worker type's. A tool may ask for fewer than those, and not for more."""


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


class Phases(WireModel):
    """A supervisor's latency budget, in seconds. What a phase does not need goes to those after it."""

    planning: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """The first decomposition. Where it runs out, the whole goal is one subtask for the first worker type."""
    workers: Seconds
    """All rounds. Where they run out, subtasks that are not done are given up."""
    synthesis: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """Synthesis, review and gate. Where they run out, the results are the output as they are."""
    reserve: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """For ending cleanly."""

    @property
    def total(self) -> float:
        """Of all phases."""
        return self.planning + self.workers + self.synthesis + self.reserve


class SupervisorNode(NodeBase):
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
    """From the start to the end of the last round; what is not done by then is given up. With ``phases``: all of it."""
    phases: Phases | None = None
    """Its time by phases; together they take at most ``seconds``."""
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


class PersonNode(NodeBase):
    """A step done by a person: a question, an approval, or work on a draft."""

    kind: Literal["person"] = "person"
    name: Name = "person"
    question: Annotated[str, Field(max_length=4000)] = ""
    """What is asked; the task where empty."""
    choices: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=4)] = (Choice.ANSWER,)
    """``approve`` passes on what it was given, ``edit`` and ``answer`` what the person gives, ``reject`` fails the step."""
    answer: Schema | None = None
    """JSON Schema of an answer; any text where absent."""
    asking: Asking | None = None
    """Who is asked; the team's ``people`` where absent."""


class PipelineNode(NodeBase):
    """Ordered stages: each gets what the one before has made."""

    kind: Literal["pipeline"] = "pipeline"
    name: Name = "pipeline"
    stages: Annotated[tuple["Node", ...], Field(min_length=1, max_length=MAX_STAGES)]
    """A call may take ``$goal``, ``$input`` (what the stage before made) and every key that was committed before."""
    seconds: Seconds = 3600.0
    """From its start to its end."""


class WorkflowNode(NodeBase):
    """A pattern of one's own: a workflow that a module of this deployment defines."""

    kind: Literal["workflow"] = "workflow"
    name: Name = "workflow"
    workflow: Name
    """The workflow's type."""
    nodes: Annotated[dict[Name, "Node"], Field(max_length=64)] = {}
    """The nodes that it may run, by the names under which it asks for them."""
    arguments: dict[str, JsonValue] = {}
    """What it is configured with."""
    max_steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Steps that it makes at most: ``run_node``, ``call_model`` and ``call_tool`` together."""
    seconds: Seconds = 3600.0


Node = Annotated[
    AgentNode | CallNode | PersonNode | PipelineNode | SupervisorNode | WorkflowNode, Field(discriminator="kind")
]
Fallback = Annotated[
    AgentNode
    | CallNode
    | PersonNode
    | PipelineNode
    | SupervisorNode
    | WorkflowNode
    | ConstantFallback
    | SkipFallback
    | TierFallback,
    Field(discriminator="kind"),
]
NODE_KINDS = ("agent", "call", "person", "pipeline", "supervisor", "workflow")
for _model in (AgentNode, CallNode, PersonNode, PipelineNode, WorkerSpec, SupervisorNode, WorkflowNode):
    _model.model_rebuild()


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
    return node.key or node_name(node)


def plan_name(node: Node) -> str:
    """The name of what admission resolved for a node: ``agent@tier`` where it names a tier of its own."""
    return f"{node.agent}@{node.tier}" if isinstance(node, AgentNode) and node.tier else node_name(node)


def plan_names(node: Node) -> Iterator[str]:
    """The names of everything that was resolved for a node and what is below it."""
    for inner in walk(node):
        yield node_name(inner)
        yield plan_name(inner)


def on_tier(node: AgentNode, tier: Tier) -> AgentNode:
    """The same step on another tier, which nothing stands in for."""
    return node.model_copy(update={"tier": tier, "fallback": None, "budget": None, "critical": True})


def _stages(node: NodeBase) -> tuple["Node", ...]:
    if isinstance(node, PipelineNode) and node == PipelineNode(stages=node.stages):
        return node.stages
    return (cast("Node", node),)


def inner_nodes(node: Node) -> Iterator[tuple[str, Node]]:
    """The nodes right below, in the order of the file, each with its place. A planner comes as the node of its agent."""
    match node:
        case SupervisorNode():
            yield from _in_supervisor(node)
        case PipelineNode():
            for index, stage in enumerate(node.stages):
                yield f"stages.{index}", stage
        case WorkflowNode():
            for name, inner in node.nodes.items():
                yield f"nodes.{name}", inner
        case _:
            pass
    if isinstance(node.fallback, NodeBase):
        yield "fallback", node.fallback
    elif isinstance(node.fallback, TierFallback) and isinstance(node, AgentNode):
        yield "fallback", on_tier(node, node.fallback.tier)


def _in_supervisor(node: SupervisorNode) -> Iterator[tuple[str, Node]]:
    if node.planner:
        yield "planner", AgentNode(agent=node.planner)
    if node.split:
        yield "split", node.split
    for name, worker in node.workers.items():
        yield f"workers.{name}.node", worker.node
    for place in ("synthesis", "review", "gate"):
        if part := getattr(node, place):
            yield place, part


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, fallbacks included, in the order of the file."""
    yield node
    for _, inner in inner_nodes(node):
        yield from walk(inner)
