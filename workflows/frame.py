"""One workflow of the tree at work: its input, what it may still use, and what it has come to. Steps start from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Budget
    from activities.contracts.effects import EffectReport
    from activities.contracts.handoffs import HandoffReport
    from workflows.budget import Account
    from workflows.contracts import DecisionReport, RunInput, Task
    from workflows.progress import Board
    from workflows.run_state import RunState
    from workflows.step_context import StepContext
    from workflows.teams.tree import node_name

MAX_KEPT = 500
"""Entries of each list that a result holds: the last ones."""


@dataclass
class Frame:
    """What the pattern of one workflow holds in its hands. It is its only writer."""

    run: RunInput
    board: Board
    account: Account
    """What this workflow and all below it may use."""
    state: RunState
    handoffs: list[HandoffReport] = field(default_factory=list)
    decisions: list[DecisionReport] = field(default_factory=list)
    done: list[EffectReport] = field(default_factory=list)
    """Effects of its own steps and of those nested in it, in the order in which they came back."""
    log: list[str] = field(default_factory=list)
    """The decision log: what the patterns decided, one sentence each; it travels in handoffs."""
    pending: tuple[str, ...] = ()
    """Steps that are known to follow."""
    started_at: float = 0.0

    @classmethod
    def of(cls, run: RunInput) -> "Frame":
        """The frame of a workflow that begins, or goes on."""
        root = run.team.root
        limit = run.task.budget if run.task else Budget()
        return cls(
            run=run,
            board=Board(run.own_path),
            account=Account(
                f"the node {node_name(root)!r}",
                limit.narrowed(root.budget or Budget()),
                used=run.state.usage if run.state else None,
            ),
            state=RunState(run.rewind.values if run.rewind else None),
            done=list(run.state.done) if run.state else [],
            started_at=workflow.time(),
        )

    @property
    def task(self) -> Task:
        """What this workflow is to do; the root does the goal."""
        return self.run.task or Task(prompt=self.run.goal, seconds=self.run.team.root.timeout_seconds)

    @property
    def path(self) -> str:
        """The path that all its steps begin with."""
        return self.run.own_path

    def step(self, *parts: str, task: Task | None = None) -> StepContext:
        """A step below this workflow's own path; without ``parts`` its own."""
        return StepContext(self, "/".join((self.path, *parts)), task)

    def decide(self, sentence: str) -> None:
        """Note what a pattern decided."""
        self.log = [*self.log, " ".join(sentence.split())[:500]][-MAX_KEPT:]

    def note(
        self,
        *,
        handoffs: Iterable[HandoffReport] = (),
        decisions: Iterable[DecisionReport] = (),
        done: Iterable[EffectReport] = (),
    ) -> None:
        """Keep what a step has come to."""
        self.handoffs = [*self.handoffs, *handoffs][-MAX_KEPT:]
        self.decisions = [*self.decisions, *decisions][-MAX_KEPT:]
        self.done = [*self.done, *done]
