"""OpenAI, and every server that speaks its chat completions and embeddings: Ollama, vLLM, gateways."""

from collections.abc import Mapping

from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import SecretStr
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider as LibraryProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider as LibraryCompatibleProvider

from activities.providers.embedding_family import EmbeddingFamily
from activities.providers.vendors import VENDORS


class OpenAIProvider(EmbeddingFamily):
    """OpenAI's chat completions and embeddings. Without a key for servers that need none."""

    def __init__(self, api_key: SecretStr, base_url: str = "") -> None:
        """See ``ProviderFamily``."""
        super().__init__(VENDORS["openai"], api_key, base_url, DefaultAsyncHttpxClient)
        client = AsyncOpenAI(
            api_key=self._key or "none",  # the library insists on one; the pool sends none
            admin_api_key="",
            webhook_secret="",
            base_url=self._base_url,
            max_retries=0,
            http_client=self._http,
        )
        self._library: LibraryProvider | LibraryCompatibleProvider = (
            LibraryProvider(openai_client=client)
            if self._is_vendor
            else LibraryCompatibleProvider("openai", openai_client=client)
        )

    def _headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _model(self, name: str) -> Model:
        profile = OpenAIModelProfile(supports_json_schema_output=True)
        known = self._library.model_profile(name) or {}
        if not self._is_vendor and not known.get("openai_supports_reasoning"):
            # The older name of the limit is the one that every compatible server knows; an unknown field would be
            # ignored and the answer unbounded. OpenAI's own reasoning models refuse it, wherever they are served.
            profile["openai_chat_supports_max_completion_tokens"] = False
        return OpenAIChatModel(name, provider=self._library, profile=profile)

    def _takes_temperature(self, model: Model) -> bool:
        return not model.profile.get("thinking_enabled_by_default", False)

    def _embedding_model(self, name: str) -> OpenAIEmbeddingModel:
        return OpenAIEmbeddingModel(name, provider=self._library)
