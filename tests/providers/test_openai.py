"""The OpenAI provider against a real server: conversation, structure, cancellation, environment."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from activities.contracts.base import MAX_TEXT
from activities.contracts.messages import MAX_TOOL_CALLS, AssistantMessage, Message, ToolMessage, UserMessage
from activities.contracts.profile import Effect, ToolSpec
from activities.errors import AuthenticationFailed, MalformedAnswer, RequestRejected
from activities.providers.base import ModelProvider, ProviderAnswer, ProviderCall
from activities.providers.openai import OpenAIProvider
from tests.providers.fake_openai import FakeOpenAI, answer, failure, huge, json_answer, text, tool_call
from tests.providers.fake_server import Reply, as_json, delay, hang

KEY = "test-key-0123456789-not-a-real-one"
SEARCH = ToolSpec(
    name="search",
    description="Finds passages.",
    parameters={"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
    effect=Effect.READ,
)


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as running:
        yield running


@pytest.fixture
async def provider(server: FakeOpenAI) -> AsyncIterator[OpenAIProvider]:
    made = OpenAIProvider(SecretStr(KEY), server.base_url)
    yield made
    await made.aclose()


def ask(*messages: Message, **options: object) -> ProviderCall:
    fields: dict[str, object] = {
        "model": "fake",
        "instructions": "Be brief.",
        "messages": messages or (UserMessage(text="Hello?"),),
        "timeout_seconds": 10.0,
        **options,
    }
    return ProviderCall(**fields)  # type: ignore[arg-type] # fields by name


async def test_one_question_and_its_answer(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(text("Hello.", input_tokens=21, output_tokens=3))

    got = await provider.request(ask(max_output_tokens=77, temperature=0.25))

    assert got == ProviderAnswer(text="Hello.", finish_reason="stop", input_tokens=21, output_tokens=3)
    (sent,) = server.requests
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    assert (sent.body["model"], sent.body["max_tokens"]) == ("fake", 77)
    assert math.isclose(sent.body["temperature"], 0.25)
    assert "tools" not in sent.body
    assert "response_format" not in sent.body


async def test_it_is_a_provider(provider: OpenAIProvider) -> None:
    as_protocol: ModelProvider = provider
    assert as_protocol.name == "openai"


async def test_a_tool_call_and_its_result_over_two_turns(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.extend([answer("Let me look.", (("search", '{"q": "tides"}', "call_a"),)), text("Twice a day.")])
    question = UserMessage(text="How often?")

    first = await provider.request(ask(question, tools=(SEARCH,)))
    assert first.finish_reason == "tool_calls"
    assert [(c.tool_call_id, c.tool, c.arguments) for c in first.tool_calls] == [("call_a", "search", '{"q": "tides"}')]

    said = AssistantMessage(text=first.text, tool_calls=first.tool_calls)
    result = ToolMessage(tool_call_id="call_a", tool="search", text="tides.md:3 twice a day", is_error=True)
    second = await provider.request(ask(question, said, result, tools=(SEARCH,)))

    assert second.text == "Twice a day."
    sent = server.requests[1].body
    assert sent["messages"][1:] == [
        {"role": "user", "content": "How often?"},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "search", "arguments": '{"q":"tides"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "tides.md:3 twice a day"},
    ]
    (tool,) = sent["tools"]
    assert tool["function"]["name"] == "search"
    assert tool["function"]["description"] == "Finds passages."
    assert tool["function"]["parameters"]["properties"] == {"q": {"type": "string"}}
    assert "additionalProperties" not in SEARCH.parameters, "the frozen spec is not what is written into"


async def test_arguments_that_are_no_json_are_kept_and_can_be_sent_back(
    server: FakeOpenAI, provider: OpenAIProvider
) -> None:
    server.script.extend([tool_call("search", '{"q": tides', "call_a"), text("Sorry.")])
    first = await provider.request(ask(tools=(SEARCH,)))
    assert first.tool_calls[0].arguments == '{"q": tides'

    said = AssistantMessage(tool_calls=first.tool_calls)
    result = ToolMessage(tool_call_id="call_a", tool="search", text="not JSON", is_error=True)
    await provider.request(ask(UserMessage(text="?"), said, result))

    # Servers that parse the conversation refuse what is not JSON, so it travels as a JSON string.
    sent = server.requests[1].body["messages"][2]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {"INVALID_JSON": '{"q": tides'}


async def test_structured_output_is_asked_for_by_schema(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer", "minimum": 1}}, "required": ["count"]}
    server.script.append(json_answer({"count": 2}))

    got = await provider.request(ask(output_schema=schema, tools=(SEARCH,)))

    assert json.loads(got.text) == {"count": 2}
    asked = server.requests[0].body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["properties"]["count"] == {"type": "integer", "minimum": 1}
    assert "additionalProperties" not in schema


async def test_a_server_without_schemas_is_said_with_a_fix(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(failure(400, "unknown value", None, param="response_format.type"))
    with pytest.raises(RequestRejected) as caught:
        await provider.request(ask(output_schema={"type": "object", "properties": {}}))
    assert "JSON Schema" in caught.value.fix


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("eos_token", "other"),
        ("", "other"),
    ],
)
async def test_finish_reasons(server: FakeOpenAI, provider: OpenAIProvider, reason: str, ours: str) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Half a"}, "finish_reason": reason or "error"}
    server.script.append(as_json({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}))
    got = await provider.request(ask())
    assert (got.finish_reason, got.text) == (ours, "Half a")
    assert (got.input_tokens, got.output_tokens) == (0, 0), "a server that counts nothing is no failure"


async def test_a_refusal_is_told_as_one(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(answer(None, refusal="I will not."))
    got = await provider.request(ask())
    assert (got.text, got.finish_reason) == ("I will not.", "content_filter")


async def test_reasoning_is_left_out(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(answer("42", reasoning_content="long thoughts"))
    assert (await provider.request(ask())).text == "42"


async def test_an_empty_answer_is_an_answer(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(answer(""))
    got = await provider.request(ask())
    assert (got.text, got.tool_calls) == ("", ())


async def test_calls_beyond_the_bound_are_dropped_and_ids_are_made_distinct(
    server: FakeOpenAI, provider: OpenAIProvider
) -> None:
    server.script.append(answer(None, tuple(("search", "{}", "call_0") for _ in range(MAX_TOOL_CALLS + 9))))
    got = await provider.request(ask(tools=(SEARCH,)))
    assert len({call.tool_call_id for call in got.tool_calls}) == MAX_TOOL_CALLS
    assert got.tool_calls[0].tool_call_id == "call_0"


async def test_names_and_ids_over_the_bound_still_fit_the_contract(
    server: FakeOpenAI, provider: OpenAIProvider
) -> None:
    server.script.append(answer(None, (("n" * 5000, "{}", "i" * 5000),)))
    (call,) = (await provider.request(ask())).tool_calls
    assert len(call.tool) == 200
    assert len(call.tool_call_id) <= 200


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(huge(MAX_TEXT + 1), id="text"),
        pytest.param(tool_call("search", " " * (MAX_TEXT + 1)), id="arguments"),
        pytest.param(answer("short", reasoning_content="x" * 9 * 1024 * 1024), id="body"),
    ],
)
async def test_what_no_contract_holds_is_malformed_and_never_cut(
    server: FakeOpenAI, provider: OpenAIProvider, reply: Reply
) -> None:
    server.script.append(reply)
    with pytest.raises(MalformedAnswer) as caught:
        await provider.request(ask())
    assert len(str(caught.value)) < 1000
    assert "262,14" in str(caught.value) or "8 MiB" in str(caught.value), "the sizes are named"


async def test_half_a_character_is_replaced_because_nothing_can_store_it(
    server: FakeOpenAI, provider: OpenAIProvider
) -> None:
    server.script.append(answer("a\ud800b \ud83d\ude00", (("se\udc00", '{"q": "\ud800"}', "c\ud800"),)))
    got = await provider.request(ask())
    assert got.text == "a\ufffdb \U0001f600"
    assert [(c.tool_call_id, c.tool, c.arguments) for c in got.tool_calls] == [
        ("c\ufffd", "se\ufffd", '{"q": "\ufffd"}')
    ]


async def test_the_longest_text_that_a_contract_holds_passes(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(huge(MAX_TEXT))
    assert len((await provider.request(ask())).text) == MAX_TEXT


async def test_cancelling_closes_the_connection(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.append(hang())
    task = asyncio.create_task(provider.request(ask(timeout_seconds=30.0)))
    await asyncio.to_thread(server.wait_until, lambda s: len(s.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(server.wait_until, lambda s: s.disconnects == 1)
    assert len(server.requests) == 1


async def test_requests_share_the_pool_and_run_side_by_side(server: FakeOpenAI, provider: OpenAIProvider) -> None:
    server.script.extend(delay(0.3, text(str(number))) for number in range(8))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(*(provider.request(ask()) for _ in range(8)))
    assert loop.time() - begun < 8 * 0.3 / 2


@pytest.mark.parametrize(("model", "field"), [("llama3.2", "max_tokens"), ("gpt-6-luna", "max_completion_tokens")])
async def test_the_answer_s_length_is_bounded_in_the_words_that_the_model_knows(
    server: FakeOpenAI, provider: OpenAIProvider, model: str, field: str
) -> None:
    server.script.append(text("ok"))
    await provider.request(ask(model=model, max_output_tokens=9, temperature=0.5))
    body = server.requests[0].body
    assert body[field] == 9
    assert ("temperature" in body) == (model == "llama3.2")


async def test_the_environment_decides_nothing(server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI(respond=lambda _: text("from the wrong server")) as other:
        monkeypatch.setenv("OPENAI_API_KEY", "ambient-key")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "ambient-key")
        monkeypatch.setenv("OPENAI_BASE_URL", other.base_url)
        monkeypatch.setenv("OPENAI_ORG_ID", "ambient-org")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "ambient-project")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Ambient: ambient-header\nAuthorization: Bearer ambient-key")
        server.script.extend([text("with a key"), text("without one")])
        for key in (KEY, ""):
            provider = OpenAIProvider(SecretStr(key), server.base_url)
            await provider.request(ask())
            await provider.aclose()
        assert not other.requests
    assert "ambient" not in repr(list(server.requests))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in server.requests[1].headers


async def test_openai_itself_needs_a_key_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI() as ambient:
        monkeypatch.setenv("OPENAI_API_KEY", "ambient-key")
        monkeypatch.setenv("OPENAI_BASE_URL", ambient.base_url)
        for base_url in ("", "https://api.openai.com/v1/"):
            provider = OpenAIProvider(SecretStr("  "), base_url)
            with pytest.raises(AuthenticationFailed) as caught:
                await provider.request(ask())
            await provider.aclose()
            assert caught.value.fix
        assert not ambient.requests


async def test_closing_twice_is_fine_and_nothing_is_sent_after(server: FakeOpenAI) -> None:
    provider = OpenAIProvider(SecretStr(KEY), server.base_url)
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(MalformedAnswer):
        await provider.request(ask())
    assert not server.requests
