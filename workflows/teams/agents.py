"""An agent as a team declares it: who it is, what it may use, and its bounds."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from activities.contracts.base import CostUsd, Name, Tokens, WireModel
from activities.contracts.grants import Grant
from activities.contracts.profile import OutputContract


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
    """What it may use, and nothing else."""
    grants: Annotated[dict[Name, Grant], Field(max_length=64)] = {}
    """Conditions on some of its tools: on their arguments, or that a person is asked first."""
    transfers_to: Annotated[tuple[Name, ...], Field(max_length=15)] = ()
    """Agents to which it may hand its step on for good. It never comes back to one that had it before."""
    output: OutputContract | None = None
    limits: AgentLimits = AgentLimits()
    on_limit: Literal["fail", "partial"] = "fail"
    """At a limit or deadline: fail the step, or return the last text as a partial result."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
