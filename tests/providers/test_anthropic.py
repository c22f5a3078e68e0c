"""The Anthropic provider against a real server: conversation, structure, cancellation, environment."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.contracts.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from activities.errors import AuthenticationFailed, ProviderError, RequestRejected
from activities.providers.anthropic import AnthropicProvider, is_bindable
from activities.providers.base import ModelProvider, ProviderAnswer
from tests.providers.asking import COUNT, KEY, SEARCH, ask
from tests.providers.fake_anthropic import FakeAnthropic, failure, json_answer, message, text, thinking, tool_use
from tests.providers.fake_server import hang

MODEL = "claude-haiku-5-5"


@pytest.fixture
def server() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as running:
        yield running


@pytest.fixture
async def provider(server: FakeAnthropic) -> AsyncIterator[AnthropicProvider]:
    made = AnthropicProvider(SecretStr(KEY), server.base_url)
    yield made
    await made.aclose()


async def test_one_question_and_its_answer(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(text("Hello.", input_tokens=21, output_tokens=3))

    got = await provider.request(ask("claude-haiku-4-5", max_output_tokens=77, temperature=0.25))

    assert got == ProviderAnswer(text="Hello.", finish_reason="stop", input_tokens=21, output_tokens=3)
    (sent,) = server.requests
    assert sent.path == "/v1/messages"
    temperature = sent.body.pop("temperature")
    assert math.isclose(temperature, 0.25)
    assert sent.body == {
        "model": "claude-haiku-4-5",
        "max_tokens": 77,
        "stream": False,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    }


async def test_only_known_headers_leave(server: FakeAnthropic, provider: AnthropicProvider) -> None:
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
        "anthropic-version": "2023-06-01",
        "x-api-key": KEY,
    }


async def test_it_is_a_provider(provider: AnthropicProvider) -> None:
    as_protocol: ModelProvider = provider
    assert as_protocol.name == "anthropic"


async def test_a_long_answer_is_never_streamed(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(text("ok"))
    await provider.request(ask(MODEL, max_output_tokens=64_000))
    assert server.requests[0].body["max_tokens"] == 64_000
    assert server.requests[0].body["stream"] is False


async def test_a_model_that_takes_no_temperature_gets_none(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(text("ok"))
    await provider.request(ask(MODEL, temperature=0.5))
    assert "temperature" not in server.requests[0].body


async def test_a_tool_call_and_its_result_over_two_turns(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    look = {"type": "text", "text": "Let me look."}
    calls = (tool_use("search", {"q": "tides"}, "toolu_a"), tool_use("search", {"q": "moon"}, "toolu_b"))
    server.script.extend([message(look, *calls, stop_reason="tool_use"), text("Twice a day.")])
    question = UserMessage(text="How often?")

    first = await provider.request(ask(MODEL, question, tools=(SEARCH,)))
    assert (first.text, first.finish_reason) == ("Let me look.", "tool_calls")
    assert [(c.tool_call_id, c.tool, json.loads(c.arguments)) for c in first.tool_calls] == [
        ("toolu_a", "search", {"q": "tides"}),
        ("toolu_b", "search", {"q": "moon"}),
    ]

    said = AssistantMessage(text=first.text, tool_calls=first.tool_calls)
    results = [ToolMessage(tool_call_id=c.tool_call_id, tool="search", text="found") for c in first.tool_calls]
    second = await provider.request(ask(MODEL, question, said, *results, tools=(SEARCH,)))

    assert second.text == "Twice a day."
    sent = server.requests[1].body
    assert sent["messages"][1] == {"role": "assistant", "content": [look, *calls]}
    assert sent["messages"][2]["role"] == "user"
    found = [{"type": "text", "text": "found"}]
    assert [(b["type"], b["tool_use_id"], b["content"]) for b in sent["messages"][2]["content"]] == [
        ("tool_result", "toolu_a", found),
        ("tool_result", "toolu_b", found),
    ]
    (tool,) = sent["tools"]
    assert (tool["name"], tool["description"]) == ("search", "Finds passages.")
    assert tool["input_schema"]["properties"] == {"q": {"type": "string"}}


async def test_a_conversation_that_another_provider_began_is_made_to_fit(
    server: FakeAnthropic, provider: AnthropicProvider
) -> None:
    """Anthropic refuses ids and names with other characters, empty texts, and arguments that are no object."""
    server.script.append(text("ok"))
    call = ToolCall(tool_call_id="functions.search:0", tool="functions.search", arguments='{"q": tides')
    said = AssistantMessage(text="\n", tool_calls=(call,))
    result = ToolMessage(tool_call_id="functions.search:0", tool="functions.search", text="no such tool", is_error=True)

    await provider.request(ask(MODEL, UserMessage(text="?"), said, result))

    _, assistant, user = server.requests[0].body["messages"]
    (use,) = assistant["content"]
    assert set(use["id"] + use["name"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert use["input"] == {"INVALID_JSON": '{"q": tides'}
    assert user["content"][0]["tool_use_id"] == use["id"]


async def test_blank_texts_are_not_sent(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(text("ok"))
    call = ToolCall(tool_call_id="a", tool="search", arguments="{}")
    conversation: list[Message] = [
        UserMessage(text="?"),
        AssistantMessage(text=" \n"),
        UserMessage(text="Well?"),
        AssistantMessage(tool_calls=(call,)),
        ToolMessage(tool_call_id="a", tool="search", text=""),
    ]
    await provider.request(ask(MODEL, *conversation))
    blocks = [block for sent in server.requests[0].body["messages"] for block in sent["content"]]
    texts = [inner["text"] for block in blocks for inner in (block, *block.get("content", [])) if "text" in inner]
    assert texts == ["?", "Well?", "(nothing)"]


async def test_structured_output_is_asked_for_by_schema(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(json_answer({"count": 2}))
    got = await provider.request(ask(MODEL, output_schema=COUNT, tools=(SEARCH,)))
    assert json.loads(got.text) == {"count": 2}
    asked = server.requests[0].body["output_config"]["format"]
    assert asked["type"] == "json_schema"
    assert asked["schema"]["properties"] == {"count": {"type": "integer"}}
    assert "tool_choice" not in server.requests[0].body or server.requests[0].body["tool_choice"]["type"] == "auto"
    assert "additionalProperties" not in COUNT


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        pytest.param("claude-of-a-gateway", COUNT, id="a model without schemas"),
        pytest.param(MODEL, {"type": "object", "additionalProperties": {"type": "integer"}}, id="free keys"),
    ],
)
async def test_else_the_schema_stands_in_the_instructions(
    server: FakeAnthropic, provider: AnthropicProvider, model: str, schema: dict[str, object]
) -> None:
    server.script.append(json_answer({"count": 2}))
    got = await provider.request(ask(model, output_schema=schema, tools=(SEARCH,)))
    assert json.loads(got.text) == {"count": 2}
    body = server.requests[0].body
    assert "output_config" not in body
    told = " ".join(block["text"] for block in body["system"])
    assert told.startswith("Be brief.")
    assert '"integer"' in told


@pytest.mark.parametrize(
    ("schema", "bindable"),
    [
        (COUNT, True),
        ({"type": "array", "items": COUNT}, True),
        ({"type": "object"}, False),
        ({}, False),
        ({"type": "array", "items": {"type": "object", "additionalProperties": True}}, False),
        ({"type": "object", "properties": {"next": {"$ref": "#"}}}, False),
        ({"type": "object", "properties": {str(n): {"type": "string"} for n in range(25)}}, False),
        ({"type": "object", "properties": {str(n): {"type": "string"} for n in range(24)}}, True),
        ({"type": "object", "required": list("abcdefghijklmnopq"), "properties": {c: {"type": ["string", "null"]} for c in "abcdefghijklmnopq"}}, False),
    ],
)  # fmt: skip
def test_which_schemas_can_bind_the_model(schema: dict[str, object], bindable: bool) -> None:
    assert is_bindable(schema) is bindable  # type: ignore[arg-type] # JSON


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("something_new", "other"),
    ],
)
async def test_finish_reasons(server: FakeAnthropic, provider: AnthropicProvider, reason: str, ours: str) -> None:
    server.script.append(text("Half a", stop_reason=reason))
    got = await provider.request(ask(MODEL))
    assert (got.text, got.finish_reason) == ("Half a", ours)


async def test_reasoning_is_left_out_and_an_empty_answer_is_an_answer(
    server: FakeAnthropic, provider: AnthropicProvider
) -> None:
    server.script.extend([message(thinking("hm"), {"type": "text", "text": "42"}), message(stop_reason="end_turn")])
    assert (await provider.request(ask(MODEL))).text == "42"
    assert (await provider.request(ask(MODEL))).text == ""


async def test_cached_tokens_are_counted_as_input(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(text("ok", input_tokens=5, cache_read_input_tokens=90, cache_creation_input_tokens=5))
    assert (await provider.request(ask(MODEL))).input_tokens == 100


async def test_cancelling_closes_the_connection(server: FakeAnthropic, provider: AnthropicProvider) -> None:
    server.script.append(hang())
    task = asyncio.create_task(provider.request(ask(MODEL, timeout_seconds=30.0)))
    await asyncio.to_thread(server.wait_until, lambda s: len(s.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(server.wait_until, lambda s: s.disconnects == 1)
    assert len(server.requests) == 1


async def test_a_stale_thinking_block_is_no_reason_to_ask_twice(
    server: FakeAnthropic, provider: AnthropicProvider
) -> None:
    said = "messages.1.content.0: The block is bound to a different conversation"
    server.script.extend([failure(400, "invalid_request_error", said), text("asked twice")])
    with pytest.raises(RequestRejected, match="bound to a different"):
        await provider.request(ask("claude-fable-5-2"))
    assert len(server.requests) == 1


async def test_the_environment_decides_nothing(
    server: FakeAnthropic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with FakeAnthropic() as other:
        for name in ("API_KEY", "AUTH_TOKEN", "PROFILE", "WEBHOOK_SIGNING_KEY"):
            monkeypatch.setenv(f"ANTHROPIC_{name}", "ambient")
        monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.base_url)
        lines = ["Host: ambient", "anthropic-beta: ambient", "anthropic-version: ambient", "X-More: ambient"]
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "\n".join([*lines, "User-Agent: ambient", "x-api-key: ambient"]))
        server.script.extend([text("with a key"), text("without one")])
        for key in (KEY, ""):
            provider = AnthropicProvider(SecretStr(key), server.base_url)
            await provider.request(ask(MODEL))
            await provider.aclose()
        assert not other.requests
    assert "ambient" not in repr(list(server.requests))
    assert server.requests[0].headers["x-api-key"] == KEY
    assert {"x-api-key", "authorization"}.isdisjoint(server.requests[1].headers)


async def test_anthropic_itself_needs_a_key_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "ambient-key")
    for base_url in ("", "https://api.anthropic.com/"):
        provider = AnthropicProvider(SecretStr("  "), base_url)
        with pytest.raises(AuthenticationFailed) as caught:
            await provider.request(ask(MODEL))
        await provider.aclose()
        assert "ANTHROPIC_API_KEY" in caught.value.fix


async def test_closing_twice_is_fine_and_nothing_is_sent_after(server: FakeAnthropic) -> None:
    provider = AnthropicProvider(SecretStr(KEY), server.base_url)
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(ProviderError):
        await provider.request(ask(MODEL))
    assert not server.requests
