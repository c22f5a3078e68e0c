"""What a pattern takes and returns, and the team tree that a user writes."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from activities.contracts.base import CostUsd, Digest, Line, Name, RunId, Text, Tokens, WireModel
from activities.contracts.failures import FailureDetail
from activities.contracts.messages import MessageRef, ThreadRef, UserMessage
from activities.contracts.profile import OutputContract
from activities.contracts.snapshot import SnapshotRef
from activities.contracts.steps import Usage

Goal = Annotated[str, StringConstraints(min_length=1, max_length=16_000)]
"""What is asked. Longer material belongs into the input folder."""


class AgentLimits(WireModel):
    """Bounds of one agent's work in one step. Reaching one ends the step as ``on_limit`` says."""

    turns: Annotated[int, Field(ge=1, le=1000)] = 20
    """Model calls that answer; on the last one no tools are offered, so that the model has to answer."""
    model_calls: Annotated[int, Field(ge=1, le=2000)] = 40
    """All model calls: answers, corrections and summaries."""
    tool_calls: Annotated[int, Field(ge=0, le=5000)] = 100
    tokens: Annotated[Tokens, Field(ge=1)] = 500_000
    """Input and output tokens of all calls. A call is made only where its worst case fits."""
    cost_usd: CostUsd = 5.0
    """US dollars of all calls. A call is made only where its worst case fits. Unpriced models count as zero."""
    seconds: Annotated[float, Field(gt=0, le=30 * 86_400)] = 1800.0
    """From the start of the step to its end, waits and retries included."""
    output_tokens: Annotated[Tokens, Field(ge=1, le=64_000)] = 2048
    """Longest single answer."""
    context_tokens: Annotated[Tokens, Field(ge=256)] = 100_000
    """Where the window would grow beyond, its older part is replaced by a summary."""
    tool_errors: Annotated[int, Field(ge=0, le=100)] = 8
    """Tool errors that the agent may make before the step fails."""
    corrections: Annotated[int, Field(ge=0, le=20)] = 2
    """Times that an answer which does not fit the contract is sent back."""
    parallel_tools: Annotated[int, Field(ge=1, le=32)] = 8
    """Tool calls of one answer under way at once."""


class AgentSpec(WireModel):
    """One agent: an identity, what it is told, what it may use, and what its answer has to be."""

    instructions: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    tier: Literal["small", "mid", "frontier", "local"] = "mid"
    """Which class of model; the client resolves it into real models at admission."""
    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*:.+$", max_length=200)] | None = None
    """``provider:model`` instead of a tier."""
    tools: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    output: OutputContract | None = None
    limits: AgentLimits = AgentLimits()
    on_limit: Literal["fail", "partial"] = "fail"
    """At a limit or deadline: fail the step, or return the last text as a partial result."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None


class AgentNode(WireModel):
    """A step done by one agent."""

    kind: Literal["agent"] = "agent"
    agent: Name


class CallNode(WireModel):
    """A step done by one tool, without a model: deterministic steps are code."""

    kind: Literal["call"] = "call"
    tool: Name
    arguments: dict[str, JsonValue] = {}
    """The tool's arguments. The string ``$goal`` stands for the run's goal."""
    name: Name = "call"
    """The node's name in the tree."""


Node = Annotated[AgentNode | CallNode, Field(discriminator="kind")]


class TeamSpec(WireModel):
    """What a user writes."""

    team: Name
    version: Annotated[int, Field(ge=1)] = 1
    description: Text = ""
    agents: Annotated[dict[Name, AgentSpec], Field(max_length=100)] = {}
    root: Node

    def node_name(self) -> str:
        """The root node's name: the first part of every path in the tree."""
        return self.root.agent if isinstance(self.root, AgentNode) else self.root.name


class AgentState(WireModel):
    """An agent between two turns: all that a continue-as-new carries over. Of constant size."""

    thread: ThreadRef | None = None
    append: tuple[UserMessage | MessageRef, ...] = ()
    """What the next model call will say first."""
    last_text: Annotated[str, Field(max_length=4000)] = ""
    """The start of the last text that the model wrote, for partial results."""
    usage: Usage = Usage()
    turns: int = 0
    summaries: int = 0
    tool_errors: int = 0
    corrections: int = 0
    retries: int = 0
    started_at: float = 0.0
    """Workflow time of the step's start, seconds since 1970."""


class RunInput(WireModel):
    """The input of every pattern's workflow. Frozen at admission: no roll-out changes a run under way."""

    team: TeamSpec
    goal: Goal
    scope_id: RunId
    profiles: dict[str, Digest]
    """Node name to AgentProfile blob."""
    queues: dict[str, str] = {}
    """Agent to the task queue of its model's provider."""
    snapshot: SnapshotRef | None = None
    generation: int = 0
    prices: dict[str, tuple[CostUsd, CostUsd]] = {}
    """Node name to US dollars for a million input and output tokens of its model, for reservations."""
    prompt_tokens: dict[str, Tokens] = {}
    """Node name to the estimated length of what each of its prompts begins with: instructions, tools and contract."""
    tool_seconds: dict[str, float] = {}
    """Tool name to the bound of one call."""
    missing: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """What of the input could not be read."""
    max_history_events: Annotated[int, Field(ge=1)] = 4000
    """A workflow with more events continues as new at its next turn boundary."""
    state: AgentState | None = None
    """Where a continue-as-new goes on."""


class RunStatus(StrEnum):
    """How a run or a step ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class StepReport(WireModel):
    """One step: a unit of work owned by one agent."""

    agent: Line
    step: Line
    status: RunStatus
    attempts: int = 1
    """1 and every retry of one of its calls."""
    tokens: Tokens = 0
    cost_usd: CostUsd = 0.0
    milliseconds: int = 0
    """From its start to its end, waits included."""


class RunResult(WireModel):
    """What every pattern's workflow returns. A failed run carries it in the details of its failure."""

    status: RunStatus
    output: JsonValue = None
    usage: Usage = Usage()
    steps: Annotated[tuple[StepReport, ...], Field(max_length=2000)] = ()
    missing: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """What the result lacks, one sentence each."""
    thread: ThreadRef | None = None
    """The conversation behind the output."""
    failure: FailureDetail | None = None
