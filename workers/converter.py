"""The payload converter: pydantic models as JSON, and a bound on every value in both directions.

The failure this prevents: the server refuses a payload over its limit, the SDK tries again, and a run hangs for ever
without an error anybody sees. Values over 16 KiB leave history for the object store; what is over the bound here ends
as ``payload_too_large``, a failure of our own, wherever it was sent from.
"""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import SerializationContext
from temporalio.exceptions import ApplicationError

from activities.contracts.failures import FailureKind
from activities.errors import PayloadTooLarge, to_application_error

MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
"""One value. A snapshot of 5,000 files with long names has a manifest of 2 MB; nothing of ours comes near."""


_shared = PydanticPayloadConverter()


class BoundedPayloadConverter(PydanticPayloadConverter):
    """The pydantic converter of the SDK with bounds and with readable refusals.

    The SDK makes one for every serialization context, several times a step. The converters inside know no context, so
    all instances share them and their cached type adapters.
    """

    def __init__(self) -> None:
        self.converters = _shared.converters

    def with_context(self, context: SerializationContext) -> Self:
        """The same converter."""
        del context
        return self

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Encode values.

        Raises:
            ApplicationError: ``payload_too_large``, not retryable: the same value would be as large again.
        """
        payloads = super().to_payloads(values)
        for value, payload in zip(values, payloads, strict=True):
            if len(payload.data) > MAX_PAYLOAD_BYTES:
                raise to_application_error(
                    PayloadTooLarge(
                        f"a {type(value).__name__} of {len(payload.data):,} bytes is over the bound of {MAX_PAYLOAD_BYTES:,}",
                        fix="put it into the object store and pass its digest",
                    )
                )
        return payloads

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decode payloads.

        Raises:
            ApplicationError: ``configuration_invalid``, not retryable: a client sent what the contract does not allow.
        """
        try:
            return super().from_payloads(payloads, type_hints)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the value"
            raise ApplicationError(
                f"a payload does not fit {error.title}: {where}: {first['msg']}",
                type=FailureKind.CONFIGURATION_INVALID.value,
                non_retryable=True,
            ) from error
