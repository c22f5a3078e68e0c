"""The translation where no server is needed: waits, unknown exceptions, bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic_ai import exceptions as library

from activities.errors import (
    MAX_MESSAGE,
    ContextExceeded,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
)
from activities.providers.translation import MAX_RETRY_AFTER, bounded_wait, parse_retry_after, translate

NOW = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)
KEY = "s3cret+key/with=signs"


def wrap(error: Exception) -> ProviderError:
    return translate(error, provider="openai", model="m", secrets=(KEY,))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 3 "}, 3),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after-ms": "-1", "retry-after": "9"}, 9),
        ({"retry-after": "Tue, 03 Nov 2026 12:00:20 GMT"}, 20),
        ({"retry-after": "Tue Nov  3 12:00:20 2026"}, 20),
        ({"retry-after": "Tue, 03 Nov 2026 14:00:20 +0200"}, 20),
        ({"retry-after": "Tue, 03 Nov 2020 12:00:00 GMT"}, 0),
        ({"retry-after": "Tue, 03 Nov 2099 12:00:00 GMT"}, 600),
        ({"retry-after": "86400"}, 600),
        ({"retry-after": "1e300"}, 600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Tue, 99 Nov 2026 12:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_every_form_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    wait = parse_retry_after(headers, NOW)
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_a_wait_is_never_negative_and_never_longer_than_the_bound() -> None:
    assert bounded_wait(-1) == timedelta(0)
    assert bounded_wait(1e12) == MAX_RETRY_AFTER


def test_a_wait_that_only_the_body_named_is_kept() -> None:
    assert wrap(library.ModelRateLimitError("m", "slow down", retry_after=3.5)).retry_after == timedelta(seconds=3.5)


def test_a_failure_that_is_not_retried_carries_no_wait() -> None:
    error = library.ModelHTTPError.for_category(
        library.ModelRequestRejectedError, status_code=400, model_name="m", headers={"Retry-After": "7"}
    )
    assert wrap(error).retry_after is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (library.ModelTimeoutError("m", "timed out"), ProviderTimeout),
        (library.ModelRequestTimeout("m", 5), ProviderTimeout),
        (library.ModelConnectionError("m", "refused"), ProviderUnavailable),
        (library.ModelOverloadedError("m", "overloaded"), Overloaded),
        (library.ModelContextWindowExceededError("m", "too long"), ContextExceeded),
        (library.ModelHTTPError(408, "m"), ProviderTimeout),
        (library.ModelHTTPError(409, "m"), RequestRejected),
        (library.ModelHTTPError(418, "m"), RequestRejected),
        (library.ModelAPIError("m", "no JSON"), MalformedAnswer),
        (library.UnexpectedModelBehavior("what is this", body="<html>"), MalformedAnswer),
        (library.UserError("two tools of one name"), RequestRejected),
        (IndexError("list index out of range"), MalformedAnswer),
        (ExceptionGroup("several", [ValueError("a"), KeyError("b")]), MalformedAnswer),
    ],
)
def test_each_exception_has_its_kind(error: Exception, kind: type[ProviderError]) -> None:
    assert type(wrap(error)) is kind


def test_our_own_error_behind_a_library_s_is_found() -> None:
    outer = library.ModelConnectionError("m", "connection error")
    outer.__cause__ = MalformedAnswer("too long")
    assert wrap(outer) is outer.__cause__


@pytest.mark.parametrize(
    "body", [{"error": {"message": f"bad key {KEY}"}}, {"message": KEY}, f"plain {KEY}", [KEY], None]
)
def test_no_form_of_body_lets_the_key_out(body: object) -> None:
    translated = wrap(library.ModelHTTPError(401, "m", body))
    assert KEY not in str(translated) + repr(translated) + translated.detail().model_dump_json()


def test_a_page_of_html_becomes_one_bounded_line() -> None:
    said = str(wrap(library.ModelHTTPError(500, "m", "<html>\n" * 10_000)))
    assert len(said) <= MAX_MESSAGE
    assert "\n" not in said


def test_a_key_at_the_cut_does_not_leave_its_first_half() -> None:
    translated = wrap(library.ModelHTTPError(401, "m", {"message": "x" * 290 + KEY}))
    assert KEY[:8] not in str(translated)


def test_a_rate_limit_says_who_and_what() -> None:
    error = library.ModelHTTPError.for_category(
        library.ModelRateLimitError, status_code=429, model_name="m", body={"message": "slow down"}
    )
    translated = wrap(error)
    assert isinstance(translated, RateLimited)
    assert str(translated) == "openai answered 429 for model 'm': slow down"
