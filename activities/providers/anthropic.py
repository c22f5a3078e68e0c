"""Anthropic's Messages API, and servers that speak it.

Never streamed, ``max_tokens`` always set. Reasoning is left to each model's default: it counts against the answer's
length, is paid, and is not kept in the conversation.
"""

import re
from collections.abc import Mapping

from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
from pydantic import JsonValue, SecretStr
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.profiles.anthropic import AnthropicModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider as LibraryProvider

from activities.providers.base import ProviderCall
from activities.providers.family import ProviderFamily
from activities.providers.pydantic_ai_adapter import OutputMode, plain_word, to_library_messages
from activities.providers.vendors import VENDORS

PROTOCOL = "2023-06-01"
"""The version of the Messages API; there has been no other since."""

MAX_OPTIONAL = 24
"""Optional properties that one request may declare in schemas which bind the model (documented)."""
MAX_UNIONS = 16
"""Properties of more than one type, in the same way."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class AnthropicProvider(ProviderFamily):
    """Anthropic's Messages API."""

    def __init__(self, api_key: SecretStr, base_url: str = "") -> None:
        """See ``ProviderFamily``."""
        super().__init__(VENDORS["anthropic"], api_key, base_url, DefaultAsyncHttpxClient)
        client = AsyncAnthropic(
            api_key=self._key or "none",  # without one the library looks for credentials in files and variables
            webhook_key="",
            base_url=self._base_url,
            max_retries=0,
            http_client=self._http,
            open_telemetry=False,  # a variable could have it write prompts into spans
        )
        self._library = LibraryProvider(anthropic_client=client)

    def _headers(self, key: str) -> Mapping[str, str]:
        version = {"anthropic-version": PROTOCOL}
        return {**version, "x-api-key": key} if key else version

    def _model(self, name: str) -> Model:
        # A model that binds its reasoning to the conversation is asked a second time where a block is stale; we send none.
        profile = AnthropicModelProfile(anthropic_binds_thinking_blocks=False)
        return AnthropicModel(name, provider=self._library, profile=profile)

    def _takes_temperature(self, model: Model) -> bool:
        return not model.profile.get("anthropic_disallows_sampling_settings", False)

    def _output_mode(self, call: ProviderCall, model: Model) -> OutputMode:
        if not model.profile.get("supports_json_schema_output", False) or not is_bindable(call.output_schema):
            return "prompted"
        return "native"

    def _messages(self, call: ProviderCall) -> list[ModelMessage]:
        # A conversation that another provider began may hold ids and names that this one refuses.
        return to_library_messages(call.messages, lambda word: plain_word(word, _UNFIT))


def is_bindable(schema: JsonValue) -> bool:
    """Whether Anthropic can bind a model to the schema without changing what it means.

    It closes every object (so one with free keys would always come back empty), follows no recursion, and bounds
    optional and union properties. A schema that does not fit is told in the instructions, and checked here like any.
    """
    counts = {"optional": 0, "unions": 0}
    closed = _is_closed(schema, counts, depth=0)
    return closed and counts["optional"] <= MAX_OPTIONAL and counts["unions"] <= MAX_UNIONS


def _is_closed(schema: JsonValue, counts: dict[str, int], depth: int) -> bool:
    if isinstance(schema, list):
        return all(_is_closed(item, counts, depth + 1) for item in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if depth > 50 or not schema or "$ref" in schema:
        return False
    if schema.get("type") == "object" and (not properties or schema.get("additionalProperties", False) is not False):
        return False
    if isinstance(properties, dict):
        required = schema.get("required")
        counts["optional"] += len(set(properties) - set(map(str, required if isinstance(required, list) else ())))
        counts["unions"] += sum(
            isinstance(p, dict) and ("anyOf" in p or isinstance(p.get("type"), list)) for p in properties.values()
        )
        if not all(_is_closed(value, counts, depth + 1) for value in properties.values()):
            return False
    inner = (schema.get(word) for word in ("items", "prefixItems", "anyOf", "allOf", "oneOf") if word in schema)
    return all(_is_closed(value, counts, depth + 1) for value in inner)
