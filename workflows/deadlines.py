"""Deadlines pass down: whatever is bounded in time bounds all that is below it.

A deadline is a moment of workflow time, seconds since 1970. Nothing waits for it besides the steps that have one anyway,
so it costs no event; a nested workflow reads it off its task and ends itself, with what it has come to.
"""

import math

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import DeadlineExceeded
    from workflows.contracts import RunInput, Task
    from workflows.teams.tree import Node, node_name

SHORTEST = 0.001
"""Seconds that a step is given whose time is over already: it ends at once, and says so."""


def end_of_run(run: RunInput, started_at: float) -> float | None:
    """When a workflow has to have ended, by its task or, of a root, by its own bounds."""
    task, root = run.task, run.team.root
    if task is None:
        return earliest(after(started_at, root.timeout_seconds), end_of_budget(root, started_at))
    ends = [after(started_at, task.seconds)]
    if task.handoff:
        ends.append(task.handoff.deadline)  # the time in which no worker was free counts too
    return earliest(*ends)


def end_of_budget(node: Node, started_at: float) -> float | None:
    """When the time of a node's budget is over, its fallback included."""
    return after(started_at, node.budget.seconds if node.budget else None)


def within(task: Task, end: float | None) -> Task:
    """The task, bounded by a deadline; by none where it is infinitely far away."""
    if end is None or end == math.inf:
        return task
    left = max(SHORTEST, end - workflow.time())
    return task if task.seconds is not None and task.seconds <= left else task.model_copy(update={"seconds": left})


def too_late(node: Node, seconds: float) -> DeadlineExceeded:
    """What ends a node whose time is used up."""
    return DeadlineExceeded(
        f"the node {node_name(node)!r} did not end within {seconds:g} s",
        fix=f"raise the seconds of {node_name(node)!r} (and the bounds around it), or give it less to do",
    )


def after(start: float, seconds: float | None) -> float | None:
    """So many seconds later; never, where there is no bound."""
    return None if seconds is None else start + seconds


def earliest(*ends: float | None) -> float | None:
    """The first of these deadlines."""
    return min((end for end in ends if end is not None), default=None)
