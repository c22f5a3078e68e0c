"""One agent at work on one step: what its turns, its model calls and its tool calls share."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Budget
    from activities.contracts.failures import FailureDetail
    from activities.contracts.messages import MessageRef, estimate_tokens
    from activities.errors import ConfigurationInvalid, DeadlineExceeded
    from workflows.budget import Account
    from workflows.contracts import AgentState, ModelRoute, NodePlan
    from workflows.failures import stop_if_requested
    from workflows.step_context import StepContext
    from workflows.teams.agents import AgentLimits, AgentSpec


class AgentWork:
    """``state`` is up to date after every await, whatever is raised."""

    def __init__(self, step: StepContext, agent: str, state: AgentState) -> None:
        run, task = step.run, step.task
        if agent not in run.team.agents or agent not in run.plans or not run.plans[agent].models:
            raise ConfigurationInvalid(f"the run knows no agent {agent!r}", fix="start runs that were admitted")
        self.step, self.agent, self.state = step, agent, state
        self.run, self.path = run, step.path
        self.spec: AgentSpec = run.team.agents[agent]
        self.plan: NodePlan = run.plans[agent]
        self.identity = f"{run.team.team}/{agent}@{run.team.version}"
        self.subtask_id = task.subtask_id if task else ""
        self.label = f"{self.subtask_id} {agent}".lstrip()
        """What the UI's one-line summaries begin with: several of its kind may be at work."""
        self.seconds = min(self.limits.seconds, (task and task.seconds) or self.limits.seconds)
        self.deadline = state.started_at + self.seconds
        """Workflow time at which the step ends, seconds since 1970."""
        self.account = Account(f"the agent {agent!r}", _budget(self.limits), parent=step.funds, used=state.usage)
        self.unknown: list[FailureDetail] = []
        """Effects that were begun and whose outcome nobody knows."""

    @property
    def limits(self) -> AgentLimits:
        """The agent's own."""
        return self.spec.limits

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
        if workflow.time() >= self.deadline:
            raise self.too_late()

    def too_late(self) -> DeadlineExceeded:
        """What ends a step whose time is used up."""
        return DeadlineExceeded(
            f"the agent {self.agent!r} did not end within {self.seconds:g} s",
            fix=f"raise limits.seconds of {self.agent!r} (and the timeout_seconds around it), or give it less to do",
        )

    def update(self, **changes: object) -> None:
        """The state, changed."""
        self.state = self.state.model_copy(update=changes)


def _budget(limits: AgentLimits) -> Budget:
    return Budget(
        tokens=limits.tokens, cost_usd=limits.cost_usd, model_calls=limits.model_calls, tool_calls=limits.tool_calls
    )
