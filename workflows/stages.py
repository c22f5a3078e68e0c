"""What a step is told of its input: a text as it is, everything else as JSON; what is too long is cut, and says so."""

import json

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from workflows.cutting import Shown, bounded, cut, cuts_of
    from workflows.teams.tree import AgentNode, CallNode, Node, node_key

MAX_SHOWN = MAX_TEXT // 2
"""Characters of an input that a prompt shows, about 30,000 tokens. A call gets the whole of it by ``$input``."""


def shown(prompt: str, given: JsonValue) -> Shown:
    """A prompt with what there is to work on."""
    text = as_shown(given)
    if not text.strip():
        return bounded(prompt, prompt)
    task, below = cut(prompt, MAX_SHOWN, "its task"), cut(text, MAX_SHOWN, "its input")
    return Shown(f"{task}\n\nInput:\n{below}", (*cuts_of(prompt), *task.cuts, *below.cuts))


def unread(node: Node, prompt: str, given: JsonValue) -> tuple[str, ...]:
    """What a node does not get to read of what it is told, a sentence each for the result.

    A call gets all of it, and a pattern the whole of its input: that tells what its own agents do not read.
    """
    if isinstance(node, CallNode):
        return ()
    cuts = shown(prompt, given).cuts if isinstance(node, AgentNode) else cuts_of(prompt)
    return tuple(f"{node_key(node)} was shown {what}" for what in cuts)


def as_shown(given: JsonValue) -> str:
    """A value as an agent reads it; nothing of what there is not."""
    return "" if given is None else given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
