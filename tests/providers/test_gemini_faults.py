"""Gemini's errors, through the public door, against a real server: kind, retry posture, one request, no key."""

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
from activities.providers.gemini import GeminiProvider
from activities.providers.http import MAX_BODY_BYTES
from tests.providers import asking
from tests.providers.asking import COUNT
from tests.providers.fake_gemini import (
    FakeGemini,
    candidate,
    daily_quota,
    echo_the_key,
    failure,
    generated,
    invalid_key,
    rate_limited,
    retry_info,
    text,
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
INVALID = "INVALID_ARGUMENT"


async def fail_with(reply: Responder, **options: object) -> ProviderError:
    return await asking.fail_with(FakeGemini, GeminiProvider, reply, **options)


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        pytest.param(rate_limited(), RateLimited, True, id="429"),
        pytest.param(rate_limited(daily_quota()), QuotaExhausted, False, id="quota of the day"),
        pytest.param(
            failure(400, "FAILED_PRECONDITION", "Please enable billing on your project"),
            QuotaExhausted,
            False,
            id="no billing",
        ),
        pytest.param(failure(503, "UNAVAILABLE", "The model is overloaded."), Overloaded, True, id="503 overloaded"),
        pytest.param(failure(503, "UNAVAILABLE"), Overloaded, True, id="503"),
        pytest.param(failure(529, "OVERLOADED"), Overloaded, True, id="529"),
        pytest.param(failure(500), ProviderUnavailable, True, id="500"),
        pytest.param(html(502), ProviderUnavailable, True, id="502 html"),
        pytest.param(failure(504, "DEADLINE_EXCEEDED"), ProviderUnavailable, True, id="504"),
        pytest.param(echo_the_key(400, INVALID, invalid_key()), AuthenticationFailed, False, id="invalid key"),
        pytest.param(echo_the_key(401, "UNAUTHENTICATED"), AuthenticationFailed, False, id="401"),
        pytest.param(echo_the_key(403), AuthenticationFailed, False, id="403"),
        pytest.param(failure(404, "NOT_FOUND", "models/fake is not found"), ModelNotFound, False, id="404"),
        pytest.param(html(404), ModelNotFound, False, id="404 html"),
        pytest.param(
            failure(400, INVALID, "The input token count (2000000) exceeds the maximum number of tokens allowed"),
            ContextExceeded,
            False,
            id="context",
        ),
        pytest.param(failure(400, INVALID), RequestRejected, False, id="400"),
        pytest.param(failure(413, INVALID), RequestRejected, False, id="413"),
        pytest.param(failure(408, "CANCELLED"), ProviderTimeout, True, id="408"),
        pytest.param(truncated(LONG), MalformedAnswer, True, id="truncated JSON"),
        pytest.param(html(), MalformedAnswer, True, id="HTML"),
        pytest.param(as_json(None), MalformedAnswer, True, id="null"),
        pytest.param(as_json([1, 2]), MalformedAnswer, True, id="a list"),
        pytest.param(as_json({"error": {"code": 500, "message": "in a 200"}}), MalformedAnswer, True, id="200 error"),
        pytest.param(generated(candidates=[]), MalformedAnswer, True, id="no candidates"),
        pytest.param(generated(), MalformedAnswer, True, id="no candidates at all"),
        pytest.param(candidate(finish_reason=None), MalformedAnswer, True, id="an empty candidate"),
        pytest.param(
            candidate(finish_reason="MALFORMED_FUNCTION_CALL"), MalformedAnswer, True, id="malformed function call"
        ),
        pytest.param(candidate(finish_reason="UNEXPECTED_TOOL_CALL"), MalformedAnswer, True, id="unexpected call"),
        pytest.param(candidate(finish_reason="OTHER"), MalformedAnswer, True, id="no reason"),
        pytest.param(candidate({"functionCall": {"args": {}}}), MalformedAnswer, True, id="a call without a name"),
        pytest.param(candidate({"text": 7}), MalformedAnswer, True, id="a text that is none"),
        pytest.param(Reply(), MalformedAnswer, True, id="empty body"),
        pytest.param(Reply(b"\xff\xfe\x00"), MalformedAnswer, True, id="no UTF-8"),
        pytest.param(
            candidate({"text": "x" * MAX_BODY_BYTES, "thought": True}, {"text": "ok"}),
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


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        pytest.param(rate_limited(retry_info("7s")), 7, id="in the body"),
        pytest.param(rate_limited(retry_info("0.5s")), 0.5, id="half a second"),
        pytest.param(rate_limited(retry_info("86400s")), 600, id="too long"),
        pytest.param(rate_limited(Retry_After="4"), 4, id="in the header"),
        pytest.param(failure(503, "UNAVAILABLE", "busy", Retry_After="4"), 4, id="503"),
    ],
)
async def test_the_wait_becomes_the_delay_of_the_next_attempt(reply: Reply, seconds: float) -> None:
    delay = to_application_error(await fail_with(reply)).next_retry_delay
    assert delay is not None
    assert delay.total_seconds() == seconds


@pytest.mark.parametrize("wait", ["soon", "-3s", "infs", ""])
async def test_rubbish_as_a_wait_is_ignored(wait: str) -> None:
    error = await fail_with(rate_limited(retry_info(wait)))
    assert isinstance(error, RateLimited)
    assert error.retry_after is None


@pytest.mark.parametrize("reply", [hang(), dripping(LONG)], ids=["silence", "a byte now and then"])
async def test_no_answer_in_time(reply: Reply) -> None:
    assert type(await fail_with(reply, timeout_seconds=0.4)) is ProviderTimeout


async def test_a_redirect_is_not_followed() -> None:
    with FakeGemini() as elsewhere:
        error = await fail_with(as_json({}, 307, Location=f"{elsewhere.base_url}/v1beta/models/fake:generateContent"))
        assert type(error) is RequestRejected
        assert not elsewhere.requests


async def test_a_refused_schema_is_said_with_a_fix() -> None:
    reply = failure(400, INVALID, "Unknown name in generation_config.response_json_schema")
    assert "JSON Schema" in (await fail_with(reply, output_schema=COUNT)).fix
