"""Every row of the error table, through the public door, against a real server: kind, retry posture, one request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from activities.contracts.base import MAX_TEXT
from activities.contracts.messages import UserMessage
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
from activities.providers.base import ProviderCall
from activities.providers.openai import OpenAIProvider
from tests.providers import asking
from tests.providers.asking import KEY
from tests.providers.fake_openai import (
    FakeOpenAI,
    context_exceeded,
    cut_within,
    echo_the_key,
    failure,
    huge,
    model_not_found,
    no_choices,
    quota_exhausted,
    rate_limited,
    trickle,
    truncated_json,
)
from tests.providers.fake_server import Reply, Responder, as_json, cut_before, hang, html


async def fail_with(reply: Responder, *, timeout_seconds: float = 10.0) -> ProviderError:
    return await asking.fail_with(FakeOpenAI, OpenAIProvider, reply, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        pytest.param(rate_limited(), RateLimited, True, id="429"),
        pytest.param(quota_exhausted(), QuotaExhausted, False, id="quota"),
        pytest.param(failure(402), QuotaExhausted, False, id="402"),
        pytest.param(failure(500), ProviderUnavailable, True, id="500"),
        pytest.param(failure(502), ProviderUnavailable, True, id="502"),
        pytest.param(html(502), ProviderUnavailable, True, id="502 html"),
        pytest.param(failure(504), ProviderUnavailable, True, id="504"),
        pytest.param(failure(503), Overloaded, True, id="503"),
        pytest.param(failure(529), Overloaded, True, id="529"),
        pytest.param(echo_the_key(401), AuthenticationFailed, False, id="401"),
        pytest.param(echo_the_key(403), AuthenticationFailed, False, id="403"),
        pytest.param(model_not_found(), ModelNotFound, False, id="404"),
        pytest.param(html(404), ModelNotFound, False, id="404 html"),
        pytest.param(context_exceeded(), ContextExceeded, False, id="context"),
        pytest.param(failure(400), RequestRejected, False, id="400"),
        pytest.param(failure(409), RequestRejected, False, id="409"),
        pytest.param(failure(413), RequestRejected, False, id="413"),
        pytest.param(failure(422), RequestRejected, False, id="422"),
        pytest.param(failure(408), ProviderTimeout, True, id="408"),
        pytest.param(truncated_json(), MalformedAnswer, True, id="truncated JSON"),
        pytest.param(html(), MalformedAnswer, True, id="HTML"),
        pytest.param(no_choices(), MalformedAnswer, True, id="no choices"),
        pytest.param(as_json(None), MalformedAnswer, True, id="null"),
        pytest.param(as_json([1, 2]), MalformedAnswer, True, id="a list"),
        pytest.param(as_json({"error": {"message": "inside a 200"}}), MalformedAnswer, True, id="error in a 200"),
        pytest.param(as_json({"choices": [{"index": 0}]}), MalformedAnswer, True, id="choice without message"),
        pytest.param(Reply(), MalformedAnswer, True, id="empty body"),
        pytest.param(Reply(b"\xff\xfe\x00"), MalformedAnswer, True, id="no UTF-8"),
        pytest.param(huge(MAX_TEXT + 1), AnswerTooLong, False, id="too long"),
        pytest.param(cut_before(), ProviderUnavailable, True, id="cut before"),
        pytest.param(cut_within(), ProviderUnavailable, True, id="cut within"),
    ],
)
async def test_each_fault_has_its_kind(reply: Responder, kind: type[ProviderError], retryable: bool) -> None:
    error = await fail_with(reply)
    assert type(error) is kind
    assert error.retryable is retryable
    assert to_application_error(error).non_retryable is not retryable
    assert retryable or error.fix, "who cannot retry is told what to do"


def in_twenty_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)


@pytest.mark.parametrize(
    ("reply", "low", "high"),
    [
        pytest.param(lambda: rate_limited(Retry_After="7"), 7, 7, id="seconds"),
        pytest.param(lambda: rate_limited(Retry_After="0.5"), 0.5, 0.5, id="half a second"),
        pytest.param(lambda: rate_limited(Retry_After_Ms="1500"), 1.5, 1.5, id="milliseconds"),
        pytest.param(lambda: rate_limited(Retry_After=in_twenty_seconds()), 10, 20, id="date"),
        pytest.param(lambda: rate_limited(Retry_After="Sun, 06 Nov 1994 08:49:37 GMT"), 0, 0, id="past date"),
        pytest.param(lambda: rate_limited(Retry_After="999999"), 600, 600, id="too long"),
        pytest.param(lambda: failure(503, Retry_After="4"), 4, 4, id="503"),
        pytest.param(lambda: failure(529, Retry_After="4"), 4, 4, id="529"),
    ],
)
async def test_retry_after_becomes_the_delay_of_the_next_attempt(
    reply: Callable[[], Reply], low: float, high: float
) -> None:
    delay = to_application_error(await fail_with(reply())).next_retry_delay
    assert delay is not None
    assert low <= delay.total_seconds() <= high


@pytest.mark.parametrize("value", ["-1", "soon", "nan", "inf"])
async def test_rubbish_in_retry_after_is_ignored(value: str) -> None:
    error = await fail_with(rate_limited(Retry_After=value))
    assert isinstance(error, RateLimited)
    assert error.retry_after is None


@pytest.mark.parametrize("reply", [hang(), trickle()], ids=["silence", "a byte now and then"])
async def test_no_answer_in_time(reply: Reply) -> None:
    error = await fail_with(reply, timeout_seconds=0.4)
    assert type(error) is ProviderTimeout


async def test_a_redirect_is_not_followed() -> None:
    with FakeOpenAI() as elsewhere:
        error = await fail_with(as_json({}, 307, Location=f"{elsewhere.base_url}/chat/completions"))
        assert type(error) is RequestRejected
        assert not elsewhere.requests


async def test_nobody_listens() -> None:
    with FakeOpenAI() as server:
        base_url = server.base_url
    provider = OpenAIProvider(SecretStr(KEY), base_url)
    with pytest.raises(ProviderUnavailable):
        await provider.request(ProviderCall("fake", "", (UserMessage(text="?"),), timeout_seconds=5))
    await provider.aclose()
