"""Anthropic's errors, through the public door, against a real server: kind, retry posture, one request, no key."""

import json

import pytest

from activities.errors import (
    AnswerTooLong,
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
    to_application_error,
)
from activities.providers.anthropic import AnthropicProvider
from activities.providers.http import MAX_BODY_BYTES
from tests.providers import asking
from tests.providers.asking import COUNT
from tests.providers.fake_anthropic import (
    FakeAnthropic,
    echo_the_key,
    failure,
    message,
    overloaded,
    rate_limited,
    text,
    thinking,
)
from tests.providers.fake_server import (
    Reply,
    Responder,
    as_json,
    cut,
    cut_before,
    dripping,
    hang,
    html,
    truncated,
)

LONG = text("half of this never comes " * 20)
INVALID = "invalid_request_error"


async def fail_with(reply: Responder, **options: object) -> ProviderError:
    return await asking.fail_with(FakeAnthropic, AnthropicProvider, reply, **options)


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        pytest.param(rate_limited(), RateLimited, True, id="429"),
        pytest.param(overloaded(), Overloaded, True, id="529"),
        pytest.param(failure(503), Overloaded, True, id="503"),
        pytest.param(failure(500), ProviderUnavailable, True, id="500"),
        pytest.param(html(502), ProviderUnavailable, True, id="502 html"),
        pytest.param(failure(504, "timeout_error"), ProviderUnavailable, True, id="504"),
        pytest.param(failure(402, "billing_error"), QuotaExhausted, False, id="402"),
        pytest.param(
            failure(400, INVALID, "Your credit balance is too low to access the Anthropic API."),
            QuotaExhausted,
            False,
            id="no credit",
        ),
        pytest.param(echo_the_key(401), AuthenticationFailed, False, id="401"),
        pytest.param(echo_the_key(403, "permission_error"), AuthenticationFailed, False, id="403"),
        pytest.param(failure(404, "not_found_error", "model: fake"), ModelNotFound, False, id="404"),
        pytest.param(html(404), ModelNotFound, False, id="404 html"),
        pytest.param(
            failure(400, INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
            ContextExceeded,
            False,
            id="context",
        ),
        pytest.param(failure(400, INVALID), RequestRejected, False, id="400"),
        pytest.param(failure(413, "request_too_large"), RequestRejected, False, id="413"),
        pytest.param(failure(408), ProviderTimeout, True, id="408"),
        pytest.param(truncated(LONG), MalformedAnswer, True, id="truncated JSON"),
        pytest.param(html(), MalformedAnswer, True, id="HTML"),
        pytest.param(as_json(None), MalformedAnswer, True, id="null"),
        pytest.param(as_json([1, 2]), MalformedAnswer, True, id="a list"),
        pytest.param(
            as_json({"type": "error", "error": {"type": "api_error", "message": "in a 200"}}),
            MalformedAnswer,
            True,
            id="error in a 200",
        ),
        pytest.param(as_json({"type": "message", "content": None}), MalformedAnswer, True, id="no content"),
        pytest.param(message({"type": "poem", "lines": []}), MalformedAnswer, True, id="unknown block"),
        pytest.param(message({"type": "text"}), MalformedAnswer, True, id="a text without text"),
        pytest.param(Reply(), MalformedAnswer, True, id="empty body"),
        pytest.param(Reply(b"\xff\xfe\x00"), MalformedAnswer, True, id="no UTF-8"),
        pytest.param(
            message(thinking("x" * MAX_BODY_BYTES), {"type": "text", "text": "ok"}),
            AnswerTooLong,
            False,
            id="too long",
        ),
        pytest.param(cut_before(), ProviderUnavailable, True, id="cut before"),
        pytest.param(cut(LONG), ProviderUnavailable, True, id="cut within"),
    ],
)
async def test_each_fault_has_its_kind(reply: Responder, kind: type[ProviderError], retryable: bool) -> None:
    error = await fail_with(reply)
    assert type(error) is kind
    assert error.retryable is retryable
    assert retryable or error.fix, "who cannot retry is told what to do"


@pytest.mark.parametrize("make", [rate_limited, overloaded])
async def test_retry_after_becomes_the_delay_of_the_next_attempt(make: type[Reply]) -> None:
    delay = to_application_error(await fail_with(make(Retry_After="7"))).next_retry_delay  # type: ignore[call-arg] # a header
    assert delay is not None
    assert delay.total_seconds() == 7


@pytest.mark.parametrize("reply", [hang(), dripping(LONG)], ids=["silence", "a byte now and then"])
async def test_no_answer_in_time(reply: Reply) -> None:
    assert type(await fail_with(reply, timeout_seconds=0.4)) is ProviderTimeout


async def test_a_redirect_is_not_followed() -> None:
    with FakeAnthropic() as elsewhere:
        error = await fail_with(as_json({}, 307, Location=f"{elsewhere.base_url}/v1/messages"))
        assert type(error) is RequestRejected
        assert not elsewhere.requests


async def test_a_refused_schema_is_said_with_a_fix() -> None:
    reply = failure(400, INVALID, "output_config.format.schema: unsupported keyword")
    error = await fail_with(reply, output_schema=COUNT)
    assert "JSON Schema" in error.fix
    assert json.dumps(COUNT) not in str(error)
