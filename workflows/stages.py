"""What a step is told of its input: a text as it is, everything else as JSON; what is too long is cut, and says so."""

import json

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from workflows.teams.tree import AgentNode, Node, node_key

MAX_SHOWN = MAX_TEXT // 2
"""Characters of an input that a prompt shows, about 30,000 tokens. A call gets the whole of it by ``$input``."""


def shown(prompt: str, given: JsonValue) -> str:
    """A prompt with what there is to work on."""
    text = as_shown(given)
    return f"{prompt[:MAX_SHOWN]}\n\nInput:\n{cut(text)}" if text.strip() else prompt[:MAX_TEXT]


def unread(node: Node, given: JsonValue) -> tuple[str, ...]:
    """What an agent does not get to read of its input, as a sentence for the result."""
    length = len(as_shown(given)) if isinstance(node, AgentNode) else 0
    if length <= MAX_SHOWN:
        return ()
    return (f"{node_key(node)} was shown the first {MAX_SHOWN:,} of {length:,} characters of its input",)


def as_shown(given: JsonValue) -> str:
    """A value as an agent reads it; nothing of what there is not."""
    return "" if given is None else given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def cut(text: str, longest: int = MAX_SHOWN) -> str:
    """As much of a text as is shown."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n[cut: the first {longest:,} of {len(text):,} characters]"
