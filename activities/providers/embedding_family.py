"""What the provider families that have embeddings have in common: one request for all texts, through pydantic-ai."""

import asyncio
from abc import abstractmethod

from pydantic_ai.embeddings.base import EmbeddingModel

from activities.errors import ProviderTimeout
from activities.providers.base import EmbedAnswer, EmbedCall
from activities.providers.family import ProviderFamily
from activities.providers.translation import translate


class EmbeddingFamily(ProviderFamily):
    """A family whose protocol embeds texts too, over the same connections."""

    async def embed(self, call: EmbedCall) -> EmbedAnswer:
        """Make exactly one HTTP request. Cancelling the task closes its connection.

        Raises:
            ProviderError: the leaf that fits, see ``translation``; bounded, and without the key.
        """
        self._check_key()
        try:
            async with asyncio.timeout(call.timeout_seconds):
                result = await self._embedding_model(call.model).embed(call.texts, input_type="document")
            vectors = [[float(number) for number in vector] for vector in result.embeddings]
            return EmbedAnswer(vectors, max(result.usage.input_tokens, 0))
        except TimeoutError:
            raise ProviderTimeout(
                f"{self.name} gave no vectors within {call.timeout_seconds:g} s for model {call.model[:200]!r}"
            ) from None
        except Exception as error:  # the library lets raw errors out as well
            raise translate(error, provider=self.name, model=call.model, secrets=(self._key,)) from None

    @abstractmethod
    def _embedding_model(self, name: str) -> EmbeddingModel:
        """The library's embedding model of this name."""
