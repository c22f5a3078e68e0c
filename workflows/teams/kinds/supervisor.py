"""Supervisor: decompose, dispatch to workers by type, follow up, synthesise, verify."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Name, Schema, Text, WireModel
from workflows.teams.kinds.base import Part, PatternBase, Seconds, choice, record, text
from workflows.teams.kinds.single import AgentNode, CallNode

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_SUBTASKS = 200
"""Subtasks of one supervisor: as child workflows with two attempts they stay within 4,000 events of its history."""


class SubtaskSpec(WireModel):
    """One part of the work, as the team, a tool or a planner lays it out."""

    type: Name
    """The worker type that does it."""
    task: Annotated[str, Field(min_length=1, max_length=8_000)]
    input: JsonValue = None
    """What the worker needs to know, besides the goal and the task."""
    timeout_seconds: Seconds | None = None
    """In place of the worker type's."""
    attempts: Annotated[int, Field(ge=1, le=5)] | None = None
    """In place of the worker type's. A tool may ask for fewer than those, and not for more."""


class WorkerSpec(WireModel):
    """A worker type: who does subtasks of this type, and what happens where they fail."""

    node: "Node"
    description: Text = ""
    """What this worker can do; a planner reads it."""
    timeout_seconds: Seconds = 600.0
    """Bound of one attempt."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """Attempts of one subtask. One that has begun an effect is not made again."""
    reroute: Annotated[tuple[Name, ...], Field(max_length=4)] = ()
    """Worker types that get the subtask, in this order, where this one fails for good."""


class Phases(WireModel):
    """A supervisor's latency budget, in seconds. What a phase does not need goes to those after it."""

    planning: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """The first decomposition. Where it runs out, the whole goal is one subtask for the first worker type."""
    workers: Seconds
    """All rounds. Where they run out, subtasks that are not done are given up."""
    synthesis: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """Synthesis, review and gate. Where they run out, the results are the output as they are."""
    reserve: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """For ending cleanly."""

    @property
    def total(self) -> float:
        """Of all phases."""
        return self.planning + self.workers + self.synthesis + self.reserve


