"""Embeddings of the real families against real servers: one request for all texts, and every fault its kind."""

import asyncio
import base64
import json
import struct
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from activities.errors import (
    AuthenticationFailed,
    ContextExceeded,
    MalformedAnswer,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from activities.providers.anthropic import AnthropicProvider
from activities.providers.base import EmbedAnswer, EmbedCall, EmbeddingProvider
from activities.providers.gemini import GeminiProvider
from activities.providers.openai import OpenAIProvider
from tests.providers import fake_gemini, fake_openai
from tests.providers.asking import KEY
from tests.providers.fake_gemini import FakeGemini
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.fake_server import FakeServer, Responder, as_json, cut_before, hang, html, truncated

TEXTS = ("first", "second")
GEMINI = "gemini-embedding-001"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as running:
        yield running


@pytest.fixture
async def openai(server: FakeOpenAI) -> AsyncIterator[OpenAIProvider]:
    made = OpenAIProvider(SecretStr(KEY), server.base_url)
    yield made
    await made.aclose()


@pytest.fixture
def google() -> Iterator[FakeGemini]:
    with FakeGemini() as running:
        yield running


@pytest.fixture
async def gemini(google: FakeGemini) -> AsyncIterator[GeminiProvider]:
    made = GeminiProvider(SecretStr(KEY), google.base_url)
    yield made
    await made.aclose()


async def test_openai_embeds_all_texts_in_one_request(server: FakeOpenAI, openai: OpenAIProvider) -> None:
    server.script.append(fake_openai.embeddings([1, 0], [0, 1.5], input_tokens=7))
    got = await openai.embed(EmbedCall("text-embedding-3-small", TEXTS))
    assert got == EmbedAnswer([[1.0, 0.0], [0.0, 1.5]], 7)
    (sent,) = server.requests
    assert sent.path == "/v1/embeddings"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert (sent.body["model"], sent.body["input"]) == ("text-embedding-3-small", ["first", "second"])


async def test_vectors_may_come_packed(server: FakeOpenAI, openai: OpenAIProvider) -> None:
    packed = [base64.b64encode(struct.pack("<2f", *vector)).decode() for vector in ((0.5, 2), (-1, 0))]
    server.script.append(fake_openai.embeddings(*packed))
    assert (await openai.embed(EmbedCall("m", TEXTS))).vectors == [[0.5, 2.0], [-1.0, 0.0]]
    assert server.requests[0].body["encoding_format"] == "base64"


async def test_gemini_embeds_all_texts_in_one_request_and_counts_nothing(
    google: FakeGemini, gemini: GeminiProvider
) -> None:
    google.script.append(fake_gemini.embeddings([1, 0], [0, 1]))
    got = await gemini.embed(EmbedCall(GEMINI, TEXTS))
    assert got == EmbedAnswer([[1.0, 0.0], [0.0, 1.0]], 0)
    (sent,) = google.requests
    assert sent.path == f"/v1beta/models/{GEMINI}:batchEmbedContents"
    assert sent.headers["x-goog-api-key"] == KEY
    requests = sent.body["requests"]
    assert [request["content"]["parts"] for request in requests] == [[{"text": "first"}], [{"text": "second"}]]
    assert "SEMANTIC_SIMILARITY" in json.dumps(requests)


async def test_gemini_s_second_generation_is_told_in_words(google: FakeGemini, gemini: GeminiProvider) -> None:
    google.script.append(fake_gemini.embeddings([1, 0], [0, 1]))
    await gemini.embed(EmbedCall("gemini-embedding-2", TEXTS))
    sent = json.dumps(google.requests[0].body)
    assert "task: sentence similarity | query: first" in sent
    assert "SEMANTIC_SIMILARITY" not in sent


async def test_which_families_have_embeddings(openai: OpenAIProvider, gemini: GeminiProvider) -> None:
    assert isinstance(openai, EmbeddingProvider)
    assert isinstance(gemini, EmbeddingProvider)
    anthropic = AnthropicProvider(SecretStr(KEY))
    assert not isinstance(anthropic, EmbeddingProvider)
    await anthropic.aclose()


OPENAI_FAULTS: list[tuple[str, Responder, type[ProviderError]]] = [
    ("401", fake_openai.echo_the_key(), AuthenticationFailed),
    ("404", fake_openai.model_not_found(), ModelNotFound),
    ("quota", fake_openai.quota_exhausted(), QuotaExhausted),
    ("429", fake_openai.rate_limited(Retry_After="7"), RateLimited),
    ("500", fake_openai.failure(500), ProviderUnavailable),
    ("400", fake_openai.failure(400), RequestRejected),
    ("context", fake_openai.context_exceeded(), ContextExceeded),
    ("cut", cut_before(), ProviderUnavailable),
    ("html", html(), MalformedAnswer),
    ("half", truncated(fake_openai.embeddings([1, 0], [0, 1])), MalformedAnswer),
    ("no vectors", fake_openai.embeddings(), MalformedAnswer),
    ("null", fake_openai.embeddings(None, None), MalformedAnswer),
    ("words", fake_openai.embeddings(["a"], ["b"]), MalformedAnswer),
    ("an error in a 200", as_json({"error": {"message": "no"}}), MalformedAnswer),
]
GEMINI_FAULTS: list[tuple[str, Responder, type[ProviderError]]] = [
    ("403", fake_gemini.echo_the_key(), AuthenticationFailed),
    ("404", fake_gemini.failure(404, "NOT_FOUND"), ModelNotFound),
    ("429", fake_gemini.rate_limited(fake_gemini.retry_info("7s")), RateLimited),
    ("500", fake_gemini.failure(500), ProviderUnavailable),
    ("400", fake_gemini.failure(400, "INVALID_ARGUMENT"), RequestRejected),
    ("cut", cut_before(), ProviderUnavailable),
    ("html", html(), MalformedAnswer),
    ("half", truncated(fake_gemini.embeddings([1, 0], [0, 1])), MalformedAnswer),
    ("words", fake_gemini.embeddings(["a"], ["b"]), MalformedAnswer),
]


async def fails(make_server: Any, make_provider: Any, reply: Responder, seconds: float = 10.0) -> ProviderError:
    """One request that has to fail, with the key nowhere in what comes out."""
    with make_server(reply) as running:
        assert isinstance(running, FakeServer)
        provider = make_provider(SecretStr(KEY), running.base_url)
        with pytest.raises(ProviderError) as caught:
            await provider.embed(EmbedCall(GEMINI, TEXTS, seconds))
        await provider.aclose()
        assert len(running.requests) == 1
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize(("reply", "kind"), [case[1:] for case in OPENAI_FAULTS], ids=[c[0] for c in OPENAI_FAULTS])
async def test_a_fault_of_openai_has_its_kind(reply: Responder, kind: type[ProviderError]) -> None:
    error = await fails(FakeOpenAI, OpenAIProvider, reply)
    assert type(error) is kind
    assert error.retryable or error.fix


@pytest.mark.parametrize(("reply", "kind"), [case[1:] for case in GEMINI_FAULTS], ids=[c[0] for c in GEMINI_FAULTS])
async def test_a_fault_of_gemini_has_its_kind(reply: Responder, kind: type[ProviderError]) -> None:
    assert type(await fails(FakeGemini, GeminiProvider, reply)) is kind


@pytest.mark.parametrize(("server_class", "provider"), [(FakeOpenAI, OpenAIProvider), (FakeGemini, GeminiProvider)])
async def test_no_answer_in_time(server_class: Any, provider: Any) -> None:
    assert type(await fails(server_class, provider, hang(), 0.3)) is ProviderTimeout


@pytest.mark.parametrize("provider_class", [OpenAIProvider, GeminiProvider])
async def test_the_vendor_itself_needs_a_key_before_anything_is_sent(provider_class: Any) -> None:
    provider = provider_class(SecretStr(""))
    with pytest.raises(AuthenticationFailed, match="There is no key for"):
        await provider.embed(EmbedCall("m", TEXTS))
    await provider.aclose()


async def test_cancelling_closes_the_connection(server: FakeOpenAI, openai: OpenAIProvider) -> None:
    server.script.append(hang())
    task = asyncio.create_task(openai.embed(EmbedCall("m", TEXTS, 30.0)))
    await asyncio.to_thread(server.wait_until, lambda s: len(s.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(server.wait_until, lambda s: s.disconnects == 1)
    assert len(server.requests) == 1
