"""The Gemini provider against a real server: conversation, structure, cancellation, environment."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from activities.contracts.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from activities.errors import AuthenticationFailed, ProviderError
from activities.providers.base import ModelProvider, ProviderAnswer
from activities.providers.gemini import GeminiProvider
from tests.providers.asking import COUNT, KEY, SEARCH, ask
from tests.providers.fake_gemini import FakeGemini, blocked, candidate, function_call, json_answer, text
from tests.providers.fake_server import hang

MODEL = "gemini-3.8-flash"
OLDER = "gemini-2.5-flash"


@pytest.fixture
def server() -> Iterator[FakeGemini]:
    with FakeGemini() as running:
        yield running


@pytest.fixture
async def provider(server: FakeGemini) -> AsyncIterator[GeminiProvider]:
    made = GeminiProvider(SecretStr(KEY), server.base_url)
    yield made
    await made.aclose()


async def test_one_question_and_its_answer(server: FakeGemini, provider: GeminiProvider) -> None:
    server.script.append(text("Hello.", input_tokens=21, output_tokens=3))

    got = await provider.request(ask(MODEL, max_output_tokens=77, temperature=0.25))

    assert got == ProviderAnswer(text="Hello.", finish_reason="stop", input_tokens=21, output_tokens=3)
    (sent,) = server.requests
    assert sent.path == f"/v1beta/models/{MODEL}:generateContent"
    assert math.isclose(sent.body["generationConfig"].pop("temperature"), 0.25)
    assert sent.body["generationConfig"] == {"maxOutputTokens": 77, "responseModalities": ["TEXT"]}
    assert sent.body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert sent.body["contents"] == [{"role": "user", "parts": [{"text": "Hello?"}]}]
    assert sent.body.keys() == {"generationConfig", "systemInstruction", "contents"}


async def test_only_known_headers_leave(server: FakeGemini, provider: GeminiProvider) -> None:
    server.script.append(text("ok"))
    await provider.request(ask(MODEL))
    headers = dict(server.requests[0].headers)
    del headers["content-length"]
    assert headers == {
        "host": server.base_url.removeprefix("http://"),
        "connection": "keep-alive",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": "ostinato",
        "x-goog-api-key": KEY,
    }


async def test_it_is_a_provider(provider: GeminiProvider) -> None:
    as_protocol: ModelProvider = provider
    assert as_protocol.name == "gemini"


async def test_a_tool_call_and_its_result_over_two_turns(server: FakeGemini, provider: GeminiProvider) -> None:
    calls = (
        function_call("search", {"q": "tides"}, id="call_a"),
        {**function_call("search", {"q": "moon"}), "thoughtSignature": "c2ln"},
    )
    server.script.extend([candidate({"text": "Let me look."}, *calls), text("Twice a day.")])
    question = UserMessage(text="How often?")

    first = await provider.request(ask(MODEL, question, tools=(SEARCH,)))
    assert first.text == "Let me look."
    assert [json.loads(c.arguments) for c in first.tool_calls] == [{"q": "tides"}, {"q": "moon"}]
    assert first.tool_calls[0].tool_call_id == "call_a"
    assert first.tool_calls[1].tool_call_id, "a call without an id gets one"

    said = AssistantMessage(text=first.text, tool_calls=first.tool_calls)
    results = [ToolMessage(tool_call_id=c.tool_call_id, tool="search", text="found") for c in first.tool_calls]
    second = await provider.request(ask(MODEL, question, said, *results, tools=(SEARCH,)))

    assert second.text == "Twice a day."
    sent = server.requests[1].body
    ids = [c.tool_call_id for c in first.tool_calls]
    words, *asked = sent["contents"][1]["parts"]
    assert (sent["contents"][1]["role"], words) == ("model", {"text": "Let me look."})
    assert [part["functionCall"] for part in asked] == [
        {"id": ids[0], "name": "search", "args": {"q": "tides"}},
        {"id": ids[1], "name": "search", "args": {"q": "moon"}},
    ]
    assert asked[0]["thoughtSignature"], (
        "Gemini 3 refuses a call of its own without one; this is its documented stand-in"
    )
    assert [part["functionResponse"]["id"] for part in sent["contents"][2]["parts"]] == ids
    assert "found" in json.dumps(sent["contents"][2]["parts"][0]["functionResponse"]["response"])
    (tool,) = sent["tools"]
    (declared,) = tool["functionDeclarations"]
    assert (declared["name"], declared["description"]) == ("search", "Finds passages.")
    assert declared["parameters_json_schema"]["properties"] == {"q": {"type": "string"}}


async def test_a_conversation_that_another_provider_began_is_made_to_fit(
    server: FakeGemini, provider: GeminiProvider
) -> None:
    server.script.append(text("ok"))
    call = ToolCall(tool_call_id="call 0", tool="find it!", arguments="[1]")
    said = AssistantMessage(tool_calls=(call,))
    result = ToolMessage(tool_call_id="call 0", tool="find it!", text="no such tool", is_error=True)
    await provider.request(ask(MODEL, UserMessage(text="?"), said, result))
    _, model, user = server.requests[0].body["contents"]
    called, answered = model["parts"][0]["functionCall"], user["parts"][0]["functionResponse"]
    assert not set(" !") & set(called["name"] + called["id"])
    assert (called["id"], called["name"]) == (answered["id"], answered["name"])
    assert called["args"] == {"INVALID_JSON": "[1]"}


@pytest.mark.parametrize(("model", "tools"), [(MODEL, ()), (MODEL, (SEARCH,)), (OLDER, ())])
async def test_structured_output_is_asked_for_by_schema(
    server: FakeGemini, provider: GeminiProvider, model: str, tools: tuple[object, ...]
) -> None:
    server.script.append(json_answer({"count": 2}))
    got = await provider.request(ask(model, output_schema=COUNT, tools=tools))
    assert json.loads(got.text) == {"count": 2}
    config = server.requests[0].body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"]["properties"] == {"count": {"type": "integer"}}


async def test_an_older_model_with_tools_reads_the_schema_in_its_instructions(
    server: FakeGemini, provider: GeminiProvider
) -> None:
    server.script.append(json_answer({"count": 2}))
    got = await provider.request(ask(OLDER, output_schema=COUNT, tools=(SEARCH,)))
    assert json.loads(got.text) == {"count": 2}
    body = server.requests[0].body
    assert "responseJsonSchema" not in body["generationConfig"]
    assert '"count"' in json.dumps(body["systemInstruction"]).replace("\\", "")


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("OTHER", "other"),
        ("MALFORMED_FUNCTION_CALL", "other"),
    ],
)
async def test_finish_reasons(server: FakeGemini, provider: GeminiProvider, reason: str, ours: str) -> None:
    server.script.append(text("Half a", finish_reason=reason))
    got = await provider.request(ask(MODEL))
    assert (got.text, got.finish_reason) == ("Half a", ours)


@pytest.mark.parametrize("reply", [blocked(), candidate(finish_reason="SAFETY")], ids=["prompt", "answer"])
async def test_a_block_is_an_answer_that_was_filtered(
    server: FakeGemini, provider: GeminiProvider, reply: object
) -> None:
    server.script.append(reply)  # type: ignore[arg-type] # a reply
    got = await provider.request(ask(MODEL))
    assert (got.text, got.tool_calls, got.finish_reason) == ("", (), "content_filter")


async def test_an_answer_that_ended_before_its_first_word_is_told_as_that(
    server: FakeGemini, provider: GeminiProvider
) -> None:
    server.script.append(candidate(finish_reason="MAX_TOKENS", thoughts=30, output_tokens=0))
    got = await provider.request(ask(MODEL))
    assert (got.text, got.finish_reason, got.output_tokens) == ("", "length", 30)


async def test_reasoning_is_left_out_and_paid(server: FakeGemini, provider: GeminiProvider) -> None:
    server.script.append(candidate({"text": "hm", "thought": True}, {"text": "42"}, output_tokens=5, thoughts=7))
    got = await provider.request(ask(MODEL))
    assert (got.text, got.output_tokens) == ("42", 12)


async def test_cancelling_closes_the_connection(server: FakeGemini, provider: GeminiProvider) -> None:
    server.script.append(hang())
    task = asyncio.create_task(provider.request(ask(MODEL, timeout_seconds=30.0)))
    await asyncio.to_thread(server.wait_until, lambda s: len(s.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(server.wait_until, lambda s: s.disconnects == 1)
    assert len(server.requests) == 1


async def test_the_environment_decides_nothing(server: FakeGemini, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeGemini() as other:
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
            monkeypatch.setenv(name, "ambient")
        for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("GOOGLE_GENAI_CLIENT_MODE", "replay")
        monkeypatch.setenv("GOOGLE_API_USE_MTLS_ENDPOINT", "always")
        for name in ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"):
            monkeypatch.setenv(name, other.base_url)
        server.script.extend([text("with a key"), text("without one")])
        for key in (KEY, ""):
            provider = GeminiProvider(SecretStr(key), server.base_url)
            await provider.request(ask(MODEL))
            await provider.aclose()
        assert not other.requests
    assert "ambient" not in repr(list(server.requests))
    assert server.requests[0].headers["x-goog-api-key"] == KEY
    assert {"x-goog-api-key", "authorization"}.isdisjoint(server.requests[1].headers)


async def test_google_itself_needs_a_key_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "ambient-key")
    for base_url in ("", "https://generativelanguage.googleapis.com/"):
        provider = GeminiProvider(SecretStr("  "), base_url)
        with pytest.raises(AuthenticationFailed) as caught:
            await provider.request(ask(MODEL))
        await provider.aclose()
        assert "GEMINI_API_KEY" in caught.value.fix


async def test_closing_twice_is_fine_and_nothing_is_sent_after(server: FakeGemini) -> None:
    provider = GeminiProvider(SecretStr(KEY), server.base_url)
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(ProviderError):
        await provider.request(ask(MODEL))
    assert not server.requests
