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
    """Tasks whose results it gets: it begins as soon as all of them have ended."""
    success: Annotated[str, Field(max_length=2_000)] = ""
    """When it counts as done; ``checker`` judges its result by this."""
    fallback: Name | None = None
    """The executor that does it where the first one fails, or its result is not a success. It is told why. After an
    effect nobody does it again."""
    without: Literal["skip", "run"] = "skip"
    """What becomes of it where a task before it came to nothing: it is left out, or it runs and is told what it lacks."""
    input: JsonValue = None
    """What it works on, besides the results of the tasks before it. ``$goal`` and ``$input`` stand for those of the plan."""


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
    """A call may take ``$goal`` (the run's), ``$task``, ``$results`` (of the tasks before it, by id), each of them by its id
    (null where it came to nothing), ``$missing`` and ``$input``: the task's own, those results where it has none."""
    tasks: Annotated[tuple[PlanTask, ...], Field(max_length=MAX_TASKS)] = ()
    """The graph, where the team knows it. One of ``tasks`` and ``planner`` is given."""
    planner: "Node | None" = None
    """Makes the graph: ``{tasks: [...]}``. It is checked as one of the team's own is, before any task begins. A call may
    take ``$goal``, ``$input`` and ``$problems``: what is wrong with the graph before, as sentences."""
    replans: Annotated[int, Field(ge=0, le=5)] = 1
    """Times that the planner is told what is wrong with its graph, and makes another. Then its fallback stands in, then
    the person of ``escalate``, then the plan fails."""
    max_tasks: Annotated[int, Field(ge=1, le=MAX_TASKS)] = 16
    """Tasks that a planner may make."""
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    outputs: Annotated[tuple[Name, ...], Field(max_length=MAX_TASKS)] = ()
    """Tasks whose results are the output, by id; those that no other task waits for where empty. A task from which none
    of them can be reached is refused. The plan fails where none of them came to anything."""
    checker: "Node | None" = None
    """Judges results by their task's ``success``: ``{met, reason}``. A result that cannot be judged is no success. A call
    may take ``$goal``, ``$task``, ``$success``, ``$result`` and ``$input`` (the result too)."""
    synthesis: "Node | None" = None
    """Makes one answer of the output. A call may take ``$goal``, ``$results`` (by id; ``$input`` too) and ``$missing``."""

    def parts(self) -> tuple[Part, ...]:
        """Planner, executors, checker, synthesis."""
        count = len(self.tasks) or self.max_tasks
        executors = tuple(f"executors.{name}.node" for name in self.executors)
        found: list[Part] = []
        at_once = 2 * self.max_parallel  # it continues as new between tasks; one under way may be done twice
        if self.planner:
            most, told = 1 + self.replans, ("input", "problems")
            found.append(Part("planner", self.planner, most, 1, "", told, graph(self), "planner.6", again="replans: 0"))
        for place, (name, spec) in zip(executors, self.executors.items(), strict=True):
            most = count * 2 if self.planner else sum((t.executor == name) + (t.fallback == name) for t in self.tasks)
            offers = ("input", "task", "results", "missing", *(task.task_id for task in self.tasks))
            offers = (*offers, "*") if self.planner else offers
            group, before = ("executors" if self.planner else ""), ("planner",) if self.planner else ()
            step, least = f"task-{'x' * 64}.2", 1 if group else 0
            found.append(Part(place, spec.node, most, least, group, offers, None, step, before, at_once))
        if self.checker:
            offers = ("task", "success", "result", "input")
            judged = [task for task in self.tasks if task.success]
            most = 2 * count if self.planner else sum(2 if task.fallback else 1 for task in judged)
            step = f"check-{'x' * 64}.2"
            found.append(Part("checker", self.checker, most, 0, "", offers, verdict(), step, executors, at_once))
        if self.synthesis:
            offers = ("input", "results", "missing")
            found.append(Part("synthesis", self.synthesis, 1, 1, "", offers, None, "synthesis", executors))
        return tuple(found)


def graph(node: PlanNode) -> Schema:
    """What a planner answers."""
    name: dict[str, JsonValue] = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"}
    executors = tuple(node.executors)
    optional: dict[str, JsonValue] = {
        "after": listed(name, most=node.max_tasks, description="Ids of the tasks whose results it needs."),
        "fallback": choice(executors, "Who does it where the first one fails."),
        "without": choice(("skip", "run"), "Where a task before it failed: leave it out, or run it all the same."),
    }
    if node.checker:
        optional["success"] = text("When it counts as done.", longest=2000, least=0)
    one = record(
        {
            "task_id": {**name, "description": "A short name, unlike that of any other task."},
            "executor": choice(executors, "Who does it."),
            "task": text("All that the executor is told, besides the results of the tasks in after."),
        },
        optional,
    )
    return record({"tasks": listed(one, most=node.max_tasks, least=1)})


def verdict() -> Schema:
    """What a checker answers."""
    return record(
        {"met": {"type": "boolean", "description": "Whether the result fulfils the criterion."}},
        {"reason": text("Why, in one sentence.", longest=1000, least=0)},
    )
