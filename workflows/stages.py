"""What a stage of a pipeline is told, and which stages run inside the pipeline's own workflow."""

import json
from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from workflows.contracts import Task
    from workflows.teams.bounds import CHILD_EVENTS, PATTERN_EVENTS, events, runs_inline
    from workflows.teams.tree import AgentNode, Node, NodeBase, TeamSpec, node_key

MAX_SHOWN = MAX_TEXT // 2
"""Characters of an input that a prompt shows, about 30,000 tokens. A call gets the whole of it by ``$input``."""


def stage_task(goal: str, given: JsonValue, seconds: float) -> Task:
    """The goal and what the stage before made, which a call names as ``$input``. Of the state it gets what it declares.

    A text is shown as it is and everything else as JSON. What is too long for a prompt is cut, and says so.
    """
    shown = _shown(given)
    return Task(
        prompt=f"{goal[:MAX_SHOWN]}\n\nInput:\n{_within(shown)}" if shown.strip() else goal[:MAX_TEXT],
        goal=goal,
        inputs={"input": given},
        seconds=max(0.001, seconds),
    )


def unread(node: Node, given: JsonValue) -> tuple[str, ...]:
    """What an agent does not get to read of its input, as a sentence for the result."""
    length = len(_shown(given)) if isinstance(node, AgentNode) else 0
    if length <= MAX_SHOWN:
        return ()
    return (f"{node_key(node)} was shown the first {MAX_SHOWN:,} of {length:,} characters of its input",)


def inline_stages(team: TeamSpec, stages: Sequence[Node], times: int = 1) -> frozenset[int]:
    """The stages whose single step runs inside the pattern's workflow: in order, as long as its history has room.

    Args:
        team: with the bounds of its agents.
        stages: the nodes that the pattern runs.
        times: how often it may run each.
    """
    room = PATTERN_EVENTS - times * CHILD_EVENTS * len(stages)
    inline = set()
    for index, stage in enumerate(stages):
        more = times * (_events(team, stage) - CHILD_EVENTS)
        if runs_inline(team, stage) and more <= room:
            inline.add(index)
            room -= more
    return frozenset(inline)


def _events(team: TeamSpec, node: Node) -> int:
    """Of a node and what stands in for it: that runs in the same workflow."""
    return events(team, node) + (_events(team, node.fallback) if isinstance(node.fallback, NodeBase) else 0)


def _shown(given: JsonValue) -> str:
    return "" if given is None else given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _within(text: str) -> str:
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[:MAX_SHOWN]}\n[cut: the first {MAX_SHOWN:,} of {len(text):,} characters]"
