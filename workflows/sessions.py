"""What a session takes, remembers and answers: one agent that people send messages to, across days and restarts."""

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from activities.contracts.artifacts import ArtifactRef
from activities.contracts.base import CostUsd, Digest, Line, Text, Tokens, WireModel
from activities.contracts.failures import FailureDetail
from activities.contracts.messages import ThreadRef
from activities.contracts.steps import Usage
from workflows.contracts import RunInput, RunStatus, StepReport

SESSION = "session"
"""The workflow's type, pinned. Its messages: the update ``send`` and the signal ``end``."""
MAX_MESSAGES = 10_000
"""Messages of one session at most: their ids are remembered to its end, at 20 bytes each."""
MAX_QUEUE = 8
"""Unanswered messages at most: two fewer than the updates in flight that the server allows one workflow."""


class SessionSettings(WireModel):
    """Bounds of a whole session. The agent's own limits hold for each message."""

    idle_seconds: Annotated[float, Field(gt=0, le=3650 * 86_400)] = 30 * 86_400.0
    """Without a message for so long, the session ends."""
    lifetime_seconds: Annotated[float, Field(gt=0, le=3650 * 86_400)] = 365 * 86_400.0
    """From its start to its end, whatever happens."""
    messages: Annotated[int, Field(ge=1, le=MAX_MESSAGES)] = 1000
    """The session ends with the answer to the last of them."""
    tokens: Annotated[Tokens, Field(ge=1)] = 10_000_000
    """Of all messages. What is left bounds each message."""
    cost_usd: CostUsd = 50.0
    """US dollars of all messages. What is left bounds each message."""
    queue: Annotated[int, Field(ge=1, le=MAX_QUEUE)] = MAX_QUEUE
    """Messages that may be unanswered at once; further ones are refused."""
    message_characters: Annotated[int, Field(ge=1, le=100_000)] = 32_000
    """The longest message."""
    remembered: Annotated[int, Field(ge=1, le=1000)] = 100
    """Answers that are given again when their message comes again. Of older ones only the ids are known."""


class SessionMessage(WireModel):
    """What somebody says. Its id is the update's id: the same id is answered once, and with the same answer."""

    text: Text


class SessionReply(WireModel):
    """What the agent answers. A failed answer is a reply too: the session goes on from the last good one."""

    number: Annotated[int, Field(ge=0)]
    """1 for the session's first message; 0 where the message was not taken up."""
    status: RunStatus
    message: Digest
    """Of the text that is answered (``digest_of_text``)."""
    output: JsonValue = None
    """The answer: text, or what the agent's contract says."""
    usage: Usage = Usage()
    """Of this message."""
    total: Usage = Usage()
    """Of the session so far."""
    thread: ThreadRef | None = None
    """The conversation that the next message goes on with."""
    artifacts: Annotated[tuple[ArtifactRef, ...], Field(max_length=1000)] = ()
    """Files that were written for this message."""
    effects: Annotated[int, Field(ge=0)] = 0
    """Calls made of tools that have effects: what a failed answer may have done all the same."""
    missing: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    failure: FailureDetail | None = None


class Answered(WireModel):
    """A message whose answer is remembered."""

    message_id: Line
    reply: SessionReply


class SessionState(WireModel):
    """A session between two messages: all that a continue-as-new carries over."""

    started_at: float
    """Workflow time, seconds since 1970."""
    active_at: float
    """Workflow time of the last answer, or of the start."""
    number: int = 0
    """Messages taken up so far."""
    failed: int = 0
    thread: ThreadRef | None = None
    """The last good version of the conversation."""
    usage: Usage = Usage()
    effects: int = 0
    unlisted_effects: Annotated[int, Field(ge=0)] = 0
    """Those that are not listed any more."""
    answered: Annotated[tuple[Answered, ...], Field(max_length=1000)] = ()
    """The last answers, oldest first."""
    forgotten: Annotated[tuple[str, ...], Field(max_length=MAX_MESSAGES)] = ()
    """Short digests of the ids of messages whose answers are not remembered any more."""
    steps: Annotated[tuple[StepReport, ...], Field(max_length=1000)] = ()
    """The last steps, for the result."""
    artifacts: Annotated[tuple[ArtifactRef, ...], Field(max_length=1000)] = ()


class SessionInput(RunInput):
    """The input of a session: that of a run whose root is the agent, with the session's bounds."""

    settings: SessionSettings = SessionSettings()
    session: SessionState | None = None
    """Where a continue-as-new goes on."""


class Refusal(StrEnum):
    """Why a message is not taken up: the ``type`` of the error that the update is rejected with."""

    INVALID = "message_invalid"
    """The text or the id cannot be used."""
    OTHER_TEXT = "message_id_used"
    """Another text was sent under this id."""
    FORGOTTEN = "answer_forgotten"
    """It was answered so long ago that the answer is not remembered."""
    QUEUE_FULL = "queue_full"
    """Too many messages are unanswered. Send it again when they are answered."""
    TURNING_OVER = "turning_over"
    """The history is about to be begun anew. Send it again in a moment."""
    ENDED = "session_ended"
    """The session takes no messages any more."""


def digest_of_text(text: str) -> str:
    """What a message's text is compared by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def message_path(agent: str, number: int) -> str:
    """The path of a message's step."""
    return f"{agent}/m{number}"
