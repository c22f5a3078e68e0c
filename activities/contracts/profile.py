"""An agent as the activities see it: one content-addressed blob, written at admission, named by digest in each call.

So a step's input has a constant size, and a roll-out changes no run under way.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from activities.contracts.base import CostUsd, Line, Name, Schema, Text, Tokens, WireModel
from activities.contracts.grants import Grant
from activities.contracts.mcp_endpoint import McpToolRef


class Effect(StrEnum):
    """What a tool does to the world, and so what a retry may do."""

    READ = "read"
    """Free to repeat."""
    IDEMPOTENT = "idempotent"
    """Safe to repeat with the same request id."""
    ONCE = "once"
    """Never called again once begun: a retry that finds an intent without a result is ``outcome_unknown``."""


class ToolSpec(WireModel):
    """A tool as the model sees it, frozen at admission."""

    name: Name
    description: Annotated[str, Field(max_length=4000)]
    parameters: Schema
    effect: Effect
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    mcp: McpToolRef | None = None
    """Where it is, for a tool of an MCP server."""
    platform: bool = False
    """Answered inside the workflow: no worker has it, and it costs no call."""
    compensate: Name | None = None
    """The tool that undoes its effect."""


class OutputContract(WireModel):
    """What an agent's final answer has to be."""

    schema_: Annotated[Schema, Field(alias="schema")]
    """JSON Schema (2020-12) of the answer."""
    checks: tuple[Name, ...] = ()
    """Tools of effect ``read`` that get the answer as ``output`` and return a list of problems; empty means good."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class ModelChoice(WireModel):
    """One real model of a chain, with the price it is charged at."""

    provider: Name
    model: Annotated[str, Field(min_length=1, max_length=200)]
    input_usd_per_million: CostUsd = 0.0
    output_usd_per_million: CostUsd = 0.0
    priced: bool = True
    """``False``: no price is known, and cost counts as zero."""

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """The price of one call in US dollars."""
        total = input_tokens * self.input_usd_per_million + output_tokens * self.output_usd_per_million
        return round(total / 1_000_000, 8)


class AgentProfile(WireModel):
    """Everything that a model call or tool call needs to know of its agent."""

    agent: Line
    """``team/agent@version``."""
    instructions: Text = ""
    tools: tuple[ToolSpec, ...] = ()
    """The granted tools; nothing else is ever called for this agent."""
    grants: dict[Name, tuple[Grant, ...]] = {}
    """Conditions on some of them: of the agent and of every node above each of its places. All of them have to hold."""
    checks: tuple[ToolSpec, ...] = ()
    """The tools behind the output contract's checks; the model does not see them."""
    compensations: tuple[ToolSpec, ...] = ()
    """The tools that undo what ``tools`` have done; the model does not see them."""
    output: OutputContract | None = None
    models: tuple[ModelChoice, ...] = ()
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_output_tokens: Annotated[Tokens, Field(gt=0)] = 2048
