"""From pydantic-ai's exceptions to our taxonomy; shared by every provider family that rests on pydantic-ai.

Decided by exception type and HTTP status, never by the text of a message, because providers reword their messages.
What leaves here is bounded and redacted, and drops the original exception: its text carries the provider's body, which
may echo the key, and Temporal would store a chained cause in the history.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pydantic_ai import exceptions as library

from activities.errors import (
    AuthenticationFailed,
    ContextExceeded,
    MalformedAnswer,
    ModelNotFound,
    Overloaded,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    redact,
)

MAX_RETRY_AFTER = timedelta(minutes=10)
"""The longest wait that a provider can ask for. Beyond it, the workflow's own limits and fallbacks decide."""

MAX_DETAIL = 300
"""Characters of the provider's own words in our message: the reason, without a page of HTML after it."""

# The first type that fits wins: subclasses stand before their bases.
_TYPES: tuple[tuple[type[Exception], type[ProviderError]], ...] = (
    (library.ModelRequestTimeout, ProviderTimeout),
    (library.ModelTimeoutError, ProviderTimeout),
    (library.ModelConnectionError, ProviderUnavailable),
    (library.ModelRateLimitError, RateLimited),
    (library.ModelQuotaExceededError, QuotaExhausted),
    (library.ModelUnavailableError, Overloaded),
    (library.ModelServerError, ProviderUnavailable),
    (library.ModelAuthenticationError, AuthenticationFailed),
    (library.ModelNotFoundError, ModelNotFound),
    (library.ModelContextWindowExceededError, ContextExceeded),
    (library.ModelRequestRejectedError, RequestRejected),
    (library.UserError, RequestRejected),
)

_FIXES: dict[type[ProviderError], str] = {
    QuotaExhausted: "Add credit to the provider's account, or choose another provider.",
    AuthenticationFailed: "Set a key that this provider accepts on the workers that call it.",
    ModelNotFound: "Name a model that this provider serves, and check the provider's address.",
    ContextExceeded: "Lower the agent's context limit, or choose a model with a larger window.",
    RequestRejected: "Read the provider's reason above, and change the agent's tools, output contract or model.",
}

_NO_SCHEMA_FIX = (
    "This server takes no JSON Schema as answer format: choose another model, or leave the output contract out."
)

_FORMAT_FIELDS = ("response_format", "output_config", "output_format", "response_json_schema", "responseJsonSchema")
"""What the families call the field of the answer's schema."""


def translate(error: Exception, *, provider: str, model: str, secrets: tuple[str, ...] = ()) -> ProviderError:
    """Return our error for whatever one request to a model raised. Raise it ``from None``."""
    for link in _chain(error):
        if isinstance(link, ProviderError):
            return link
    kind = _kind(error)
    reason = redact(_reason(error), secrets)
    status = _status(error)
    answered = f"answered {status}" if status is not None else _VERBS.get(kind, "gave no usable answer")
    message = f"{provider} {answered} for model {redact(model, secrets)!r}: {_shorten(reason)}"
    fix = _NO_SCHEMA_FIX if kind is RequestRejected and _names_response_format(error) else _FIXES.get(kind, "")
    return kind(message, fix=fix, retry_after=_retry_after(error) if kind.retryable else None)


def parse_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """Read ``retry-after-ms`` or ``Retry-After`` (seconds, also with a fraction, or an HTTP date).

    Args:
        headers: Response headers, keys in lower case.
        now: The time that a date is compared with; absent means the clock.

    Returns:
        A wait between zero (a date that has passed) and ``MAX_RETRY_AFTER``; ``None`` where nothing readable is given.
    """
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            amount = float(headers[header]) * unit
        except (KeyError, ValueError):
            continue
        if 0 <= amount < math.inf:
            return bounded_wait(amount)
    try:
        date = parsedate_to_datetime(headers["retry-after"])
        # A date without a zone is UTC (RFC 9110, 5.6.7).
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return bounded_wait((date - (now or datetime.now(UTC))).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def bounded_wait(seconds: float) -> timedelta:
    """Return a wait of so many seconds, at least zero and at most ``MAX_RETRY_AFTER``."""
    return timedelta(seconds=min(max(seconds, 0.0), MAX_RETRY_AFTER.total_seconds()))


_VERBS: dict[type[ProviderError], str] = {
    ProviderTimeout: "gave no answer in time",
    ProviderUnavailable: "could not be reached, or broke off,",
}


def _kind(error: Exception) -> type[ProviderError]:
    for theirs, ours in _TYPES:
        if isinstance(error, theirs):
            return ours
    status = _status(error)
    if status == 408:
        return ProviderTimeout
    # Redirects are not followed: a second request, and the key, would go where nobody configured.
    if status is not None and 300 <= status < 500:
        return RequestRejected
    return MalformedAnswer


def _status(error: Exception) -> int | None:
    """The HTTP status, from the exception or the client library's one behind it; ``None`` for a 200."""
    for link in _chain(error):
        for field in ("status_code", "code"):  # Google's client calls it ``code``
            status = getattr(link, field, None)
            if isinstance(status, int):
                return status if 300 <= status < 600 else None
    return None


def _retry_after(error: Exception) -> timedelta | None:
    headers = getattr(error, "headers", None)
    if headers and ({"retry-after", "retry-after-ms"} & set(headers)):
        return parse_retry_after(headers)
    # Google says it in the body, which pydantic-ai reads.
    seconds = getattr(error, "retry_after", None)
    return bounded_wait(seconds) if isinstance(seconds, int | float) and 0 <= seconds < math.inf else None


def _reason(error: Exception) -> str:
    """The provider's own words where its body has the usual form, else the exception's."""
    body = _error_object(error)
    said = body.get("message") if body else None
    if isinstance(said, str) and said:
        return said
    return f"{type(error).__name__}: {error}"


def _error_object(error: Exception) -> Mapping[str, object] | None:
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error")
        return inner if isinstance(inner, dict) else body
    return None


def _names_response_format(error: Exception) -> bool:
    """Whether a rejection is about the answer's format: by the ``param`` field, or by the name of our own field."""
    body = _error_object(error) or {}
    said = " ".join(str(body.get(field, "")) for field in ("param", "message", "detail"))
    return any(name in said for name in _FORMAT_FIELDS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and the causes behind it, at most eight."""
    link: BaseException | None = error
    for _ in range(8):
        if link is None:
            return
        yield link
        link = link.__cause__


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"
