"""What a provider is: one request in, one answer or one typed error out. No retries: Temporal owns them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from activities.contracts.base import Schema
from activities.contracts.calls import FinishReason
from activities.contracts.messages import Message, ToolCall
from activities.contracts.profile import ToolSpec


@dataclass(frozen=True)
class ProviderCall:
    """One request to one model."""

    model: str
    instructions: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    output_schema: Schema | None = None
    """JSON Schema of the answer. The provider asks for it in its own way; checking it is the caller's."""
    max_output_tokens: int = 2048
    temperature: float | None = None
    timeout_seconds: float = 120.0
    """Bound of the HTTP request, less than the activity's start-to-close timeout."""


@dataclass(frozen=True)
class ProviderAnswer:
    """One answer."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    input_tokens: int = 0
    output_tokens: int = 0


class ModelProvider(Protocol):
    """A provider family. Implementations hold keys and connections; nothing of them enters a payload."""

    @property
    def name(self) -> str:
        """The word before the colon in ``provider:model``, and part of the task queue's name."""

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """Make exactly one request.

        Cancelling the task closes the connection.

        Raises:
            ProviderError: the leaf of ``activities.errors`` that fits, with ``retry_after`` where the provider gave it.
        """

    async def aclose(self) -> None:
        """Close connections. Idempotent."""


@dataclass(frozen=True)
class EmbedCall:
    """One request to one embedding model."""

    model: str
    texts: Sequence[str]
    """None of them blank, each of at most 8,000 bytes: as many tokens at most, and the usual models take 8,192."""
    timeout_seconds: float = 60.0
    """Bound of the HTTP request, less than the activity's start-to-close timeout."""


@dataclass(frozen=True)
class EmbedAnswer:
    """One vector a text, in their order, as the provider gave them: whoever asked looks whether they are any."""

    vectors: Sequence[Sequence[float]]
    input_tokens: int = 0
    """0 where the provider does not count."""


@runtime_checkable
class EmbeddingProvider(Protocol):
    """A provider that has embeddings too; not each has."""

    @property
    def name(self) -> str:
        """See ``ModelProvider``."""

    async def embed(self, call: EmbedCall) -> EmbedAnswer:
        """Make exactly one request. Cancelling the task closes the connection.

        Raises:
            ProviderError: the leaf of ``activities.errors`` that fits.
        """
