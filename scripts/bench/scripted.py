"""The model of the bench: it answers at once, or after a set delay, and does the same in every run."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from activities.contracts.messages import AssistantMessage, ToolCall
from activities.providers.base import ProviderAnswer, ProviderCall
from scripts.bench.tools import make_text
from workflows.teams.tree import TeamSpec

TEXT_BYTES = 200
"""What a step takes in and gives out: a short question, a short answer."""
UNBOUNDED = 100_000_000
_NEVER_FITS = {"type": "object", "required": ["verdict"], "properties": {"verdict": {"type": "string"}}}


class Play(Protocol):
    """One kind of run: a team, and what the model says in it."""

    @property
    def delay_seconds(self) -> float:
        """How long the model takes."""

    @property
    def goal(self) -> str:
        """What the run is given."""

    @property
    def provider(self) -> str:
        """Under which name the model is asked: ``offline``, which costs nothing, or one that has a price."""

    def team(self) -> TeamSpec:
        """A team that goes through all of it and meets none of its limits."""

    def answer(self, call: ProviderCall) -> ProviderAnswer:
        """The answer that follows from the conversation alone."""


class Staged(Play, Protocol):
    """A run of more than one agent."""

    @property
    def phases(self) -> Sequence[str]:
        """What is done one after the other: regular expressions of its steps, by their paths below the root.

        The steps that match one of them are side by side; a step belongs to the first one that it matches.
        """

    @property
    def at_once(self) -> int:
        """How many of them at a time; 0: all."""

    def called(self, output: JsonValue) -> tuple[JsonValue, JsonValue]:
        """Arguments and result of a call without a model, in a run that has come to this output."""


@dataclass(frozen=True)
class Shape:
    """One agent, turn after turn."""

    turns: int
    """Model calls; the last one is the final answer."""
    tools: bool = True
    """A tool call after each model call but the last. Without: each answer is sent back for correction."""
    delay_seconds: float = 0.0
    document_bytes: int = 0
    """Length of a document that the tool returns at the first turn."""
    goal_bytes: int = TEXT_BYTES
    provider: str = "offline"

    @property
    def goal(self) -> str:
        """Text that repeats nowhere."""
        return make_text("goal", self.goal_bytes)

    @property
    def steps(self) -> int:
        """Activities, one after the other."""
        return 2 * self.turns - 1 if self.tools else self.turns

    def team(self) -> TeamSpec:
        """An agent that goes through all turns."""
        limits = {"turns": self.turns + 1, "model_calls": self.turns + 1, "tool_calls": self.turns, "seconds": 3600}
        limits |= {"tokens": UNBOUNDED, "context_tokens": UNBOUNDED, "corrections": min(20, self.turns)}
        agent = {"instructions": "Do as the bench says.", "tier": "small", "limits": limits}
        agent |= {"tools": ["fetch_text"]} if self.tools else {"output": {"schema": _NEVER_FITS}}
        return TeamSpec.model_validate(
            {"team": "bench", "agents": {"a": agent}, "root": {"kind": "agent", "agent": "a"}}
        )

    def answer(self, call: ProviderCall) -> ProviderAnswer:
        """The answer that follows from how many there are."""
        turn = 1 + sum(isinstance(message, AssistantMessage) for message in call.messages)
        if turn >= self.turns:
            return says("x" * TEXT_BYTES if self.tools else _opinion("verdict", turn))
        if not self.tools:
            return says(_opinion("opinion", turn))
        size = self.document_bytes if turn == 1 and self.document_bytes else TEXT_BYTES
        return asks_for_text(f"c{turn:03}", seed_of(turn), size)


class BenchModel:
    """A provider in the place of the real ones. ``shape`` is that of the runs under way."""

    name = "offline"

    def __init__(self, shape: Play | None = None) -> None:
        self.shape: Play = shape or Shape(turns=2)

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """What the shape says, when its delay is over."""
        if self.shape.delay_seconds:
            await asyncio.sleep(self.shape.delay_seconds)
        return self.shape.answer(call)

    async def aclose(self) -> None:
        """There is nothing to close."""


def says(text: str, *, input_tokens: int = 10, output_tokens: int = 10) -> ProviderAnswer:
    """An answer in words."""
    return ProviderAnswer(text=text, input_tokens=input_tokens, output_tokens=output_tokens)


def asks_for_text(tool_call_id: str, seed: str, size: int) -> ProviderAnswer:
    """An answer that asks for the bench's tool."""
    wanted = json.dumps({"seed": seed, "size": size})
    request = ToolCall(tool_call_id=tool_call_id, tool="fetch_text", arguments=wanted)
    return ProviderAnswer(text="", tool_calls=(request,), finish_reason="tool_calls", input_tokens=10, output_tokens=10)


def seed_of(turn: int) -> str:
    """What the model asks the tool for at a turn."""
    return f"turn {turn:03}".ljust(TEXT_BYTES - 40, ".")


def _opinion(key: str, turn: int) -> str:
    return json.dumps({key: f"turn {turn:03} ".ljust(TEXT_BYTES - 20, "x")})
