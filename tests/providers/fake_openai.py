"""A real HTTP server that speaks OpenAI's chat completions, by script, with every fault that a provider shows.

In a test::

    with FakeOpenAI(text("Hello."), rate_limited(retry_after="7")) as server:
        provider = OpenAIProvider(SecretStr("key"), server.base_url)

As a process of its own, which prints its base URL as the first line and ends on SIGTERM or SIGINT::

    python -m tests.providers.fake_openai --port 0 --script FILE

``FILE`` is Python and defines ``respond(request)``, a function from the request's JSON to a reply, or ``script``, a
list of replies.
"""

import json
from typing import Any

from tests.providers.fake_server import (
    FakeServer,
    Json,
    Reply,
    Responder,
    as_json,
    cut,
    dripping,
    hang,
    serve,
    truncated,
)

__all__ = ["FakeOpenAI", "Reply", "answer", "hang", "json_answer", "text", "tool_call"]
"""What scripts of the server as a process need: ``from tests.providers.fake_openai import ...``."""


def answer(
    text: str | None = None,
    calls: tuple[tuple[str, str, str], ...] = (),
    *,
    finish_reason: str | None = None,
    input_tokens: int = 10,
    output_tokens: int = 5,
    **message: Any,
) -> Reply:
    """An answer with text, tool calls (name, arguments, id), or both; ``message`` adds fields to the message."""
    message = {"role": "assistant", "content": text, **message}
    if calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for name, arguments, call_id in calls
        ]
    reason = finish_reason or ("tool_calls" if calls else "stop")
    return completion([{"index": 0, "message": message, "finish_reason": reason}], input_tokens, output_tokens)


def text(words: str, **options: Any) -> Reply:
    return answer(words, **options)


def tool_call(name: str, arguments: str, call_id: str = "call_1", **options: Any) -> Reply:
    return answer(None, ((name, arguments, call_id),), **options)


def json_answer(value: Any, **options: Any) -> Reply:
    return answer(json.dumps(value), **options)


def completion(choices: list[Json], input_tokens: int = 10, output_tokens: int = 5) -> Reply:
    total = input_tokens + output_tokens
    return as_json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "fake",
            "choices": choices,
            "usage": {"prompt_tokens": input_tokens, "completion_tokens": output_tokens, "total_tokens": total},
        }
    )


def embeddings(*vectors: Any, input_tokens: int = 10) -> Reply:
    """One vector a text, as numbers: servers may ignore the format that is asked for."""
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    used = {"prompt_tokens": input_tokens, "total_tokens": input_tokens}
    return as_json({"object": "list", "data": data, "model": "fake", "usage": used})


def failure(status: int, message: str = "it did not work", code: str | None = None, **headers: str) -> Reply:
    """OpenAI's error body. Headers as keywords, with ``_`` for ``-``."""
    error = {"message": message, "type": "error", "param": headers.pop("param", None), "code": code}
    return as_json({"error": error}, status, **headers)


def rate_limited(**headers: str) -> Reply:
    return failure(429, "Rate limit reached for requests", "rate_limit_exceeded", **headers)


def quota_exhausted() -> Reply:
    return failure(429, "You exceeded your current quota", "insufficient_quota")


def model_not_found() -> Reply:
    return failure(404, "The model does not exist", "model_not_found")


def context_exceeded() -> Reply:
    return failure(400, "This model's maximum context length is 8192 tokens", "context_length_exceeded")


def echo_the_key(status: int = 401) -> Responder:
    """Refuses the key and repeats it, as some providers do."""
    return lambda request: failure(
        status,
        f"Incorrect API key provided: {request['_headers'].get('authorization', '').removeprefix('Bearer ')}",
        "invalid_api_key",
    )


def truncated_json() -> Reply:
    return truncated(text("half of this never comes"))


def no_choices() -> Reply:
    return completion([])


def cut_within() -> Reply:
    return cut(text("half of this never comes"))


def trickle(reply: Reply | None = None) -> Reply:
    return dripping(reply or text("slow " * 100))


def huge(size_bytes: int) -> Reply:
    return text("x" * size_bytes)


class FakeOpenAI(FakeServer):
    """See ``FakeServer``."""

    root = "/v1"

    def serves(self, path: str) -> bool:
        return path.endswith(("/chat/completions", "/embeddings"))

    def refusal(self, status: int, message: str) -> Reply:
        return failure(status, message)


if __name__ == "__main__":
    # The script imports this module by its name; run that copy, so that both mean the same Reply.
    from tests.providers.fake_openai import FakeOpenAI as CanonicalFakeOpenAI

    serve(CanonicalFakeOpenAI)
