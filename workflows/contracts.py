"""What a pattern takes and returns: the input frozen at admission, an agent's state, and the result."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from activities.contracts.artifacts import ArtifactRef
from activities.contracts.base import CostUsd, Digest, Line, Name, RunId, Text, Tokens, WireModel
from activities.contracts.budgets import Amounts, Budget
from activities.contracts.effects import MAX_EFFECTS, MAX_LISTED_EFFECTS, EffectReport
from activities.contracts.events import MAX_EVENT_REPORTS, EventReport
from activities.contracts.failures import FailureDetail
from activities.contracts.grants import Verdict
from activities.contracts.handoffs import MAX_OWNERS, Handoff, HandoffReport
from activities.contracts.messages import MessageRef, ThreadRef, ToolMessage, UserMessage
from activities.contracts.monitors import ActionKind, MonitorSpec
from activities.contracts.snapshot import SnapshotRef
from activities.contracts.steps import Usage
from workflows.rewinds import Rewind
from workflows.teams.tree import TeamSpec, node_name

Goal = Annotated[str, StringConstraints(min_length=1, max_length=16_000)]
"""What is asked. Longer material belongs into the input folder."""


class ModelRoute(WireModel):
    """One model of an agent's chain: where its calls go, and what they are reserved at."""

    model: Line
    """``provider:model``."""
    queue: Line
    """The task queue of its provider."""
    input_usd_per_million: CostUsd = 0.0
    output_usd_per_million: CostUsd = 0.0


class NodePlan(WireModel):
    """What admission resolved for an agent or a call."""

    profile: Digest
    """The AgentProfile blob."""
    models: Annotated[tuple[ModelRoute, ...], Field(max_length=5)] = ()
    """The chain: the first is asked, each next one where the one before cannot answer. Empty for a call."""
    prompt_tokens: Tokens = 0
    """Estimated length of what each prompt begins with: instructions, tools and contract."""
    effects: tuple[Name, ...] = ()
    """Its tools that have effects: a step that has called one is not made again in another attempt."""
    once: tuple[Name, ...] = ()
    """Those of them that are called at most once."""
    compensations: dict[Name, Name] = {}
    """Those of them that can be undone, with the tool that does it."""
    defaults: dict[Name, dict[str, JsonValue]] = {}
    """Tool to what it fills in for arguments by which monitors judge, where they are not given."""


class Task(WireModel):
    """What a node that is not the root is to do."""

    prompt: Text
    """What an agent is told first."""
    key: Name | None = None
    """Under which the output is committed; the node's own key where absent."""
    goal: Text = ""
    """What a nested pattern works towards: the task without its input. The prompt where absent."""
    inputs: dict[str, JsonValue] = {}
    """What a call's arguments may name as ``$name``, besides ``$goal``."""
    thread: ThreadRef | None = None
    """The conversation that goes on with the prompt; a new one begins where absent."""
    offer_tools: bool = True
    """``False``: an agent answers from what it is told."""
    subtask_id: Line = ""
    """Where an answer names a ``subtask_id``, it has to be this one."""
    seconds: float | None = None
    """Bound of this attempt, beside the node's own."""
    handoff: Handoff | None = None
    """How it came to its owner."""
    budget: Budget = Budget()
    """What a nested workflow was granted; whatever is left of it goes back with the result."""
    punctual: bool = False
    """At the deadline nothing is waited for that has no effect: a call under way is left to end by itself."""
    payer: Line = ""
    """Whose budget makes the grant less than what it may need at most; empty: it has all that it can use."""
    reasons: Annotated[tuple[Line, ...], Field(max_length=16)] = ()
    """Where it stands in: what the node before it, and those before that one, failed of. A person is told."""
    monitors: Annotated[tuple[MonitorSpec, ...], Field(max_length=MAX_OWNERS)] = ()
    """What reviews its actions, and those of all below it: the outermost first."""


