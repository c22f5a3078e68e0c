"""A real HTTP server that speaks the Gemini API's ``generateContent``, by script. See ``fake_server``.

The form of requests and answers is that of the public documentation: ``contents`` of ``parts``, ``candidates`` with
``finishReason``, ``promptFeedback``, ``usageMetadata``, and errors as ``{"error": {"code", "message", "status"}}``.
"""

import json
from typing import Any

from tests.providers.fake_server import FakeServer, Json, Reply, Responder, as_json


def candidate(
    *parts: Json, finish_reason: str | None = "STOP", input_tokens: int = 10, output_tokens: int = 5, thoughts: int = 0
) -> Reply:
    """An answer of parts; without parts the candidate has no content, as after a block."""
    found: Json = {"index": 0}
    if parts:
        found["content"] = {"role": "model", "parts": list(parts)}
    if finish_reason:
        found["finishReason"] = finish_reason
    return generated(candidates=[found], usageMetadata=usage(input_tokens, output_tokens, thoughts))


def generated(**fields: Any) -> Reply:
    """The whole answer, field by field."""
    return as_json({"modelVersion": "fake", "responseId": "r1", **fields})


def usage(input_tokens: int, output_tokens: int, thoughts: int) -> Json:
    counted = {"promptTokenCount": input_tokens, "candidatesTokenCount": output_tokens}
    total = input_tokens + output_tokens + thoughts
    return {**counted, "totalTokenCount": total, **({"thoughtsTokenCount": thoughts} if thoughts else {})}


def text(words: str, **options: Any) -> Reply:
    return candidate({"text": words}, **options)


def json_answer(value: Any) -> Reply:
    return text(json.dumps(value))


def function_call(name: str, arguments: Any, **more: Any) -> Json:
    return {"functionCall": {"name": name, "args": arguments, **more}}


def embeddings(*vectors: Any) -> Reply:
    """One vector a text."""
    return as_json({"embeddings": [{"values": vector} for vector in vectors]})


def blocked(reason: str = "PROHIBITED_CONTENT") -> Reply:
    """The prompt was refused, so there is no candidate."""
    return generated(promptFeedback={"blockReason": reason}, usageMetadata=usage(10, 0, 0))


def failure(
    status: int, state: str = "INTERNAL", said: str = "it did not work", details: tuple[Json, ...] = (), **headers: str
) -> Reply:
    """Google's error body. Headers as keywords, with ``_`` for ``-``."""
    error = {"code": status, "message": said, "status": state, **({"details": list(details)} if details else {})}
    return as_json({"error": error}, status, **headers)


def rate_limited(*details: Json, **headers: str) -> Reply:
    return failure(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted", details, **headers)


def retry_info(wait: str) -> Json:
    """How Google says when to come back, such as ``7s``."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait}


def daily_quota() -> Json:
    """The detail that tells an empty account from a busy minute."""
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
        "quotaValue": "250",
    }
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def invalid_key() -> Json:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }


def echo_the_key(status: int = 403, state: str = "PERMISSION_DENIED", *details: Json) -> Responder:
    """Refuses the key and repeats it."""
    return lambda request: failure(
        status, state, f"API key not valid: {request['_headers'].get('x-goog-api-key', '')}", details
    )


class FakeGemini(FakeServer):
    """See ``FakeServer``."""

    def serves(self, path: str) -> bool:
        return path.startswith("/v1beta/models/") and path.endswith((":generateContent", ":batchEmbedContents"))

    def refusal(self, status: int, message: str) -> Reply:
        return failure(status, "INVALID_ARGUMENT", message)
