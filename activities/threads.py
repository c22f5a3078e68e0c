"""Threads: an agent's conversation as immutable messages and small manifests (design, section 5).

A workflow carries a ThreadRef of constant size; history does not grow with the square of the turns, a document in the
context is stored once, and the exact prompt of every call can be read back from the version it named.
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from pydantic import TypeAdapter

from activities.contracts.base import INLINE_BYTES
from activities.contracts.messages import (
    AssistantMessage,
    Message,
    MessageRef,
    ThreadRef,
    ThreadVersion,
    ToolMessage,
    UserMessage,
    estimate_tokens,
)
from activities.object_store import ObjectStore, digest_of, encode_model

_message: TypeAdapter[Message] = TypeAdapter(Message)


@lru_cache(maxsize=1024)
def _parse(data: bytes) -> Message:
    """Messages are frozen, and every turn of a conversation reads all before it."""
    return _message.validate_json(data)


def message_tokens(message: Message) -> int:
    """The estimated length of a message in a prompt."""
    calls = message.tool_calls if isinstance(message, AssistantMessage) else ()
    return estimate_tokens(message.text) + sum(estimate_tokens(call.tool + call.arguments) for call in calls)


class Threads:
    """Threads in the object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def add_message(self, scope_id: str, message: Message) -> MessageRef:
        """Store one message."""
        return MessageRef(digest=await self._store.put_model(scope_id, message), tokens=message_tokens(message))

    async def load(self, scope_id: str, digests: Sequence[str]) -> list[Message]:
        """Messages by their digests, in order, as the model sees them: long tool results cut to their beginning."""
        messages = [_parse(data) for data in await self._store.get_many(scope_id, digests)]
        return [await self._cut(scope_id, m) if isinstance(m, ToolMessage) and m.result else m for m in messages]

    async def _cut(self, scope_id: str, message: ToolMessage) -> ToolMessage:
        text = preview(await self._store.get(scope_id, message.result or ""), message.result or "")
        return message.model_copy(update={"text": text})

    async def window(self, scope_id: str, thread: ThreadRef | None) -> tuple[str, ...]:
        """The digests of the messages that a version holds."""
        if thread is None:
            return ()
        return (await self._store.get_model(scope_id, thread.digest, ThreadVersion)).messages

    async def extend(self, scope_id: str, digests: Sequence[str], message: Message, *, tokens: int) -> ThreadRef:
        """A new version with one more message; ``tokens`` is the length of the whole window."""
        longer = [*digests, digest_of(encode_model(message))]
        _, thread = await asyncio.gather(
            self.add_message(scope_id, message), self.commit(scope_id, longer, tokens=tokens)
        )
        return thread

    async def commit(
        self, scope_id: str, messages: Sequence[str], *, tokens: int, replaces: str | None = None
    ) -> ThreadRef:
        """Write a new version."""
        version = ThreadVersion(messages=tuple(messages), replaces=replaces)
        digest = await self._store.put_model(scope_id, version)
        return ThreadRef(digest=digest, messages=len(messages), tokens=tokens)

    async def read(self, scope_id: str, thread: ThreadRef) -> list[Message]:
        """All messages of a version, for people and tests."""
        return await self.load(scope_id, await self.window(scope_id, thread))


def preview(data: bytes, digest: str) -> str:
    """The first 15 KiB of a long tool result, and where the rest is."""
    head = data[: INLINE_BYTES - 1024].decode("utf-8", "ignore")
    return f"{head}\n[cut here: {len(data):,} bytes in all, whole result {digest}; ask for less, or for a part]"


def split_for_summary(messages: Sequence[Message]) -> tuple[int, int]:
    """The part that a summary may replace, as ``[start, end)``.

    The first message (the goal) stays, and so does everything from the last answer on: its tool calls must keep their
    results, or a provider refuses the prompt.
    """
    end = len(messages)
    for index in range(len(messages) - 1, 0, -1):
        if isinstance(messages[index], AssistantMessage):
            end = index
            break
    return (1, end) if messages and not isinstance(messages[0], ToolMessage) else (0, end)


def summary_message(summary: str) -> UserMessage:
    """How a summary stands in the window."""
    return UserMessage(text=f"Summary of the conversation so far, in place of its messages:\n\n{summary}")
