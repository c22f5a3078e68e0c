"""What a conversation is made of. Ours, not a provider's: message parts of libraries change, histories stay."""

from typing import Annotated, Literal

from pydantic import Field

from activities.contracts.base import Digest, Text, Tokens, WireModel

MAX_TOOL_CALLS = 32
"""Tool calls of one answer that are read; more than that is a model gone wild, and the rest is dropped."""


class ToolCall(WireModel):
    """One call that a model asks for."""

    tool_call_id: Annotated[str, Field(max_length=200)]
    """The provider's id; the answer to this call carries it back."""
    tool: Annotated[str, Field(max_length=200)]
    """The tool's name as the model wrote it: it may name no tool at all."""
    arguments: Text
    """The arguments as the model wrote them: a JSON object if all is well."""


class UserMessage(WireModel):
    """The goal, a correction, or a summary of what went before."""

    role: Literal["user"] = "user"
    text: Text


class AssistantMessage(WireModel):
    """An answer of the model: text, tool calls, or both."""

    role: Literal["assistant"] = "assistant"
    text: Text = ""
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(WireModel):
    """The answer to one tool call.

    A long one is stored once, as a blob of its own: ``result`` names it, and the model sees its beginning.
    """

    role: Literal["tool"] = "tool"
    tool_call_id: Annotated[str, Field(max_length=200)]
    tool: Annotated[str, Field(max_length=200)]
    text: Text = ""
    is_error: bool = False
    result: Digest | None = None


Message = Annotated[UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class MessageRef(WireModel):
    """A message in the object store, named by its content."""

    digest: Digest
    tokens: Tokens = 0
    """Estimated length in the prompt."""


class ThreadRef(WireModel):
    """One version of a conversation, of constant size however long the conversation is."""

    digest: Digest
    messages: Annotated[int, Field(ge=0)]
    """Messages in the window."""
    tokens: Tokens
    """Length of the window in the prompt: what the provider counted last, or an estimate."""


class ThreadVersion(WireModel):
    """The manifest behind a ThreadRef: the window, message by message."""

    messages: tuple[Digest, ...]
    replaces: Digest | None = None
    """The version whose messages this one summarises."""


def estimate_tokens(text: str) -> int:
    """A rough length in tokens: four bytes each, the usual ratio for English; exact counts come from the provider."""
    return len(text.encode("utf-8", "replace")) // 4 + 4
