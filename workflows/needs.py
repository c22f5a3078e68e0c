"""What of the run's state reaches a step: the keys that its node declares, and nothing else."""

import json

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import MAX_TEXT
    from workflows.contracts import Task
    from workflows.step_context import StepContext
    from workflows.teams.tree import AgentNode, Node


def with_needs(step: StepContext, node: Node, task: Task) -> Task:
    """The task with the declared values: an agent reads them in its prompt, everything else by ``$name``."""
    values = step.frame.state.view(node.needs)
    if not values:
        return task
    task = task.model_copy(update={"inputs": {**task.inputs, **values}})
    if not isinstance(node, AgentNode):
        return task
    listed = "\n\n".join(f"{key}:\n{_text(value)}" for key, value in values.items())
    return task.model_copy(update={"prompt": f"{task.prompt}\n\n{listed}"[:MAX_TEXT]})


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
