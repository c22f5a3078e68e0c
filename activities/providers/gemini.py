"""Google's Gemini API (``generateContent``, ``batchEmbedContents``), and servers that speak it."""

import re
from collections.abc import Mapping
from types import MappingProxyType

import httpx2
from google.genai.client import Client, DebugConfig
from google.genai.types import HttpOptions
from pydantic import SecretStr
from pydantic_ai.embeddings.google import GoogleEmbeddingModel, GoogleEmbeddingSettings
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider as LibraryProvider

from activities.errors import MalformedAnswer
from activities.providers.base import ProviderCall
from activities.providers.embedding_family import EmbeddingFamily
from activities.providers.pydantic_ai_adapter import OutputMode, plain_word, to_library_messages
from activities.providers.vendors import VENDORS

_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")

_NO_ANSWER: Mapping[str | None, str] = MappingProxyType(
    {
        None: "no candidate",
        "MALFORMED_FUNCTION_CALL": "a tool call that cannot be read",
        "UNEXPECTED_TOOL_CALL": "a call of a tool that was not offered",
        "LANGUAGE": "nothing, for want of the language",
        "OTHER": "nothing, for no reason that it names",
    }
)
"""Endings after which an answer without content is no answer; the model may well do better when asked again."""


class GeminiProvider(EmbeddingFamily):
    """Google's Gemini API, by key. Vertex AI is another address with other credentials, and not this."""

    def __init__(self, api_key: SecretStr, base_url: str = "") -> None:
        """See ``ProviderFamily``."""
        super().__init__(VENDORS["gemini"], api_key, base_url, httpx2.AsyncClient)
        self._client = Client(
            vertexai=False,
            api_key=self._key or "none",  # without one the library looks for it in variables
            http_options=HttpOptions(base_url=self._base_url, httpx_async_client=self._http),
            # Left out, variables could have the library answer from recorded files.
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
        )
        self._library = LibraryProvider(client=self._client)

    async def aclose(self) -> None:
        """Close the pooled connections. Idempotent."""
        await super().aclose()
        self._client.close()

    async def _ask(self, call: ProviderCall) -> ModelResponse:
        response = await super()._ask(call)
        details = response.provider_details or {}
        reason = details.get("finish_reason")
        if not response.parts and reason in _NO_ANSWER and response.finish_reason != "content_filter":
            raise MalformedAnswer(f"gemini gave {_NO_ANSWER[reason]} for model {call.model!r}.")
        return response

    def _headers(self, key: str) -> Mapping[str, str]:
        return {"x-goog-api-key": key} if key else {}

    def _model(self, name: str) -> Model:
        return GoogleModel(name, provider=self._library)

    def _takes_temperature(self, model: Model) -> bool:
        del model
        return True

    def _output_mode(self, call: ProviderCall, model: Model) -> OutputMode:
        profile = model.profile
        if call.tools and not profile.get("google_supports_tool_combination", False):
            return "prompted"  # before Gemini 3: a schema or tools, not both
        return "native" if profile.get("supports_json_schema_output", False) else "prompted"

    def _messages(self, call: ProviderCall) -> list[ModelMessage]:
        return to_library_messages(call.messages, lambda word: plain_word(word, _UNFIT))

    def _embedding_model(self, name: str) -> GoogleEmbeddingModel:
        # The second generation is told in words what the vectors are for, the first by a field.
        told: GoogleEmbeddingSettings = (
            {"google_task": "sentence similarity"}
            if name == "gemini-embedding-2"
            else {"google_task_type": "SEMANTIC_SIMILARITY"}
        )
        return GoogleEmbeddingModel(name, provider=self._library, settings=told)