class BudgetAsked(WireModel):
    """What became of a workflow's budget, besides what was used of it."""

    allowed: Amounts = Amounts()
    """What people have allowed on top."""
    questions: Annotated[int, Field(ge=0)] = 0
    """Times that they were asked."""
    breached: bool = False
    """A call was refused because of it."""
    grant_breached: bool = False
    """The same of what a nested workflow was granted."""


MAX_LAST_TEXT = 4000
"""Characters of an agent's last text that are kept for a partial result."""


class AgentState(WireModel):
    """An agent between two turns: all that a continue-as-new carries over. Of constant size."""

    thread: ThreadRef | None = None
    append: tuple[UserMessage | ToolMessage | MessageRef, ...] = ()
    """What the next model call will say first."""
    last_text: Annotated[str, Field(max_length=MAX_LAST_TEXT)] = ""
    """The start of the last text that the model wrote, for partial results; nothing of what monitors do not let pass."""
    withheld: Annotated[str, Field(max_length=1000)] = ""
    """Why there is none, where monitors did not let it pass."""
    usage: Usage = Usage()
    turns: int = 0
    tool_errors: int = 0
    corrections: int = 0
    retries: int = 0
    choice: int = 0
    """Which model of the chain is asked."""
    effects: int = 0
    """Tool calls made that have effects."""
    done: Annotated[tuple[EffectReport, ...], Field(max_length=MAX_EFFECTS)] = ()
    """The effects of its calls."""
    decisions: Annotated[tuple["DecisionReport", ...], Field(max_length=500)] = ()
    """What gates and people said to its calls."""
    unlisted: dict[Verdict, int] = {}
    """Decisions beyond those, by verdict."""
    artifacts: Annotated[tuple[ArtifactRef, ...], Field(max_length=1000)] = ()
    """Files that its tools wrote."""
    handoffs: Annotated[tuple[HandoffReport, ...], Field(max_length=20)] = ()
    """How the step came to it."""
    started_at: float = 0.0
    """Workflow time of its owner's start, seconds since 1970."""
    waited_seconds: float = 0.0
    """Of the time since then, what it has waited for people: that counts against no limit of its own."""
    taken: bool = False
    """Its owner has taken it: the handoff is not sent again."""
    ownership: "Ownership | None" = None
    """Who has the step, where it was transferred."""
    budget: BudgetAsked = BudgetAsked()
    """Of a workflow that is about it."""
    sent_back: int = 0
    """Times that monitors have sent an answer back."""
    beside: "RunResult | None" = None
    """What was done beside its step in the same workflow, such as by judges."""

    @property
    def total(self) -> Usage:
        """Of all owners that the step has had."""
        return self.usage + self.ownership.usage if self.ownership else self.usage


class StateCommit(WireModel):
    """One version of a workflow's state: a validated output under its key. The version before it stays as it was."""

    version: Annotated[int, Field(ge=1)]
    key: Name
    step: Line
    """The path of the step that made it."""
    owner: Line = ""
    digest: Digest
    """Hash of the value's canonical JSON."""
    size_bytes: Annotated[int, Field(ge=0)]
    value: JsonValue = None
    left_out: bool = False
    """The value is too large for where this stands; ``digest`` and ``size_bytes`` are its own."""
    partial: bool = False
    """Of a step that ended before it had done all."""
    replaced: bool = False
    """A rewind or fork has put the value in place of what the step came to."""
    committed_at: float = 0.0
    """Workflow time, seconds since 1970."""


