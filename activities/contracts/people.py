"""Questions to people and their decisions: what goes into a human task and what comes out of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from activities.contracts.base import Digest, Line, Schema, Text, WireModel
from activities.contracts.handoffs import Handoff
from activities.contracts.steps import StepKey

Seconds = Annotated[float, Field(gt=0, le=3650 * 86_400)]
People = Annotated[tuple[Line, ...], Field(max_length=100)]


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
    """A reminder each time so much time has passed without a decision."""
    escalate_seconds: Seconds | None = None
    """After so long ``escalate_to`` may decide too."""
    escalate_to: People = ()
    default: Choice | None = None
    """What holds at the deadline; absent: the step fails."""
    default_answer: JsonValue = None
    """The answer, where the default is ``answer`` or ``edit``."""


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
    """What an answer has to be; any text where absent."""
    agents: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    """Identities of the run's agents: none of them may decide."""
    decision: "HumanDecision | None" = None
    """Carried over a continue-as-new."""
    opened_at: float | None = None
    """Workflow time of the first execution's start, seconds since 1970."""
    reminders: Annotated[int, Field(ge=0)] = 0


class DecideRequest(WireModel):
    """The update ``decide``."""

    by: Line
    """Who decides."""
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
    reason: Line = ""
    decided_at: float = 0.0
    """Seconds since 1970."""
    task_id: Line = ""
    """The human task's workflow id."""
    action: Digest | None = None
    """The action that it is bound to."""
    expires_at: float | None = None
    """An approval is worth nothing after that; seconds since 1970."""


HumanTask.model_rebuild()
