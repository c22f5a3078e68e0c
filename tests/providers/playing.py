"""One request to the offline model in a part that a pattern gives it, with the contract checked."""

import json
from collections.abc import Sequence
from typing import Any

from activities.contracts.base import Schema
from activities.contracts.messages import AssistantMessage, Message, UserMessage
from activities.outputs import schema_validator
from activities.providers.base import ProviderCall
from activities.providers.offline import answer


def play(schema: Schema | None, *said: str | dict[str, Any], instructions: str = "", room: int = 8_000) -> Any:
    """The answer to what was said, prompts and answers in turn; the same twice, and as the contract wants it."""
    messages: Sequence[Message] = [
        UserMessage(text=part)
        if isinstance(part, str) and at % 2 == 0
        else AssistantMessage(text=part if isinstance(part, str) else json.dumps(part))
        for at, part in enumerate(said)
    ]
    call = ProviderCall("extractive", instructions, messages, (), schema, room)
    given = answer(call)
    assert given == answer(call)
    assert not given.tool_calls
    if schema is None:
        return given.text
    value = json.loads(given.text)
    assert list(schema_validator(schema).iter_errors(value)) == [], value
    return value
