"""A codec for tests whose context matters: what one workflow's payloads were coded for, no other's can be read with."""

from collections.abc import Sequence
from typing import Any, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext


class Backwards(PayloadCodec, WithSerializationContext):
    """Turns the bytes round, and notes the run."""

    def __init__(self, run: str = "") -> None:
        self.run = run

    def with_context(self, context: SerializationContext) -> Self:
        of_any_kind: Any = context
        return type(self)(str(of_any_kind.workflow_id).partition("/")[0])

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata={"run": self.run.encode()}, data=p.SerializeToString()[::-1]) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert all(p.metadata["run"] == self.run.encode() for p in payloads)
        return [Payload.FromString(p.data[::-1]) for p in payloads]
