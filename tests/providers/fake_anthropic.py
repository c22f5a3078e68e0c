"""A real HTTP server that speaks Anthropic's Messages API, by script. See ``fake_server``.

The form of requests and answers is that of the public documentation: content blocks in both directions, ``stop_reason``,
``usage`` with cache counts, and errors as ``{"type": "error", "error": {"type", "message"}}``.
"""

import json
from typing import Any

from tests.providers.fake_server import FakeServer, Json, Reply, Responder, as_json


def message(
    *content: Json, stop_reason: str | None = "end_turn", input_tokens: int = 10, output_tokens: int = 5, **usage: int
) -> Reply:
    """An answer of content blocks; ``usage`` adds counts, such as ``cache_read_input_tokens``."""
    return as_json(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "fake",
            "content": list(content),
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                **usage,
            },
        }
    )


def text(words: str, **options: Any) -> Reply:
    return message({"type": "text", "text": words}, **options)


def json_answer(value: Any) -> Reply:
    return text(json.dumps(value))


def tool_use(name: str, arguments: Any, call_id: str = "toolu_1") -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def thinking(words: str) -> Json:
    return {"type": "thinking", "thinking": words, "signature": "c2lnbmVk"}


def failure(status: int, kind: str = "api_error", said: str = "it did not work", **headers: str) -> Reply:
    """Anthropic's error body. Headers as keywords, with ``_`` for ``-``."""
    return as_json(
        {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_1"}, status, **headers
    )


def rate_limited(**headers: str) -> Reply:
    return failure(429, "rate_limit_error", "This request would exceed your organization's rate limit", **headers)


def overloaded(**headers: str) -> Reply:
    return failure(529, "overloaded_error", "Overloaded", **headers)


def echo_the_key(status: int = 401, kind: str = "authentication_error") -> Responder:
    """Refuses the key and repeats it, as some gateways do."""
    return lambda request: failure(status, kind, f"invalid x-api-key: {request['_headers'].get('x-api-key', '')}")


class FakeAnthropic(FakeServer):
    """See ``FakeServer``."""

    def serves(self, path: str) -> bool:
        return path.partition("?")[0] == "/v1/messages"

    def refusal(self, status: int, message: str) -> Reply:
        return failure(status, "invalid_request_error", message)
