"""The failure taxonomy, and the one translation to Temporal's ApplicationError.

::

    OstinatoError
    ├── ProviderError           the model's side
    │   ├── RateLimited             429; retried after Retry-After
    │   ├── Overloaded              529 and 503; retried
    │   ├── ProviderUnavailable     5xx, refused or cut connections; retried
    │   ├── ProviderTimeout         no answer in time; retried
    │   ├── MalformedAnswer         200 that is no answer: HTML, cut JSON, no choices; retried
    │   │   └── AnswerTooLong       more text than is kept; not retried: it would be as long again, and paid again
    │   ├── QuotaExhausted          the account is empty; not retried
    │   ├── AuthenticationFailed    401 and 403; not retried
    │   ├── ModelNotFound           404; not retried
    │   ├── ContextExceeded         the prompt does not fit the model; not retried
    │   └── RequestRejected         any other 4xx; not retried
    ├── ToolFailed              a tool's infrastructure broke; retried. (What a tool answers is no exception.)
    ├── OutcomeUnknown          a ``once`` effect that may or may not have happened; never retried, goes to a person
    ├── ContractViolated        an output that does not fit after every correction; not retried
    ├── LimitExceeded           turns, calls, tokens or cost are used up; not retried
    ├── DeadlineExceeded        the time is used up; not retried
    ├── HandoffRejected         the next owner does not take the step; not retried: re-routed, or failed
    ├── NotAllowed              a gate or a person refuses the action; not retried
    │   └── Halted                  and nothing more of the run is to be done
    ├── PayloadTooLarge         a value over the bound, in either direction; not retried
    ├── StoreUnavailable        the object store does not answer; retried
    ├── BlobMissing             a referenced blob is gone or is not what its digest says; not retried
    └── ConfigurationInvalid    a team, setting or input that cannot work; not retried

Litmus test for retryability: would the very same request, sent again later by a healthy worker, have a chance?
"""

import re
from datetime import timedelta
from typing import ClassVar

from temporalio.exceptions import ApplicationError

from activities.contracts.effects import UndoRef
from activities.contracts.failures import FailureDetail, FailureKind, Origin
from activities.contracts.handoffs import Rejection, RejectionReason

MAX_MESSAGE = 600
"""Characters of an error's message that leave the worker. Enough for a sentence and an excerpt of a provider's body."""