class SupervisorNode(PatternBase):
    """Decompose, dispatch to workers by type, follow up, synthesise, verify."""

    kind: Literal["supervisor"] = "supervisor"
    name: Name = "supervisor"
    workers: Annotated[dict[Name, WorkerSpec], Field(min_length=1, max_length=32)]
    subtasks: Annotated[tuple[SubtaskSpec, ...], Field(max_length=MAX_SUBTASKS)] = ()
    """The decomposition, where the team knows it. One of ``subtasks``, ``split`` and ``planner`` is given."""
    split: CallNode | None = None
    """A tool that returns the subtasks of a round: a list of ``{type, task, input}``; empty ends the work.
    It may take ``$goal``, ``$input``, ``$round`` and ``$results``."""
    planner: Name | None = None
    """An agent that decides on the subtasks of each round. Its output contract is given by the worker types."""
    rounds: Annotated[int, Field(ge=1, le=10)] = 1
    """Rounds of decomposition: the first, and follow-ups on what came back."""
    max_subtasks: Annotated[int, Field(ge=1, le=MAX_SUBTASKS)] = 8
    """Of all rounds together."""
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    phases: Phases | None = None
    """Its time by phases; together they take at most ``seconds``. Without them ``seconds`` is the time of the rounds."""
    synthesis: "Node | None" = None
    """Makes one whole of the results. A call may take ``$goal``, ``$input``, ``$results`` and ``$missing``.
    Absent: the output is the list of results."""
    review: "Node | None" = None
    """Looks at the synthesis before the gate does. A call may take ``$goal``, ``$input``, ``$results`` and ``$draft``."""
    gate: CallNode | None = None
    """A tool that decides on the draft: ``{accepted, problems, output}``. It may take ``$goal``, ``$input``,
    ``$results``, ``$missing``, ``$draft``, ``$review`` and ``$final`` (true where no correction follows)."""
    corrections: Annotated[int, Field(ge=0, le=5)] = 1
    """Times that the gate's problems go back to the synthesis."""

    def has_drafts(self) -> bool:
        """See ``PatternBase``."""
        return self.gate is not None

    def parts(self) -> tuple[Part, ...]:
        """A planner comes as the node of its agent."""
        made = ("input", "results", "missing")
        reviewed = (*made, "draft", "final")
        drafts = 1 + self.corrections if self.gate else 1
        first = tuple(place for place in ("planner", "split") if getattr(self, place))
        workers = tuple(f"workers.{name}.node" for name in self.workers)
        found: list[Part] = []
        if self.planner:
            agent = AgentNode(agent=self.planner)
            found.append(
                Part("planner", agent, self.rounds, 1, answers=planned(self), step="plan-10", again="rounds: 1")
            )
        if self.split:
            found.append(
                Part(
                    "split",
                    self.split,
                    self.rounds,
                    1,
                    offers=("input", "round", "results"),
                    step="split-10",
                    again="rounds: 1",
                )
            )
        # A split tool may find nothing to do, and a tool may synthesise from nothing: else one subtask has to be done.
        least = 0 if self.split or isinstance(self.synthesis, CallNode) else 1
        for name, worker in self.workers.items():
            found.append(
                Part(
                    f"workers.{name}.node",
                    worker.node,
                    times(self, name),
                    least,
                    group="workers",
                    offers=("task", "input", "subtask_id"),
                    step="s10-200/25",
                    before=first,
                )
            )
        again = "corrections: 0"
        if self.synthesis:
            step = "synthesis-6"
            found.append(
                Part("synthesis", self.synthesis, drafts, 1, offers=made, step=step, before=workers, again=again)
            )
        if self.review:  # it may fail
            step, before = "review-6", ("synthesis",)
            found.append(Part("review", self.review, drafts, 0, offers=reviewed, step=step, before=before, again=again))
        if self.gate:
            offers, before = (*reviewed, "review"), ("review",) if self.review else ("synthesis",)
            found.append(Part("gate", self.gate, drafts, 1, offers=offers, step="gate-6", before=before))
        return tuple(found)

    def times(self, group: str) -> int:
        """Attempts of subtasks, whoever makes them."""
        return dispatches(self) if group else 0


def dispatches(node: SupervisorNode) -> int:
    """Attempts of subtasks that a supervisor makes at most, re-routed ones included."""
    if node.subtasks:
        named = [(spec.type, spec.attempts) for spec in node.subtasks if spec.type in node.workers]
        return sum(tries(node, *one).total() for one in named)
    return node.max_subtasks * max(tries(node, worker_type).total() for worker_type in node.workers)


def tries(node: SupervisorNode, worker_type: str, attempts: int | None = None) -> Counter[str]:
    """Attempts that one subtask is given at most, by worker type: its own, then those that it is re-routed to.

    Args:
        node: the supervisor.
        worker_type: the subtask's.
        attempts: in place of the worker type's, where the team says so of the subtask.
    """
    count: Counter[str] = Counter()
    for other in (worker_type, *node.workers[worker_type].reroute):
        if other in node.workers:
            count[other] += attempts if attempts and other == worker_type else node.workers[other].attempts
    return count


def times(node: SupervisorNode, worker_type: str) -> int:
    """Attempts that one worker type makes at most, of all subtasks."""
    if node.subtasks:
        specs = (spec for spec in node.subtasks if spec.type in node.workers)
        return sum(tries(node, spec.type, spec.attempts)[worker_type] for spec in specs)
    return node.max_subtasks * max(tries(node, other)[worker_type] for other in node.workers)


def planned(node: SupervisorNode) -> Schema:
    """What a planner has to answer: at most so many subtasks, of types that there are."""
    types = choice(tuple(node.workers), "The worker type.")
    one = record({"type": types, "task": text("All that the worker is told.")})
    subtasks: JsonValue = {"type": "array", "maxItems": node.max_subtasks, "items": one}
    return record({"subtasks": subtasks})
