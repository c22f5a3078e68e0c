"""What counts as the payload that both sides move: the useful text of a step, read back from a finished run of ours.

A model step takes in the messages that are added to its conversation and gives out the answer (its text, or the names
and arguments of the tools that it asks for). A tool step takes in one name with its arguments and gives out the
result. Our own keys, digests, usage and thread references are no payload: they are what is measured as extra.

One difference is in our favour, so it is reported on its own: the result of a tool goes into the next model step by
reference here, while the floor sends that text a second time.
"""

import json
from collections.abc import Sequence

from activities.contracts.messages import AssistantMessage, Message, ToolMessage
from scripts.bench.floor import PlainStep

REFERENCE_BYTES = 40
"""The shortest thing that the floor could send in place of a tool's result: a digest."""


def plain_steps(messages: Sequence[Message]) -> list[PlainStep]:
    """The floor's steps for a conversation whose tools are called one at a time."""
    steps: list[PlainStep] = []
    added = 0
    for message in messages:
        if isinstance(message, AssistantMessage):
            calls = [_bytes(call.tool) + _bytes(call.arguments) for call in message.tool_calls]
            steps.append(PlainStep(model=True, sends=added, returns=_bytes(message.text) + sum(calls)))
            steps += [PlainStep(model=False, sends=size, returns=0) for size in calls]
            added = 0
        else:
            size = _bytes(message.text)
            added += size
            if isinstance(message, ToolMessage):
                steps[-1] = PlainStep(model=False, sends=steps[-1].sends, returns=size)
    return steps


def plain_call(arguments: str, result: str) -> PlainStep:
    """The floor's step for a call of a tool without a model."""
    return PlainStep(model=False, sends=_bytes(arguments), returns=_bytes(result))


def saved_by_reference(steps: Sequence[PlainStep]) -> int:
    """The bytes that a floor which passes tool results on by reference would not move."""
    return sum(step.returns - REFERENCE_BYTES for step in steps if not step.model)


def _bytes(text: str) -> int:
    # As JSON has it on the wire, without the quotation marks.
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