_SECRET = re.compile(
    r"(?i)\b(?:sk|pk|rk|key|ghp|gho|xox[abps]|AKIA|AIza)[-_]?[A-Za-z0-9_\-]{12,}|\bbearer\s+\S+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Bound a text, drop control characters, and blank whatever is or looks like a credential."""
    text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair would break whatever carries it
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    text = _CONTROL.sub(" ", _SECRET.sub("[redacted]", text))
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


class OstinatoError(Exception):
    """Anything that we raise on purpose. ``str()`` is one sentence; ``fix`` says what to do."""

    kind: ClassVar[FailureKind] = FailureKind.INTERNAL
    origin: ClassVar[Origin] = Origin.PLATFORM
    retryable: bool = False
    """A fact of the class. Whoever raises one may rule a retry out where waiting for it makes no sense."""
    charged: ClassVar[bool] = False
    """Whether the provider may charge for an attempt that ended so."""

    def __init__(self, message: str, *, fix: str = "", retry_after: timedelta | None = None) -> None:
        """``retry_after`` overrides the back-off of the next attempt, where the failure is retryable."""
        super().__init__(redact(message))
        self.fix = fix
        self.retry_after = retry_after

    def detail(self) -> FailureDetail:
        """This failure as wire data."""
        return FailureDetail(
            kind=self.kind, origin=self.origin, retryable=self.retryable, message=str(self), fix=redact(self.fix)
        )


class ProviderError(OstinatoError):
    """A model's provider did not give an answer."""

    kind = FailureKind.PROVIDER_UNAVAILABLE
    origin = Origin.PROVIDER
    retryable = True


class RateLimited(ProviderError):
    """429. Temporal waits for Retry-After and tries again."""

    kind = FailureKind.RATE_LIMITED


class Overloaded(ProviderError):
    """529 or 503. Temporal backs off and tries again."""

    kind = FailureKind.OVERLOADED


class ProviderUnavailable(ProviderError):
    """A server error, or a connection refused or cut. Temporal tries again."""

    kind = FailureKind.PROVIDER_UNAVAILABLE


class ProviderTimeout(ProviderError):
    """No answer within the HTTP timeout. Temporal tries again."""

    kind = FailureKind.PROVIDER_TIMEOUT
    charged = True


class MalformedAnswer(ProviderError):
    """An answer that cannot be read. Temporal tries again."""

    kind = FailureKind.MALFORMED_ANSWER
    charged = True


class AnswerTooLong(MalformedAnswer):
    """An answer with more text than is kept. Not retried: it would be as long again, and paid again."""

    retryable = False


class QuotaExhausted(ProviderError):
    """The provider's account has no credit left. Not retried."""

    kind = FailureKind.QUOTA_EXHAUSTED
    retryable = False


class AuthenticationFailed(ProviderError):
    """The key is missing, wrong or not allowed. Not retried."""

    kind = FailureKind.AUTHENTICATION_FAILED
    retryable = False


class ModelNotFound(ProviderError):
    """The provider has no such model. Not retried."""

    kind = FailureKind.MODEL_NOT_FOUND
    retryable = False


class ContextExceeded(ProviderError):
    """The prompt is longer than the model's window. Not retried."""

    kind = FailureKind.CONTEXT_EXCEEDED
    retryable = False


class RequestRejected(ProviderError):
    """The provider refuses this request. Not retried."""

    kind = FailureKind.REQUEST_REJECTED
    retryable = False


class ToolFailed(OstinatoError):
    """The machinery around a tool broke, not the tool's own answer. Temporal tries again."""

    kind = FailureKind.TOOL_FAILED
    origin = Origin.TOOL
    retryable = True


class OutcomeUnknown(OstinatoError):
    """A ``once`` effect was begun and its result is not known. Temporal never tries again; a person has to look."""

    kind = FailureKind.OUTCOME_UNKNOWN
    origin = Origin.TOOL


class ContractViolated(OstinatoError):
    """An agent's output does not fit its contract after all corrections. Fails the run."""

    kind = FailureKind.CONTRACT_VIOLATED
    origin = Origin.AGENT


class LimitExceeded(OstinatoError):
    """A limit on turns, calls, tokens or cost is reached. Fails the run, or ends it partial where the team says so."""

    kind = FailureKind.LIMIT_EXCEEDED
    origin = Origin.AGENT


class DeadlineExceeded(OstinatoError):
    """The agent's time is used up. Fails the run, or ends it partial where the team says so."""

    kind = FailureKind.DEADLINE_EXCEEDED
    origin = Origin.AGENT


class HandoffRejected(OstinatoError):
    """The next owner does not take the step. Not retried: the sender's pattern re-routes it, or fails.

    ``kind`` is that of a limit or a deadline where one of these is the reason.
    """

    kind = FailureKind.HANDOFF_REJECTED

    def __init__(self, rejection: Rejection, *, owner: str = "") -> None:
        """``owner``: who does not take it."""
        who = f"{owner} does not take the step: " if owner else ""
        super().__init__(f"{who}{rejection.message}", fix=_FIXES[rejection.reason])
        self.rejection = rejection

    def detail(self) -> FailureDetail:
        """See base class."""
        kind = _KINDS.get(self.rejection.reason, self.kind)
        return super().detail().model_copy(update={"kind": kind})


_KINDS = {
    RejectionReason.BUDGET: FailureKind.LIMIT_EXCEEDED,
    RejectionReason.DEADLINE: FailureKind.DEADLINE_EXCEEDED,
}
_FIXES = {
    RejectionReason.TOOL_MISSING: "give all workers of the pool the same OSTINATO_TOOL_MODULES, or name a fallback or a re-route",
    RejectionReason.MODEL_MISSING: "start a worker of the provider's pool with its settings",
    RejectionReason.NEEDS_MISSING: "let an earlier step commit what is missing under that key, or take the key out of needs",
    RejectionReason.INPUT_MISMATCH: "let the step before give what the input schema asks for, or mend the schema",
    RejectionReason.BUDGET: "raise the budget, or give it less to do",
    RejectionReason.DEADLINE: "give it more time",
    RejectionReason.CYCLE: "let the last owner answer",
    RejectionReason.DEPTH: "nest less, or hand on less often",
    RejectionReason.NOT_ALLOWED: "look at the decisions (ostinato show), and mend the team, its input or the monitor",
}


class NotAllowed(OstinatoError):
    """A grant, the deployment's policy or a person refuses the action. Not retried."""

    kind = FailureKind.NOT_ALLOWED
    origin = Origin.OPERATOR


class Halted(NotAllowed):
    """A gate ends the run at this action. Not retried."""

    kind = FailureKind.HALTED


class PayloadTooLarge(OstinatoError):
    """A value over the bound for one payload. Not retried: it would be as large again."""

    kind = FailureKind.PAYLOAD_TOO_LARGE


class StoreUnavailable(OstinatoError):
    """The object store does not answer. Temporal tries again."""

    kind = FailureKind.STORE_UNAVAILABLE
    retryable = True


class BlobMissing(OstinatoError):
    """A blob that something refers to is gone, or its content is not what its digest says. Not retried."""

    kind = FailureKind.BLOB_MISSING


class ConfigurationInvalid(OstinatoError):
    """A team file, a setting, an input or a deployment that cannot work as it is. Not retried."""

    kind = FailureKind.CONFIGURATION_INVALID
    origin = Origin.OPERATOR


def stopped_call(unsettled_calls: int, undo: UndoRef | None = None) -> ApplicationError:
    """The end of a call that was cancelled after its provider had been asked, in this attempt or an earlier one.

    Or of one that may have had an effect, which can be undone.
    """
    detail = FailureDetail(
        kind=FailureKind.CANCELLED,
        origin=Origin.OPERATOR,
        retryable=False,
        message="the call was stopped",
        unsettled_calls=unsettled_calls,
        undo=undo,
    )
    return ApplicationError(detail.message, detail, type=detail.kind.value, non_retryable=True)


def to_application_error(
    error: Exception, *, unsettled_calls: int = 0, undo: UndoRef | None = None
) -> ApplicationError:
    """Translate any exception for Temporal: pinned type, retry posture, Retry-After, bounded secret-free details."""
    if isinstance(error, ApplicationError):
        return error
    if not isinstance(error, OstinatoError):
        detail = FailureDetail(
            kind=FailureKind.INTERNAL,
            origin=Origin.PLATFORM,
            retryable=True,
            message=redact(f"{type(error).__name__}: {error}"),
            unsettled_calls=unsettled_calls,
            undo=undo,
        )
        return ApplicationError(detail.message, detail, type=detail.kind.value)
    detail = error.detail().model_copy(update={"unsettled_calls": unsettled_calls, "undo": undo})
    return ApplicationError(
        detail.message,
        detail,
        type=detail.kind.value,
        non_retryable=not detail.retryable,
        next_retry_delay=error.retry_after if detail.retryable else None,
    )
