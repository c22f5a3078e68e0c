"""What went wrong, as data: a kind, whose fault it was, and whether trying again can help."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from activities.contracts.base import Line, WireModel
from activities.contracts.effects import UndoRef


class FailureKind(StrEnum):
    """Every way in which a step can fail. The value is the ``type`` of the Temporal ApplicationError."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_TIMEOUT = "provider_timeout"
    MALFORMED_ANSWER = "malformed_answer"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTHENTICATION_FAILED = "authentication_failed"
    MODEL_NOT_FOUND = "model_not_found"
    CONTEXT_EXCEEDED = "context_exceeded"
    REQUEST_REJECTED = "request_rejected"
    TOOL_FAILED = "tool_failed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    CONTRACT_VIOLATED = "contract_violated"
    LIMIT_EXCEEDED = "limit_exceeded"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    HANDOFF_REJECTED = "handoff_rejected"
    NOT_ALLOWED = "not_allowed"
    HALTED = "halted"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    STORE_UNAVAILABLE = "store_unavailable"
    BLOB_MISSING = "blob_missing"
    CONFIGURATION_INVALID = "configuration_invalid"
    INTERNAL = "internal"


class Origin(StrEnum):
    """Whose fault: the axis that says who has to mend it."""

    PROVIDER = "provider"
    TOOL = "tool"
    AGENT = "agent"
    PLATFORM = "platform"
    OPERATOR = "operator"


class FailureDetail(WireModel):
    """One failure, bounded and free of secrets. It rides in the details of the ApplicationError."""

    kind: FailureKind
    origin: Origin
    retryable: bool
    """Whether the same request may succeed later. ``False`` ends the retries at once."""
    message: Line
    """One sentence: what is wrong."""
    fix: Line = ""
    """One sentence: what to do about it. Empty where there is nothing to do but wait."""
    agent: str = ""
    step: str = ""
    unsettled_calls: Annotated[int, Field(ge=0)] = 0
    """Attempts that may have cost something although no answer came of them."""
    undo: UndoRef | None = None
    """What a compensation would be told of a call that ended so, where it may have had an effect that can be undone."""
