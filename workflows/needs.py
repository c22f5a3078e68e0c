"""What of the run's state reaches a step: the keys that its node declares, and nothing else.

The failure this prevents: everything is passed to everybody, and each prompt and history grows with the whole run. What a
pattern offers to its calls by name (``$input``, ``$results``) is no state, and stays.
"""

import json
from collections.abc import Iterable, Mapping

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from activities.contracts.handoffs import CONSTRAINTS, Handoff, Rejection, RejectionReason
    from workflows.contracts import Task
    from workflows.step_context import StepContext
    from workflows.teams.platform import READ_STATE
    from workflows.teams.references import declared
    from workflows.teams.routes import owners
    from workflows.teams.tree import AgentNode, CallNode, Node

CUT_NOTE = 80
"""Characters that a note on what was cut takes at most."""
INPUT = "input"
"""The name under which a pattern gives a node what it is to work on."""


def known(step: StepContext) -> dict[str, JsonValue]:
    """What a workflow has to give: what it was given itself, and its state."""
    return {**step.frame.task.inputs, **step.frame.state.values}


def with_needs(step: StepContext, node: Node, task: Task) -> Task:
    """The task with the declared values, and without those of the state that nothing at or below the node declares.

    An agent reads them in its prompt (``told``), everything else by ``$name``.
    """
    here = known(step)
    wanted = here if _may_read_all(step, node) else {key: here[key] for key in declared(node) if key in here}
    # What the pattern itself offers stands before what it was given: a nested pattern has its own ``$task``.
    return task.model_copy(update={"inputs": {**wanted, **_trimmed(step, node, task)}})


def given_to(task: Task) -> JsonValue:
    """What a node is given to work on, as its input contract sees it: the pattern's input, the goal where there is none."""
    given = task.inputs.get(INPUT)
    return (task.goal or task.prompt) if given is None else given


def supplied(step: StepContext, task: Task, rejection: Rejection) -> Task | None:
    """The task with the required parts of the input that it lacks, from what the workflow has; ``None``: it has none."""
    here, given = known(step), given_to(task)
    found = {key: here[key] for key in rejection.missing if key in here}
    if rejection.reason is not RejectionReason.INPUT_MISMATCH or not found:
        return None
    whole = {**given, **found} if isinstance(given, dict) else found
    return task.model_copy(update={"inputs": {**task.inputs, INPUT: whole}})


def values_of(step: StepContext, node: Node, lacked: Iterable[str] = ()) -> dict[str, str]:
    """What of the state an agent is shown: what its input lacked, and what it declares."""
    here = known(step)
    return {key: as_text(here[key]) for key in (*lacked, *node.needs) if key in here}


def told(node: Node, task: Task, handoff: Handoff, values: Mapping[str, str]) -> Task:
    """The task with its handoff, and with what an agent is to read of it: declared values, constraints, with ``full`` all.

    The task and the values make room, each its share: a constraint that was cut off would be one that nobody keeps. What
    is cut says so in the prompt, in the handoff and in the result.

    Args:
        node: who gets it.
        task: what to do.
        handoff: the handoff.
        values: those of the state that it is shown (``values_of``).
    """
    if not isinstance(node, AgentNode):
        return task.model_copy(update={"handoff": handoff})
    parts = [_listed(CONSTRAINTS, handoff.constraints)]
    if node.context == "full":
        parts += [
            "" if handoff.goal in task.prompt else f"The goal of the whole: {handoff.goal}",
            _listed("What was decided so far", handoff.decisions),
            _listed("What is done", handoff.completed),
            _listed("What follows", handoff.pending),
            f"What has happened: {handoff.summary}" if handoff.summary else "",
        ]
    said = "".join(f"\n\n{part}" for part in parts if part)[:MAX_TEXT]
    prompt, cut = _within(task.prompt, values, MAX_TEXT - len(said))
    return task.model_copy(update={"prompt": prompt + said, "handoff": handoff.model_copy(update={"cut": cut})})


def _within(prompt: str, values: Mapping[str, str], room: int) -> tuple[str, tuple[str, ...]]:
    """The prompt with these values in at most ``room`` characters, and what of it had to be cut.

    What is short is whole; the long ones share the rest alike.
    """
    parts = {"the task": prompt, **values}
    titles = {key: f"\n\n{key}:\n" if key in values else "" for key in parts}
    shown, cut = dict[str, str](), list[str]()
    left = room - sum(map(len, titles.values()))
    for index, key in enumerate(sorted(parts, key=lambda key: (len(parts[key]), key))):
        text, share = parts[key], left // (len(parts) - index)
        if len(text) > share:
            cut.append(key)
            kept = max(0, share - CUT_NOTE)
            text = f"{text[:kept]}\n[cut: the first {kept:,} of {len(text):,} characters]"
        shown[key] = text
        left -= len(text)
    return "".join(f"{titles[key]}{shown[key]}" for key in parts), tuple(sorted(cut))


def _trimmed(step: StepContext, node: Node, task: Task) -> dict[str, JsonValue]:
    """The inputs without values of the state, which are found by identity: a pattern may offer others by the same name."""
    if isinstance(node, CallNode):
        return task.inputs  # its arguments take what they name, and nothing else leaves the workflow
    state = step.frame.state.values
    return {key: value for key, value in task.inputs.items() if key == INPUT or value is not state.get(key, _NOT_THERE)}


def _may_read_all(step: StepContext, node: Node) -> bool:
    """Whether an agent may ask for any key: as a workflow of its own it has only what it comes with."""
    team = step.run.team
    return isinstance(node, AgentNode) and any(
        READ_STATE in team.agents[name].tools for name in owners(team, node.agent) if name in team.agents
    )


def as_text(value: JsonValue) -> str:
    """A value as an agent reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([f"{title}:", *(f"- {' '.join(line.split())}" for line in lines)]) if lines else ""


_NOT_THERE = object()
