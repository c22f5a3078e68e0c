"""Nodes that are one step: an agent, a call of a tool, a person."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Name, Schema, Text
from activities.contracts.people import Asking, Choice
from workflows.teams.kinds.base import NodeBase, Tier


class AgentNode(NodeBase):
    """A step done by one agent."""

    kind: Literal["agent"] = "agent"
    agent: Name
    tier: Tier | None = None
    """In place of the agent's own, or of its model."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """In place of the agent's own."""
    persona: Annotated[Text, Field(max_length=4000)] = ""
    """What it is told on top of its instructions, in this place."""

    @property
    def plan(self) -> str:
        """The name of what admission resolves for it: ``agent``, ``agent@tier``, ``agent@tier~variant``."""
        variant = hashlib.sha256(f"{self.temperature}|{self.persona}".encode()).hexdigest()[:8]
        varied = f"~{variant}" if self.temperature is not None or self.persona else ""
        return f"{self.agent}@{self.tier or ''}{varied}" if self.tier or varied else self.agent


class CallNode(NodeBase):
    """A step done by one tool, without a model: deterministic steps are code."""

    kind: Literal["call"] = "call"
    tool: Name
    arguments: dict[str, JsonValue] = {}
    """The tool's arguments. ``$goal`` stands for the run's goal, in lists and objects too; a pattern says what else it
    offers to its calls. ``$$goal`` is the text ``$goal``."""
    name: Name = "call"
    """The node's name in the tree, unlike that of any other node or agent."""


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
