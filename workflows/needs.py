"""What of the run's state reaches a step: the keys that its node declares, and nothing else.

The failure this prevents: everything is passed to everybody, and each prompt and history grows with the whole run. What a
pattern offers to its calls by name (``$input``, ``$results``) is no state, and stays.
"""

import json
from collections.abc import Mapping

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

INPUT = "input"
"""The name under which a pattern gives a node what it is to work on."""


def known(step: StepContext) -> dict[str, JsonValue]:
    """What a workflow has to give: what it was given itself, and its state."""
    return {**step.frame.task.inputs, **step.frame.state.values}


def with_needs(step: StepContext, node: Node, task: Task) -> Task:
    """The task with the declared values, and without those of the state that nothing at or below the node declares.

    An agent reads them in its prompt, everything else by ``$name``.
    """
    here = known(step)
    wanted = here if _may_read_all(step, node) else {key: here[key] for key in declared(node) if key in here}
    task = task.model_copy(update={"inputs": {**_trimmed(step, node, task), **wanted}})
    return _told(node, task, {key: here[key] for key in node.needs if key in here})


def given_to(task: Task) -> JsonValue:
    """What a node is given to work on, as its input contract sees it: the pattern's input, the goal where there is none."""
    given = task.inputs.get(INPUT)
    return (task.goal or task.prompt) if given is None else given


def supplied(step: StepContext, node: Node, task: Task, rejection: Rejection) -> Task | None:
    """The task with the required parts of the input that it lacks, from what the workflow has; ``None``: it has none."""
    here, given = known(step), given_to(task)
    found = {key: here[key] for key in rejection.missing if key in here}
    if rejection.reason is not RejectionReason.INPUT_MISMATCH or not found:
        return None
    whole = {**given, **found} if isinstance(given, dict) else found
    return _told(node, task.model_copy(update={"inputs": {**task.inputs, INPUT: whole}}), found)


def told(node: Node, task: Task, handoff: Handoff) -> Task:
    """The task with what its handoff says to an agent: always its constraints, and all of it with ``context: full``.

    The prompt makes room: a constraint that was cut off would be one that nobody keeps.
    """
    if not isinstance(node, AgentNode):
        return task
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
    return task.model_copy(update={"prompt": task.prompt[: MAX_TEXT - len(said)] + said})


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


def _told(node: Node, task: Task, values: Mapping[str, JsonValue]) -> Task:
    if not isinstance(node, AgentNode) or not values:
        return task
    listed = "\n\n".join(f"{key}:\n{as_text(value)}" for key, value in values.items())
    return task.model_copy(update={"prompt": f"{task.prompt}\n\n{listed}"[:MAX_TEXT]})


def as_text(value: JsonValue) -> str:
    """A value as an agent reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(title: str, lines: tuple[str, ...]) -> str:
    return "\n".join([f"{title}:", *(f"- {' '.join(line.split())}" for line in lines)]) if lines else ""


_NOT_THERE = object()
