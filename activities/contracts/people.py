"""Questions to people and their decisions: what goes into a human task and what comes out of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from activities.contracts.base import Digest, Line, Schema, Text, WireModel
from activities.contracts.handoffs import Handoff
from activities.contracts.steps import StepKey

Seconds = Annotated[float, Field(gt=0, le=3650 * 86_400)]
People = Annotated[tuple[Line, ...], Field(max_length=100)]

HUMAN_TASK = "human_task"
"""The workflow's type, pinned. Its messages: the update ``decide`` and the query ``task``."""
BY_DEFAULT = "default"
"""Who decided, where nobody did and the deadline came."""


class Choice(StrEnum):
    """What a person may say."""

    APPROVE = "approve"
    EDIT = "edit"
    """Approve with other arguments, or another output."""
    REJECT = "reject"
    ANSWER = "answer"


class ProposedAction(WireModel):
    """One call that waits for a yes."""

    tool: Line
    arguments: Text
    """As JSON."""
    effect: Line = ""


class Asking(WireModel):
    """Who is asked, and what happens while nobody answers. What a team writes under ``people``."""

    people: People = ()
    """Names of those who may decide; empty: anybody who is no agent of the run."""
    seconds: Seconds = 7 * 86_400.0
    """The deadline of the decision."""
    remind_seconds: Seconds | None = None
    """A reminder each time so much time has passed without a decision; at most 100 of them, spread evenly."""
    escalate_seconds: Seconds | None = None
    """After so long ``escalate_to`` may decide too."""
    escalate_to: People = ()
    default: Choice | None = None
    """What holds at the deadline, where it is offered; absent: the step fails."""
    default_answer: JsonValue = None
    """The answer, where the default is ``answer`` or ``edit``."""
    valid_seconds: Seconds = 86_400.0
    """How long after the deadline an approval of an action is worth something."""


class HumanTask(WireModel):
    """The input of the workflow ``human_task``."""

    key: StepKey
    """Where the decision is recorded: the same question of a lineage is answered once."""
    question: Text
    asking: Asking | None = None
    """Who is asked; the team's ``people`` where absent."""
    choices: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=4)] = (Choice.APPROVE, Choice.REJECT)
    action: ProposedAction | None = None
    reasons: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    handoff: Handoff | None = None
    context: JsonValue = None
    """What is to be looked at: a draft, a subtask, a budget."""
    answer_schema: Schema | None = None
    """JSON Schema of an answer, and of an edited output; anything where absent."""
    agents: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    """Identities of the run's agents: none of them may decide."""


class DecideRequest(WireModel):
    """The update ``decide``."""

    by: Line
    """Who decides. Asserted by whoever sends it, and not authenticated: see to it who may send updates."""
    choice: Choice
    arguments: Text | None = None
    """With ``edit`` of an action: the arguments to use, as JSON."""
    answer: JsonValue = None
    """With ``answer``, or with ``edit`` of an output."""
    reason: Line = ""
    action: Digest | None = None
    """The hash of the action that was looked at, as ``inbox`` shows it; a decision on another one is refused."""


class HumanDecision(WireModel):
    """What came of a human task. Recorded under its key."""

    choice: Choice
    by: Line
    """The person; ``default`` where the deadline decided."""
    answer: JsonValue = None
    arguments: Text | None = None
    """With ``edit`` of an action: the arguments to use, as JSON."""
    reason: Line = ""
    decided_at: float = 0.0
    """Seconds since 1970."""
    task_id: Line = ""
    """The human task's workflow id."""
    action: Digest | None = None
    """The action that it is bound to: that of the edited arguments, where they were edited."""
    expires_at: float | None = None
    """An approval is worth nothing after that; seconds since 1970."""
    from_record: bool = False
    """Decided earlier in the lineage: nobody was asked again."""


class DecisionRecord(WireModel):
    """The activities ``human.find`` and ``human.record``: a decision under its key, asked for or brought."""

    key: StepKey
    asked: Digest
    """Hash of what was asked."""
    now: float
    """Workflow time: an approval that has expired by then is not used again."""
    decision: HumanDecision | None = None
    """What is to be recorded, or was found."""


class HumanTaskView(WireModel):
    """How a human task stands: the answer to the query ``task``, and an entry of the inbox."""

    task_id: Line
    run_id: Line
    """The workflow id of the run that waits."""
    step: Line
    """The path of the step that waits."""
    question: Text
    people: People = ()
    """Who may decide now; empty: anybody who is no agent of the run."""
    choices: tuple[Choice, ...] = ()
    opened_at: float = 0.0
    """Seconds since 1970, as all times here."""
    deadline: float = 0.0
    default: Choice | None = None
    """What holds at the deadline; absent: the step fails."""
    reminders: int = 0
    """Reminders so far."""
    escalates_at: float | None = None
    escalates_to: People = ()
    escalated: bool = False
    action: ProposedAction | None = None
    action_hash: Digest | None = None
    """What an approval is bound to."""
    expires_at: float | None = None
    """An approval of the action is worth nothing after that."""
    reasons: tuple[Line, ...] = ()
    context: JsonValue = None
    handoff: Handoff | None = None
    answer_schema: Schema | None = None
    decision: HumanDecision | None = None
    """Absent: it is open."""
