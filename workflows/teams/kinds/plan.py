"""Plan: a graph of tasks that depend on each other."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Name, Schema, Text, WireModel
from workflows.teams.kinds.base import Part, PatternBase, Seconds, choice, listed, record, text

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_TASKS = 100
"""Tasks of one plan: as child workflows, each checked and with a fallback, they stay within 4,000 events."""


class PlanTask(WireModel):
    """One task of a plan."""

    task_id: Name
    executor: Name
    """Who does it."""
    task: Annotated[str, Field(min_length=1, max_length=8_000)]
    after: Annotated[tuple[Name, ...], Field(max_length=MAX_TASKS)] = ()
    """Tasks whose results it gets: it begins when all of them have ended."""
    success: Annotated[str, Field(max_length=2_000)] = ""
    """When it counts as done; ``checker`` judges its result by this."""
    fallback: Name | None = None
    """The executor that does it where the first one fails, or its result is not a success."""
    without: Literal["skip", "run"] = "skip"
    """What becomes of it where a task before it failed: it is left out, or it runs and is told what it lacks."""
    input: JsonValue = None


class ExecutorSpec(WireModel):
    """Who does tasks. It is told its own task and the results that the task names, and nothing else of the plan."""

    node: "Node"
    description: Text = ""
    """What it can do; a planner reads it."""
    timeout_seconds: Seconds = 600.0
    """Bound of one task."""


class PlanNode(PatternBase):
    """A task graph: what is ready runs side by side."""

    kind: Literal["plan"] = "plan"
    name: Name = "plan"
    executors: Annotated[dict[Name, ExecutorSpec], Field(min_length=1, max_length=32)]
    """A call may take ``$goal``, ``$input`` (the task's), ``$task``, ``$results`` (by task), ``$missing`` and every task
    before it by its id."""
    tasks: Annotated[tuple[PlanTask, ...], Field(max_length=MAX_TASKS)] = ()
    """The graph, where the team knows it. One of ``tasks`` and ``planner`` is given."""
    planner: "Node | None" = None
    """Makes the graph: ``{tasks: [...]}``. It is checked as one of the team's own is; a planner that is an agent is told
    what is wrong, ``replans`` times. A call may take ``$goal`` and ``$input``."""
    replans: Annotated[int, Field(ge=0, le=5)] = 1
    max_tasks: Annotated[int, Field(ge=1, le=MAX_TASKS)] = 16
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    outputs: Annotated[tuple[Name, ...], Field(max_length=MAX_TASKS)] = ()
    """Tasks whose results are the output, by id; those that no other task waits for where empty. A task from which none
    of them can be reached is refused."""
    checker: "Node | None" = None
    """Judges results by their task's ``success``: ``{met, reason}``. A call may take ``$task``, ``$success`` and ``$result``."""
    synthesis: "Node | None" = None
    """Makes one answer of the output. A call may take ``$goal``, ``$input``, ``$results`` and ``$missing``."""

    def parts(self) -> tuple[Part, ...]:
        """Planner, executors, checker, synthesis."""
        count = len(self.tasks) or self.max_tasks
        executors = tuple(f"executors.{name}.node" for name in self.executors)
        found: list[Part] = []
        if self.planner:
            found.append(
                Part("planner", self.planner, 1 + self.replans, 1, "", ("input", "problems"), graph(self), "plan-6")
            )
        for place, (name, spec) in zip(executors, self.executors.items(), strict=True):
            most = count * 2 if self.planner else sum((t.executor == name) + (t.fallback == name) for t in self.tasks)
            offers = ("input", "task", "results", "missing", *(task.task_id for task in self.tasks))
            offers = (*offers, "*") if self.planner else offers
            group, before = ("executors" if self.planner else ""), ("planner",) if self.planner else ()
            found.append(Part(place, spec.node, most, 1 if group else 0, group, offers, None, f"{'x' * 64}.2", before))
        if self.checker:
            offers = ("task", "success", "result", "input")
            found.append(
                Part("checker", self.checker, 2 * count, 0, "", offers, verdict(), f"{'x' * 64}.check-2", executors)
            )
        if self.synthesis:
            offers = ("input", "results", "missing")
            found.append(Part("synthesis", self.synthesis, 1, 1, "", offers, None, "synthesis", executors))
        return tuple(found)


def graph(node: PlanNode) -> Schema:
    """What a planner answers."""
    name: dict[str, JsonValue] = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"}
    executors = tuple(node.executors)
    one = record(
        {
            "task_id": {**name, "description": "A short name, unlike that of any other task."},
            "executor": choice(executors, "Who does it."),
            "task": text("All that the executor is told, besides the results of the tasks in after."),
        },
        {
            "after": listed(name, most=node.max_tasks, description="Ids of the tasks whose results it needs."),
            "success": text("When it counts as done.", longest=2000, least=0),
            "fallback": choice(executors, "Who does it where the first one fails."),
            "without": choice(("skip", "run"), "Where a task before it failed: leave it out, or run it all the same."),
        },
    )
    return record({"tasks": listed(one, most=node.max_tasks, least=1)})


def verdict() -> Schema:
    """What a checker answers."""
    return record(
        {"met": {"type": "boolean", "description": "Whether the result fulfils the criterion."}},
        {"reason": text("Why, in one sentence.", longest=1000, least=0)},
    )