class DecisionReport(WireModel):
    """What a gate, a monitor or a person said to one proposed action. What only a gate lets through is not listed."""

    step: Line
    tool: Line
    """The tool, or who a transfer would have gone to."""
    verdict: Verdict
    by: Line = ""
    """``grant``, ``policy``, ``monitor``, or the person."""
    reason: Line = ""
    rule: Line = ""
    """What decided: a rule of the policy or monitor, a judge, an argument of a grant, or the human task."""
    ordinal: Line = ""
    """The call inside the step, such as ``t3.c0``."""
    arguments: Line = ""
    """Of an edit: the start of the arguments that are used instead, as JSON."""
    action: ActionKind | None = None
    """What was reviewed, where a monitor has."""
    monitor: Line = ""
    """Which one; of a person's decision, the one that asked."""
    score: float | None = None
    """The highest of its judges, 0 to 1; nothing where none was asked."""
    correction: Line = ""
    """What it proposes instead."""
    digest: Digest | None = None
    """Of an answer, as it was reviewed and edited."""


MAX_LOG = 100
"""Entries of a pattern's decision log that its result carries."""


class RunInput(WireModel):
    """The input of every pattern's workflow. Frozen at admission: no roll-out changes a run under way."""

    team: TeamSpec
    """The whole team; of a nested workflow the part of it that lies below its node, which is the root then."""
    goal: Goal
    scope_id: RunId
    plans: dict[str, NodePlan]
    """Name of agent or call to what admission resolved for it."""
    snapshot: SnapshotRef | None = None
    generation: int = 0
    tool_seconds: dict[str, float] = {}
    """Tool name to the bound of one call."""
    missing: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """What of the input could not be read."""
    notes: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """What of the input was read with a guess."""
    max_history_events: Annotated[int, Field(ge=1)] = 4000
    """A workflow with more events continues as new at its next turn boundary."""
    path: Annotated[str, Field(max_length=400)] = ""
    """The node's path in the tree; the root's name where absent."""
    task: Task | None = None
    """What a nested node is to do; the root does the goal."""
    state: AgentState | None = None
    """Where a continue-as-new goes on."""
    carried: "Carried | None" = None
    """The same of a pattern."""
    rewind: Rewind | None = None
    """What it goes on from, where it is no beginning."""
    run_id: RunId | None = None
    """The workflow id of the run, where it is not the lineage's: of a fork."""
    provider: Line = ""
    """The provider that tiers were resolved with, where the order named one."""
    people_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Time that people may take where the deployment's policy asks them, on top of what the team's own bounds come to."""
    embeddings: Annotated[dict[Line, ModelRoute], Field(max_length=100)] = {}
    """The model that a similarity of the team names, ``""`` where it names none, to what compares the texts."""

    def generation_of(self, path: str, once: str = "") -> int:
        """The generation of a step's records; that of the ``once`` tool named there, which only its renewal changes."""
        renewed = self.rewind.generation_of(path, once) if self.rewind else 0
        return renewed or (0 if once else self.generation)

    @property
    def goes_on(self) -> bool:
        """Whether it continues what was there before a continue-as-new."""
        return self.state is not None or self.carried is not None

    @property
    def workflow_id(self) -> str:
        """The root's workflow id."""
        return self.run_id or self.scope_id

    @property
    def queues(self) -> set[str]:
        """The task queues of all models that may be asked."""
        asked = {route.queue for plan in self.plans.values() for route in plan.models}
        return asked | {route.queue for route in self.embeddings.values()}

    @property
    def own_path(self) -> str:
        """The path that this workflow's steps begin with."""
        return self.path or node_name(self.team.root)


class RunStatus(StrEnum):
    """How a run or a step ended."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class StepReport(WireModel):
    """One step: a unit of work owned by one agent."""

    agent: Line
    step: Line
    status: RunStatus
    attempts: int = 1
    """1 and every retry of one of its calls."""
    tokens: Tokens = 0
    cost_usd: CostUsd = 0.0
    milliseconds: int = 0
    """From its start to its end, waits included."""
    task: Line = ""
    """What it was to do, where that is not the goal."""
    model: Line = ""
    """The model that did it last, ``provider:model``."""
    reason: Line = ""
    """Why it failed, or is partial."""
    thread: ThreadRef | None = None
    """The conversation, where it was an agent's."""


