"""The model of the bench: it answers at once, or after a set delay, and does the same in every run."""

import asyncio
import json
from dataclasses import dataclass

from activities.contracts.messages import AssistantMessage, ToolCall
from activities.providers.base import ProviderAnswer, ProviderCall
from workflows.contracts import TeamSpec

TEXT_BYTES = 200
"""What a step takes in and gives out: a short question, a short answer."""
_NEVER_FITS = {"type": "object", "required": ["verdict"], "properties": {"verdict": {"type": "string"}}}
_UNBOUNDED = 100_000_000


@dataclass(frozen=True)
class Shape:
    """One kind of run."""

    turns: int
    """Model calls; the last one is the final answer."""
    tools: bool = True
    """A tool call after each model call but the last. Without: each answer is sent back for correction."""
    delay_seconds: float = 0.0
    """How long the model takes."""
    document_bytes: int = 0
    """Length of a document that the tool returns at the first turn."""
    goal_bytes: int = TEXT_BYTES
    """Length of the goal."""

    @property
    def steps(self) -> int:
        """Activities, one after the other."""
        return 2 * self.turns - 1 if self.tools else self.turns

    def team(self) -> TeamSpec:
        """An agent that goes through all turns and meets none of its limits."""
        limits = {"turns": self.turns + 1, "model_calls": self.turns + 1, "tool_calls": self.turns, "seconds": 3600}
        limits |= {"tokens": _UNBOUNDED, "context_tokens": _UNBOUNDED, "corrections": min(20, self.turns)}
        agent = {"instructions": "Do as the bench says.", "tier": "small", "limits": limits}
        agent |= {"tools": ["fetch_text"]} if self.tools else {"output": {"schema": _NEVER_FITS}}
        return TeamSpec.model_validate(
            {"team": "bench", "agents": {"a": agent}, "root": {"kind": "agent", "agent": "a"}}
        )


class BenchModel:
    """A provider in the place of the offline model. ``shape`` is that of the runs under way."""

    name = "offline"

    def __init__(self) -> None:
        self.shape = Shape(turns=2)

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """The answer that follows from how many there are."""
        turn = 1 + sum(isinstance(message, AssistantMessage) for message in call.messages)
        if self.shape.delay_seconds:
            await asyncio.sleep(self.shape.delay_seconds)
        if turn >= self.shape.turns:
            text = "x" * TEXT_BYTES if self.shape.tools else _answer("verdict", turn)
            return ProviderAnswer(text=text, input_tokens=10, output_tokens=10)
        if not self.shape.tools:
            return ProviderAnswer(text=_answer("opinion", turn), input_tokens=10, output_tokens=10)
        size = self.shape.document_bytes if turn == 1 and self.shape.document_bytes else TEXT_BYTES
        wanted = json.dumps({"seed": seed_of(turn), "size": size})
        request = ToolCall(tool_call_id=f"c{turn:03}", tool="fetch_text", arguments=wanted)
        return ProviderAnswer(
            text="", tool_calls=(request,), finish_reason="tool_calls", input_tokens=10, output_tokens=10
        )

    async def aclose(self) -> None:
        """There is nothing to close."""


def seed_of(turn: int) -> str:
    """What the model asks the tool for at a turn."""
    return f"turn {turn:03}".ljust(TEXT_BYTES - 40, ".")


def _answer(key: str, turn: int) -> str:
    return json.dumps({key: f"turn {turn:03} ".ljust(TEXT_BYTES - 20, "x")})
