"""One workflow of the tree at work: its input, what it may still use, and what it has come to. Steps start from it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Amounts, Budget
    from activities.contracts.effects import EffectReport
    from activities.contracts.events import MAX_EVENT_REPORTS, EventReport
    from activities.contracts.failures import FailureDetail
    from activities.contracts.grants import Verdict
    from activities.contracts.handoffs import HandoffReport
    from activities.contracts.monitors import MonitorSpec
    from activities.contracts.steps import Usage
    from activities.errors import Halted
    from workflows.budget import Account
    from workflows.budget_asking import BudgetQuestions
    from workflows.clock import Clock
    from workflows.contracts import AgentState, BudgetAsked, DecisionReport, RunInput, RunResult, Task
    from workflows.deadlines import end_of_run
    from workflows.keeping import is_plain_decision, kept
    from workflows.progress import Board
    from workflows.reviewing.effort import Looked
    from workflows.reviewing.judges import RunJudge
    from workflows.run_state import RunState
    from workflows.step_context import StepContext
    from workflows.teams.tree import MonitorNode, node_name

MAX_NOTES = 100
MAX_KEPT = 500
"""Entries of each list that a result holds: the last ones; of the decisions, what monitors let through goes first."""


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
    """Effects of its own steps, as their calls end, and of what is nested in it, as that comes back. No step holds its
    own: what is stopped or fails would take them along. A root begins with what its earlier executions have left."""
    notes: list[str] = field(default_factory=list)
    """What is worth knowing of its steps, and makes their results no worse."""
    effects_begun: int = 0
    """Calls of its own steps that may have had one."""
    events: list[EventReport] = field(default_factory=list)
    """Of its networks, and of those nested in it."""
    events_now: Callable[[], Sequence[EventReport]] = tuple
    """Of its own network while that is at work: not among the ``events`` yet."""
    log: list[str] = field(default_factory=list)
    """The decision log: what the patterns decided, one sentence each; it travels in handoffs."""
    pending: tuple[str, ...] = ()
    """Steps that are known to follow."""
    started_at: float = 0.0
    deadline: float | None = None
    """Workflow time at which it has to have ended, all below it included."""
    clock: Clock = field(default_factory=Clock)
    """Ends its own steps in time."""
    halted: FailureDetail | None = None
    """The gate's last word, where it has ended the run."""
    _waiting: list["asyncio.Task[Any]"] = field(default_factory=list)
    grant: Account | None = None
    """What a nested workflow was granted; above its own budget."""
    questions: BudgetQuestions | None = None
    """Where its budget asks people for more."""
    results: list[RunResult] = field(default_factory=list)
    """Of its pattern's steps, as they end: what there is where it is ended before it has a result."""
    beside: list[RunResult] = field(default_factory=list)
    """What was done beside its steps, such as by judges: it belongs to no step's result, and is paid all the same."""
    run_judge: RunJudge | None = None
    """How an agent is let judge an action."""
    looked: Looked = field(default_factory=Looked)
    """What reviews have looked at."""
    unlisted: Counter[Verdict] = field(default_factory=Counter)
    """Decisions that are not listed any more, by verdict."""

    @classmethod
    def of(cls, run: RunInput) -> "Frame":
        """The frame of a workflow that begins, or goes on."""
        root = run.team.root
        before = run.carried
        used = _used(run.state) if run.state else before.result.usage if before else None
        started_at = _began(run)
        name = f"the node {node_name(root)!r}"
        grant = Account(_payer(run, name), run.task.budget, used=used) if run.task else None
        account = Account(name, root.budget or Budget(), parent=grant, used=used)
        frame = cls(
            run=run,
            board=Board(run.own_path),
            account=account,
            state=RunState(run.rewind.values if run.rewind else None, before.result.state if before else ()),
            handoffs=list(before.result.handoffs) if before else [],
            done=_left_standing(run),
            decisions=list(run.state.decisions if run.state else before.result.decisions if before else ()),
            notes=list(before.result.notes) if before else [],
            log=list(before.result.log) if before else [],
            events=list(before.result.events) if before else [],
            unlisted=Counter(run.state.unlisted if run.state else before.unlisted if before else {}),
            effects_begun=len(run.state.done) if run.state else before.effects_begun if before else 0,
            started_at=started_at,
            deadline=end_of_run(run, started_at),
            grant=grant,
            beside=[run.state.beside] if run.state and run.state.beside else [],
        )
        frame._go_on_asking(run.state.budget if run.state else before.budget if before else BudgetAsked())
        return frame

    def _go_on_asking(self, asked: BudgetAsked) -> None:
        """What people have said to the budget before a continue-as-new holds, and they are not asked more often for it."""
        budget = self.run.team.root.budget
        self.account.allow(asked.allowed)
        self.account.breached = asked.breached
        if self.grant:
            self.grant.breached = asked.grant_breached
        if budget and budget.on_breach == "ask":
            self.questions = BudgetQuestions(self.step(), budget, asked)
            self.account.more = self.questions.more

    def budget_asked(self) -> BudgetAsked:
        """What became of the budget, for a continue-as-new."""
        return BudgetAsked(
            allowed=self.questions.allowed if self.questions else Amounts(),
            questions=self.questions.count if self.questions else 0,
            breached=self.account.breached,
            grant_breached=self.grant is not None and self.grant.breached,
        )

    @property
    def task(self) -> Task:
        """What this workflow is to do; the root does the goal."""
        return self.run.task or Task(prompt=self.run.goal, seconds=self.run.team.root.timeout_seconds)

    @property
    def monitors(self) -> tuple[MonitorSpec, ...]:
        """What reviews all that is done here: the monitors above it, and the one that it is."""
        root = self.run.team.root
        return (*self.task.monitors, root.spec) if isinstance(root, MonitorNode) else self.task.monitors

    @property
    def path(self) -> str:
        """The path that all its steps begin with."""
        return self.run.own_path

    def step(self, *parts: str, task: Task | None = None) -> StepContext:
        """A step below this workflow's own path; without ``parts`` its own."""
        return StepContext(self, "/".join((self.path, *parts)), task)

    def decide(self, sentence: str) -> None:
        """Note what a pattern decided; a nested one says with its path whose it is: others decide alike."""
        sentence = " ".join(sentence.split())
        if self.run.task is not None and self.path not in sentence:
            sentence = f"{self.path}: {sentence.removeprefix(f'{node_name(self.run.team.root)}: ')}"
        self.log = [*self.log, sentence[:500]][-MAX_KEPT:]

    def halt(self, failure: FailureDetail) -> None:
        """End the run at this action: nothing more is begun, and what waits for others is stopped."""
        if self.halted is None:
            self.halted = failure
            for task in self._waiting:
                task.cancel()

    def go_on(self) -> None:
        """Refuse another call after a halt.

        Raises:
            Halted: the gate has ended the run.
        """
        if self.halted:
            raise Halted(self.halted.message)

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Inside, a nested workflow is waited for; a halt of this one stops it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        self._waiting.append(task)
        try:
            yield
        finally:
            self._waiting.remove(task)

    def take(self, result: RunResult) -> None:
        """Keep all that a nested workflow has come to."""
        self.note(
            handoffs=result.handoffs,
            decisions=result.decisions,
            done=result.done,
            notes=result.notes,
            log=result.log,
        )
        self.note_events(result.events)

    def note_events(self, events: Iterable[EventReport]) -> None:
        """Keep what peers have told each other."""
        self.events = [*self.events, *events][-MAX_EVENT_REPORTS:]

    def note(
        self,
        *,
        handoffs: Iterable[HandoffReport] = (),
        decisions: Iterable[DecisionReport] = (),
        done: Iterable[EffectReport] = (),
        notes: Iterable[str] = (),
        log: Iterable[str] = (),
    ) -> None:
        """Keep what a step has come to."""
        self.notes = [*self.notes, *notes][-MAX_NOTES:]
        self.handoffs = [*self.handoffs, *handoffs][-MAX_KEPT:]
        self.decisions, rest = kept([*self.decisions, *decisions], MAX_KEPT, is_plain_decision)
        self.unlisted.update(report.verdict for report in rest)
        self.log = [*self.log, *log][-MAX_KEPT:]
        done = tuple(done)
        again = {report.request_id for report in done if report.request_id}
        before = (report for report in self.done if not (report.earlier and report.request_id in again))
        self.done = [*before, *done] if again else [*self.done, *done]


def _left_standing(run: RunInput) -> list[EffectReport]:
    """What a workflow has done before a continue-as-new; of a root first what earlier executions did, unless it was that."""
    done = run.state.done if run.state else run.carried.done if run.carried else ()
    earlier = run.rewind.earlier if run.rewind and run.task is None else ()
    known = {report.request_id for report in done if report.request_id}
    return [*(report for report in earlier if report.request_id not in known), *done]


def _payer(run: RunInput, name: str) -> str:
    payer = run.task.payer if run.task else ""
    return f"{payer} (what it granted to {name})" if payer else f"what was granted to {name}"


def _used(state: AgentState) -> Usage:
    return state.total + state.beside.usage if state.beside else state.total


def _began(run: RunInput) -> float:
    """When the workflow began, before every continue-as-new and transfer."""
    state = run.state
    if state is None:
        return run.carried.started_at if run.carried else workflow.time()
    return state.ownership.started_at if state.ownership else state.started_at