class Ownership(WireModel):
    """An agent's step after transfers: who has it now, and what those before have left."""

    owner: Name
    handoff: Handoff
    """How it came to its owner; its path names the owners before."""
    before: Annotated[tuple[StepReport, ...], Field(max_length=MAX_OWNERS)] = ()
    """The part of each owner before, oldest first."""
    usage: Usage = Usage()
    """Of all owners before."""
    started_at: float = 0.0
    """Workflow time of the whole step's start, seconds since 1970."""


class AgentUsage(WireModel):
    """What one agent used in all its steps."""

    agent: Line
    steps: int
    tokens: Tokens = 0
    cost_usd: CostUsd = 0.0


class RunResult(WireModel):
    """What every pattern's workflow returns. A failed run carries it in the details of its failure."""

    status: RunStatus
    output: JsonValue = None
    so_far: JsonValue = None
    """What a failed step had come to: fit for a partial result where one is allowed, and for nothing else."""
    usage: Usage = Usage()
    steps: Annotated[tuple[StepReport, ...], Field(max_length=2000)] = ()
    agents: Annotated[tuple[AgentUsage, ...], Field(max_length=200)] = ()
    """Usage by agent, the dearest first."""
    artifacts: Annotated[tuple[ArtifactRef, ...], Field(max_length=1000)] = ()
    """Files that the run made; names are unique."""
    missing: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """What the result lacks, one sentence each."""
    unlisted: Annotated[int, Field(ge=0)] = 0
    """Sentences beyond those. What a run returns says so in the last line of ``missing``."""
    notes: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """What is worth knowing of it, and lacks nothing."""
    thread: ThreadRef | None = None
    """The conversation behind the output."""
    effects: Annotated[int, Field(ge=0)] = 0
    """Calls made of tools that have effects, whether or not they ended well: a step with any is not made again."""
    done: Annotated[tuple[EffectReport, ...], Field(max_length=MAX_LISTED_EFFECTS)] = ()
    """What it did to the world, in this order, and what was undone of it. Less than ``effects`` where a tool refused."""
    state: Annotated[tuple[StateCommit, ...], Field(max_length=2000)] = ()
    """The versions of this workflow's own state, oldest first; what is nested in it has its own."""
    handoffs: Annotated[tuple[HandoffReport, ...], Field(max_length=500)] = ()
    """How its steps came to their owners, the last ones."""
    decisions: Annotated[tuple[DecisionReport, ...], Field(max_length=500)] = ()
    """What gates and people said to proposed actions. Of too many, those that were let through are left out first."""
    owner: Line = ""
    """Who had the step last: after a transfer or a fallback not the first."""
    log: Annotated[tuple[Line, ...], Field(max_length=MAX_LOG)] = ()
    """What its pattern decided, one sentence each, the last ones."""
    events: Annotated[tuple[EventReport, ...], Field(max_length=MAX_EVENT_REPORTS)] = ()
    """What the peers of its networks have told each other, without what the events say."""
    short: Line = ""
    """Whose budget it ended for, where that is the budget of a node above it."""
    failure: FailureDetail | None = None


class Carried(WireModel):
    """What a pattern takes along when it continues as new. Nothing is under way then."""

    memory: JsonValue = None
    """The pattern's own: where it stands."""
    result: RunResult
    """What all its steps have come to, with what its frame holds."""
    done: Annotated[tuple[EffectReport, ...], Field(max_length=MAX_LISTED_EFFECTS)] = ()
    """The effects that stand."""
    unlisted: dict[Verdict, int] = {}
    """Decisions that are not listed any more, by verdict."""
    effects_begun: int = 0
    budget: BudgetAsked = BudgetAsked()
    started_at: float
    """Workflow time of its start, seconds since 1970."""


for _model in (AgentState, RunInput):  # what derives from them elsewhere does not know these names
    _model.model_rebuild()
