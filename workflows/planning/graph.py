"""What has to hold for a task graph. Pure: asked of a team's own tasks before a run, and of a planner's while it runs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from workflows.teams.kinds.plan import PlanTask

SHOWN = 10
"""Members of a cycle that a sentence names."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a graph."""

    message: str
    fix: str
    at: tuple[str, ...] = ("tasks",)
    """Where, below the plan: ``("tasks", "2", "after")``."""


def problems(
    tasks: Sequence[PlanTask], executors: Collection[str], outputs: Sequence[str] = (), most: int | None = None
) -> Iterator[Problem]:
    """What is wrong with a graph; nothing: every task can run, and is needed.

    Args:
        tasks: the graph.
        executors: names of those who do tasks.
        outputs: tasks that there have to be; none: those that no other task waits for.
        most: tasks that it may have.
    """
    if not tasks:
        yield Problem("the plan has no tasks", "give it at least one")
    if most is not None and len(tasks) > most:
        yield Problem(f"the plan has {len(tasks)} tasks, and may have {most}", "make larger tasks, or raise max_tasks")
    ids = [task.task_id for task in tasks]
    for index, task in enumerate(tasks):
        yield from _names(task, ("tasks", str(index)), ids[:index], executors, set(ids))
    for name in outputs:
        if name not in ids:
            yield Problem(f"the output {name!r} is no task", f"name one of {_listed(ids)}", ("outputs",))
    yield from _circles(tasks, ids)
    if all(name in ids for name in outputs):
        yield from _unneeded(tasks, outputs)


def outputs_of(tasks: Sequence[PlanTask], named: Sequence[str]) -> tuple[str, ...]:
    """The tasks whose results are the output: those that are named, else those that no other task waits for."""
    waited_for = {before for task in tasks for before in task.after}
    return tuple(named) or tuple(task.task_id for task in tasks if task.task_id not in waited_for)


def _names(
    task: PlanTask, at: tuple[str, ...], earlier: Sequence[str], executors: Collection[str], ids: Collection[str]
) -> Iterator[Problem]:
    if task.task_id in earlier:
        yield Problem(f"two tasks are called {task.task_id!r}", "give each task an id of its own", (*at, "task_id"))
    for field, name in (("executor", task.executor), ("fallback", task.fallback)):
        if name is not None and name not in executors:
            yield Problem(
                f"the task {task.task_id!r} names the {field} {name!r}, which there is not",
                f"name one of {_listed(executors)}",
                (*at, field),
            )
    for before in dict.fromkeys(task.after):
        if before not in ids:
            yield Problem(
                f"the task {task.task_id!r} waits for {before!r}, which is no task",
                f"name one of {_listed(name for name in ids if name != task.task_id)}, or take it out",
                (*at, "after"),
            )


def _circles(tasks: Sequence[PlanTask], ids: Sequence[str]) -> Iterator[Problem]:
    for cycle in _cycles(tasks):
        if len(cycle) == 1:
            message, fix = f"the task {cycle[0]!r} waits for itself", "take it out of its own after"
        else:
            shown = [*cycle, cycle[0]] if len(cycle) <= SHOWN else [*cycle[:SHOWN], "..."]
            message = f"tasks wait for each other in a circle: {' -> '.join(shown)}"
            fix = f"take one of them out of the after of another: {cycle[0]} waits for {cycle[1]} now"
        yield Problem(message, fix, ("tasks", str(ids.index(cycle[0])), "after"))


def _unneeded(tasks: Sequence[PlanTask], outputs: Sequence[str]) -> Iterator[Problem]:
    needed = _needed(tasks, outputs)
    for index, task in enumerate(tasks):
        if outputs and task.task_id not in needed:
            yield Problem(
                f"no output needs the task {task.task_id!r}",
                "name it in outputs, let a task that is needed wait for it, or take it out",
                ("tasks", str(index)),
            )


def _cycles(tasks: Sequence[PlanTask]) -> Iterator[list[str]]:
    """Circles that have no member in common, each in the order in which its members wait for each other."""
    left = {task.task_id: tuple(dict.fromkeys(task.after)) for task in tasks}
    while True:
        # What waits for nothing that is left can run; what then remains waits for a circle, or is in one.
        while free := [name for name, after in left.items() if not any(before in left for before in after)]:
            for name in free:
                del left[name]
        if not left:
            return
        way = [next(iter(left))]
        while (then := next(before for before in left[way[-1]] if before in left)) not in way:
            way.append(then)
        cycle = way[way.index(then) :]
        yield cycle
        for name in cycle:
            del left[name]


def _needed(tasks: Sequence[PlanTask], outputs: Sequence[str]) -> set[str]:
    """The outputs, and all that they wait for."""
    after = {task.task_id: task.after for task in tasks}
    found, waiting = set(outputs), list(outputs)
    while waiting:
        for before in after.get(waiting.pop(), ()):
            if before not in found:
                found.add(before)
                waiting.append(before)
    return found


def _listed(names: Collection[str] | Iterator[str]) -> str:
    every = sorted(names)
    return ", ".join(every[:SHOWN]) + (", ..." if len(every) > SHOWN else "")
