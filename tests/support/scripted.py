"""A model that does what a test says: the same Protocol as the real providers, no HTTP."""

import json
from collections.abc import Callable
from typing import Any

from activities.contracts.messages import ToolCall
from activities.providers.base import ProviderAnswer, ProviderCall

Script = Callable[[ProviderCall, int], Any]
"""Gets the request and its ordinal (0, 1, ...); returns or awaits to a ProviderAnswer, or raises."""


class ScriptedProvider:
    """Answers by a script and keeps every request."""

    name = "offline"

    def __init__(self, script: Script) -> None:
        self.calls: list[ProviderCall] = []
        self._script = script

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        self.calls.append(call)
        answer = self._script(call, len(self.calls) - 1)
        if hasattr(answer, "__await__"):
            answer = await answer
        assert isinstance(answer, ProviderAnswer)
        return answer

    async def aclose(self) -> None:
        return


def says(text: str, tokens: int = 10) -> ProviderAnswer:
    return ProviderAnswer(text=text, input_tokens=tokens, output_tokens=tokens)


def says_json(value: Any) -> ProviderAnswer:
    return says(json.dumps(value))


def calls(*wanted: tuple[str, dict[str, Any]]) -> ProviderAnswer:
    """Ask for tools."""
    return ProviderAnswer(
        text="",
        tool_calls=tuple(
            ToolCall(tool_call_id=f"c{index}", tool=name, arguments=json.dumps(arguments))
            for index, (name, arguments) in enumerate(wanted)
        ),
        finish_reason="tool_calls",
        input_tokens=10,
        output_tokens=10,
    )


def in_order(*answers: ProviderAnswer | Exception) -> Script:
    """One answer after the other; asking once more is a failure of the test."""

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del call
        answer = answers[index]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return script
