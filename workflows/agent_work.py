"""One agent at work on one step: what its turns, its model calls and its tool calls share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Budget
    from activities.contracts.failures import FailureDetail
    from activities.contracts.handoffs import Handoff
    from activities.contracts.messages import MessageRef, estimate_tokens
    from activities.errors import ConfigurationInvalid, DeadlineExceeded
    from workflows.budget import Account
    from workflows.clock import Bound
    from workflows.contracts import AgentState, ModelRoute, NodePlan
    from workflows.deadlines import after, earliest
    from workflows.failures import stop_if_requested
    from workflows.step_context import StepContext
    from workflows.teams.agents import AgentLimits, AgentSpec
    from workflows.transfers import Transfer


class AgentWork:
    """``state`` is up to date after every await, whatever is raised."""

    def __init__(self, step: StepContext, agent: str, state: AgentState, *, plan: str = "") -> None:
        """``plan``: what was resolved for it, where that is not found by its name."""
        run, task = step.run, step.task
        plan = plan or agent
        if agent not in run.team.agents or plan not in run.plans or not run.plans[plan].models:
            raise ConfigurationInvalid(f"the run knows no agent {agent!r}", fix="start runs that were admitted")
        self.step, self.agent, self.state = replace(step, paused=self.paused), agent, state
        self.run, self.path = run, step.path
        self.spec: AgentSpec = run.team.agents[agent]
        self.plan: NodePlan = run.plans[plan]
        self.identity = f"{run.team.team}/{agent}@{run.team.version}"
        self.subtask_id = task.subtask_id if task else ""
        self.label = f"{self.subtask_id} {agent}".lstrip()
        """What the UI's one-line summaries begin with: several of its kind may be at work."""
        self.end = earliest(step.frame.deadline, after(state.started_at, task.seconds if task else None))
        """Workflow time at which the step ends whatever it waits for; nothing: only its own limit bounds it."""
        self.bound: Bound | None = None
        """What ends the step in time, while it is at work."""
        self._asking, self._asking_since = 0, 0.0
        self.account = Account(f"the agent {agent!r}", _budget(self.limits), parent=step.funds, used=state.usage)
        self.account.paused = self.paused
        self.unknown: list[FailureDetail] = []
        """Effects that were begun and whose outcome nobody knows."""
        self.sent = False
        """Whether its first call was made, with the handoff."""
        self.transfer: Transfer | None = None
        """The wish to hand the step on, where the last turn ended with one."""

    @property
    def limits(self) -> AgentLimits:
        """The agent's own."""
        return self.spec.limits

    @property
    def deadline(self) -> float | None:
        """Workflow time at which the step ends, seconds since 1970. What it waits for people is not its own time."""
        own = self.state.started_at + self.limits.seconds + self.state.waited_seconds
        return self.end if self._asking else earliest(self.end, own)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While a person is asked, only the bounds around the step hold."""
        if not self._asking:
            self._asking_since = workflow.time()
        self._asking += 1
        self._rebound()
        try:
            yield
        finally:
            if workflow.in_workflow():  # not thrown away with a workflow that a worker forgets
                self._asking -= 1
                if not self._asking:
                    waited = workflow.time() - self._asking_since
                    self.update(waited_seconds=self.state.waited_seconds + waited)
                self._rebound()

    def _rebound(self) -> None:
        if self.bound and not self.bound.expired():
            self.bound.reschedule(self.deadline)

    @property
    def handoff(self) -> Handoff | None:
        """How the step came to the agent."""
        return self.step.task.handoff if self.step.task else None

    @property
    def route(self) -> ModelRoute:
        """The model of the chain that is asked now."""
        return self.plan.models[self.state.choice]

    def prompt_tokens(self) -> int:
        """The length of the next prompt: the window (instructions, tools and contract included), and what is appended."""
        state = self.state
        appended = sum(m.tokens if isinstance(m, MessageRef) else estimate_tokens(m.text) for m in state.append)
        return appended + (state.thread.tokens if state.thread else self.plan.prompt_tokens)

    def go_on(self) -> None:
        """Refuse another call after the deadline or a stop: a call under way may end well in spite of either."""
        stop_if_requested()
        self.step.frame.go_on()
        if self.is_late:
            raise self.too_late()

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return self.deadline is not None and workflow.time() >= self.deadline

    def too_late(self) -> DeadlineExceeded:
        """What ends a step whose time is used up."""
        own, began = self.limits.seconds, self.state.started_at
        seconds = own if self.end is None else min(own, self.end - began)
        return DeadlineExceeded(
            f"the agent {self.agent!r} did not end within {seconds:g} s",
            fix=f"raise limits.seconds of {self.agent!r} (and the timeout_seconds around it), or give it less to do",
        )

    def update(self, **changes: object) -> None:
        """The state, changed."""
        self.state = self.state.model_copy(update=changes)


def _budget(limits: AgentLimits) -> Budget:
    return Budget(
        tokens=limits.tokens, cost_usd=limits.cost_usd, model_calls=limits.model_calls, tool_calls=limits.tool_calls
    )
