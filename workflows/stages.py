"""What a stage of a pipeline is told."""

import json

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from workflows.contracts import Task
    from workflows.frame import Frame


def task_of_stage(frame: Frame, given: JsonValue, seconds: float) -> Task:
    """The goal and what the stage before made. A call may name every key that was committed before."""
    goal = frame.task.goal or frame.task.prompt
    shown = "" if given is None else given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return Task(
        prompt=(f"{goal}\n\nInput:\n{shown}" if shown else goal)[:MAX_TEXT],
        goal=goal,
        inputs={**frame.state.values, "input": given},
        seconds=max(0.001, seconds),
    )
