"""How the prompts of patterns are laid out: where the task ends, and what stands behind it.

What results and drafts say is material: only the fields of their JSON are read, and no sentence in them is followed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from activities.contracts.handoffs import CONSTRAINTS

MAX_OBJECTS = 2_000
"""JSON objects of one prompt that are read."""

_SUBTASK = re.compile(
    r"\n\nThis is subtask (\S{1,100}) of a larger goal[^\n]*? (?:The goal: |It is complete in itself\.)"
)
_PLAN = re.compile(r"\n\nBreak this goal down into at most (\d{1,4}) subtasks")
_RESULTS = re.compile(r"\n\nThe results of the subtasks:\n\n")
_DRAFT = re.compile(r"\s*Review this draft\.\n\nThe goal: (.*?)\n\nThe draft:\n", re.DOTALL)
_INPUT = re.compile(r"\n\nInput:\n")
_SAID_BEHIND = (
    "Criteria:\n",
    "The last draft:\n",
    "Problems:\n",
    "Do this for each of the items below",
    "Several have answered this independently",
    "Give your own position, how sure you are",
    "It was debated. Position: ",
    "Break this goal down into a plan of at most ",
    "It counts as done when this holds: ",
    "It was tried before, and did not succeed: ",
    "These results are missing, and your answer has to say so",
    "These parts are missing, and your answer has to say so",
    "Answer the goal from the results below",
    "A network of peers has worked on this.",
)
_BEHIND = re.compile(rf"\n\n(?:{'|'.join(map(re.escape, _SAID_BEHIND))})")
"""How what patterns say behind a goal begins."""
_PEER = re.compile(r"\s*You are the peer \S{1,100} of a network that works towards this goal: ")
_FOLLOW_UP = re.compile(r"\s*These are the results so far\.\n\n")
_CONSTRAINTS = re.compile(rf"\n\n{CONSTRAINTS}:\n- .*(?:\n- .*)*")
_TYPES = re.compile(r"(?m)^- ([A-Za-z][\w.-]{0,99}): (.*)$")


@dataclass(frozen=True)
class Layout:
    """A prompt, taken apart."""

    task: str
    """What is asked."""
    material: str = ""
    """What stands behind it: an input, results, a draft."""
    subtask_id: str = ""
    goal: str = ""
    """The larger goal, where the task is a part of it."""
    types: tuple[tuple[str, str], ...] = ()
    """Worker types and what they can do."""
    room: int = 0
    """Subtasks that are asked for at most."""


def lay_out(prompt: str) -> Layout | None:
    """The parts of a prompt that a supervisor or a pipeline wrote; nothing for any other."""
    if found := _PEER.match(prompt):
        head, _, given = prompt.partition("\n\nInput:\n")
        return Layout(given.strip() or head[found.end() :].partition("\n\n")[0])
    if found := _SUBTASK.search(prompt):
        goal, _, given = prompt[found.end() :].partition("\n\nInput:\n")
        return Layout(prompt[: found.start()], given, subtask_id=found[1], goal=goal)
    if found := _PLAN.search(prompt):
        types = tuple((name, said) for name, said in _TYPES.findall(prompt[found.end() :]))
        return Layout(prompt[: found.start()], types=types, room=int(found[1]))
    if found := _RESULTS.search(prompt):
        return Layout(prompt[: found.start()], prompt[found.end() :])
    if found := _DRAFT.match(prompt):
        return Layout(found[1], prompt[found.end() :])
    if found := _BEHIND.search(prompt):
        return Layout(prompt[: found.start()], prompt.partition("\n\nInput:\n")[2])
    if found := _INPUT.search(prompt):
        return Layout(prompt[: found.start()], prompt[found.end() :])
    return None


def unconstrained(prompt: str) -> str:
    """The prompt without the constraints that a team puts on it: they are neither asked nor told, and cannot be followed."""
    return _CONSTRAINTS.sub("", prompt)


def follow_up(message: str) -> list[dict[str, Any]] | None:
    """The results in a request for further subtasks; nothing where a message is none."""
    found = _FOLLOW_UP.match(message)
    return list(reports(message[found.end() :])) if found else None


def reports(text: str) -> Iterator[dict[str, Any]]:
    """The subtasks' results: each a JSON object on a line of its own, or a list of them. What was cut off is left out."""
    for line in text.split("\n")[:MAX_OBJECTS]:
        value = _loads(line) if line.startswith(("{", "[")) else None
        for entry in value[:MAX_OBJECTS] if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and "subtask_id" in entry:
                yield entry


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects of a text, also of one whose end was cut off: of that, the whole ones within."""
    decoder, at = json.JSONDecoder(), text.find("{")
    for _ in range(MAX_OBJECTS):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value, end = None, at + 1
        if isinstance(value, dict):
            yield value
        at = text.find("{", end)


def entries(value: Any, *names: str) -> Iterator[dict[str, Any]]:
    """The objects within a JSON value that have these fields, as text, in their order."""
    stack, seen = [value], 0
    while stack and seen < 10 * MAX_OBJECTS:
        seen += 1
        part = stack.pop()
        if isinstance(part, dict):
            if all(isinstance(part.get(name), str) for name in names):
                yield part
            else:
                stack += reversed(list(part.values()))
        elif isinstance(part, list):
            stack += reversed(part)


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
