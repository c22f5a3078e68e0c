"""Plans: one graph, which can be carried out, by executors that know what they are given."""

from collections.abc import Iterator

from workers.checks.findings import Finding, Findings, Place, TeamView, Weight
from workflows.planning.graph import problems
from workflows.teams.references import references
from workflows.teams.tree import CallNode, Node, PlanNode

OFFERED = frozenset({"goal", "input", "task", "results", "missing"})
"""What a call may name whatever the task; a task that is called so is not meant by it."""


def plans(view: TeamView) -> Findings:
    """What cannot work in a plan, or cannot be meant."""
    for place in view.places:
        if isinstance(place.node, PlanNode):
            yield from _graph(place, place.node)
            yield from _given(place, place.node)
            yield from _judged(place, place.node)
            yield from _unused(place, place.node)


def _graph(place: Place, node: PlanNode) -> Findings:
    if bool(node.tasks) == (node.planner is not None):
        given = "both tasks and a planner" if node.tasks else "neither tasks nor a planner"
        yield Finding(place.at, f"{place.label} has {given}", "give one of the two")
        return
    if node.planner:
        return  # its graph is looked at when it is there
    for problem in problems(node.tasks, node.executors, node.outputs):
        yield Finding((*place.at, *problem.at), f"{place.label}: {problem.message}", problem.fix)


def _given(place: Place, node: PlanNode) -> Findings:
    """An executor that names a task gets its result only in tasks that come after it."""
    ids = {task.task_id for task in node.tasks}
    for index, task in enumerate(node.tasks):
        for below, name in references(task.input):
            if name in {"goal", "input"}:
                continue
            where = f" in {'.'.join(below)[:200]}" if below else ""
            yield Finding(
                (*place.at, "tasks", str(index), "input", *below),
                f"the input of the task {task.task_id!r} names ${name}{where}, and may name $goal and $input",
                f"let it come after a task whose result it needs (after); the text itself is written $${name}",
                Weight.ERROR,
            )
        for executor in dict.fromkeys(filter(None, (task.executor, task.fallback))):
            spec = node.executors.get(executor)
            for other in sorted(_named(spec.node)) if spec else ():
                if other in ids and other not in task.after:
                    yield Finding(
                        (*place.at, "tasks", str(index), "after"),
                        f"the task {task.task_id!r} does not come after {other!r}, whose result its executor {executor!r} names",
                        f"add {other} to its after",
                    )


def _named(node: Node) -> Iterator[str]:
    yield from set(node.needs)
    if isinstance(node, CallNode):
        yield from {name for _, name in references(node.arguments)} - OFFERED


def _judged(place: Place, node: PlanNode) -> Findings:
    if node.planner:
        return
    judged = [index for index, task in enumerate(node.tasks) if task.success]
    if judged and node.checker is None:
        yield Finding(
            (*place.at, "tasks", str(judged[0]), "success"),
            f"{place.label} has no checker, so that nobody judges the success of {node.tasks[judged[0]].task_id!r}",
            "give it a checker, or say it in the task",
            Weight.ERROR,
        )
    if node.checker is not None and not judged:
        yield Finding(
            (*place.at, "checker"),
            f"{place.label} has a checker, and no task says when it counts as done",
            "give tasks their success, or take it out",
            Weight.ERROR,
        )


def _unused(place: Place, node: PlanNode) -> Findings:
    if node.planner or not node.tasks:
        return
    for field in ("replans", "max_tasks"):
        if field in node.model_fields_set:
            yield Finding(
                (*place.at, field),
                f"{place.label} has {field}, which is for a planner, and its tasks are the team's own",
                "leave it away",
                Weight.ERROR,
            )
    used = {name for task in node.tasks for name in (task.executor, task.fallback)}
    for name in node.executors:
        if name not in used:
            yield Finding(
                (*place.at, "executors", name),
                f"{place.label} never uses the executor {name!r}: no task names it",
                "name it in a task, or take it out",
                Weight.ERROR,
            )
