"""The two activities' requests and responses: one model call, one tool call."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.artifacts import MAX_CALL_ARTIFACTS, ArtifactRef
from activities.contracts.base import Digest, Line, Text, WireModel
from activities.contracts.effects import UndoRef
from activities.contracts.grants import Approval, GateDecision
from activities.contracts.handoffs import Acceptance, Handoff, Rejection
from activities.contracts.messages import MAX_TOOL_CALLS, MessageRef, ThreadRef, ToolCall, ToolMessage, UserMessage
from activities.contracts.snapshot import SnapshotRef
from activities.contracts.steps import StepKey, Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "other"]


class ModelRequest(WireModel):
    """One request to one model. Of constant size: prompt, tools and contract are named by digest."""

    key: StepKey
    profile: Digest
    """The AgentProfile in the object store."""
    choice: Annotated[int, Field(ge=0)] = 0
    """Which model of the profile's chain. Falling back to the next is the workflow's decision."""
    thread: ThreadRef | None = None
    """The conversation so far; absent at the first turn."""
    append: tuple[UserMessage | ToolMessage | MessageRef, ...] = ()
    """What is said before the call: the goal, a correction, or tool results by reference."""
    purpose: Literal["answer", "summarise"] = "answer"
    """``summarise`` replaces the window by its first message, a summary, and everything from the last answer on."""
    offer_tools: bool = True
    """``False`` on the last turn, so that the model has to answer."""
    handoff: Handoff | None = None
    """With the first call of a step: taken or rejected before anything is paid."""


class ModelResponse(WireModel):
    """What the model answered. The full exchange is in the thread."""

    thread: ThreadRef | None = None
    """Absent where the handoff was rejected."""
    text: Text = ""
    """The answer where no output contract is declared, or where it could not be read."""
    output: JsonValue = None
    """The answer read by its output contract."""
    problems: tuple[Line, ...] = ()
    """Where the answer does not fit the contract. Empty: it fits."""
    tool_calls: Annotated[tuple[ToolCall, ...], Field(max_length=MAX_TOOL_CALLS)] = ()
    finish_reason: FinishReason = "stop"
    """Why the model ended, where it was not by itself: ``length``, ``content_filter``, ``other``."""
    usage: Usage = Usage()
    attempt: Annotated[int, Field(ge=1)] = 1
    """The Temporal attempt that got the answer."""
    from_record: bool = False
    """Answered from an earlier run's record: nothing was called, nothing is charged."""
    accepted: Acceptance | None = None
    """The handoff, taken."""
    rejected: Rejection | None = None
    """The handoff, refused: nothing was asked, and the rest is empty."""


class ToolErrorKind(StrEnum):
    """What an agent can do something about. It gets these as answers, they are no failures of the run."""

    UNKNOWN_TOOL = "unknown_tool"
    NOT_GRANTED = "not_granted"
    BAD_ARGUMENTS = "bad_arguments"
    RAISED = "raised"
    """Of a tool with effects: nobody knows whether it has done something."""
    NOT_DONE = "not_done"
    """The tool says that it has done nothing."""
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    """The gate or a person said no."""


UNCLEAR = frozenset({ToolErrorKind.RAISED, ToolErrorKind.TIMED_OUT})
"""Answers of a tool with effects after which nobody knows whether it has done something."""


class ToolRequest(WireModel):
    """One call of one tool."""

    key: StepKey
    profile: Digest
    call: ToolCall
    snapshot: SnapshotRef | None = None
    check: bool = False
    """A call of the output contract's checks, not of the model."""
    undo: Digest | None = None
    """A compensation, not a call of the model's: the blob that says what it undoes, and so its arguments."""
    whole: bool = False
    """The workflow reads the result itself: it comes whole, up to 256 Ki characters, and not as a preview."""
    handoff: Handoff | None = None
    """With the first call of a step: taken or rejected before anything is done."""
    approval: Approval | None = None
    """A person's yes to this very action."""
    rerun: Annotated[int, Field(ge=0)] = 0
    """The number of the run among the lineage's re-runs: what ``once`` tools did in earlier runs is looked for."""
    again: bool = False
    """The step failed in the run before: an error on record is no answer, unless an effect was begun."""


class ToolResponse(WireModel):
    """What the tool answered."""

    message: MessageRef | None = None
    """The ToolMessage that the model will see. Absent where nothing was done: see ``decision`` and ``rejected``."""
    text: Text = ""
    """The same text, for people: up to 16 KiB. A longer result is a preview here, and whole behind ``result``."""
    error: ToolErrorKind | None = None
    result: Digest | None = None
    """The whole result, where it is over 16 KiB."""
    size_bytes: Annotated[int, Field(ge=0)] = 0
    """The length of ``result``."""
    artifacts: Annotated[tuple[ArtifactRef, ...], Field(max_length=MAX_CALL_ARTIFACTS)] = ()
    """Files that the call made, names unique. A call that ended in an error has made none."""
    attempt: Annotated[int, Field(ge=1)] = 1
    calls: Annotated[int, Field(ge=0)] = 1
    """How often it counts against a budget: attempts in which the tool may have been called, lost ones included."""
    from_record: bool = False
    undo: UndoRef | None = None
    """What the tool's compensation would be told, where it has had an effect that can be undone."""
    request_id: Line = ""
    """What a tool with effects was given as the name of this effect."""
    arguments: Line = ""
    """The start of what a tool with effects was called with, after all edits, as JSON."""
    kept_for: Line = ""
    """Of a compensation: the run that goes on from the effect, so nothing was done."""
    decision: GateDecision | None = None
    """What the gate said, where it did not simply let the action through. ``ask`` and ``halt``: nothing was done."""
    accepted: Acceptance | None = None
    """The handoff, taken."""
    rejected: Rejection | None = None
    """The handoff, refused, or later in the step the call: its tool is not here. Nothing was done."""
