"""What every wire model is: frozen, bounded, and evolving by addition only.

The evolution law: a field may be added with a default; none is removed, renamed or retyped, because histories and
records outlive every deployment. ``tests/contracts/schema_lock.json`` holds the committed shapes and a test compares.
"""

from functools import cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

INLINE_BYTES = 16 * 1024
"""Text up to this many bytes stays inline, so the Temporal UI shows it; beyond, it goes by reference with a preview."""

MAX_TEXT = 256 * 1024
"""The longest text that any wire field holds, in characters: 1/8 of the server's 2 MiB limit for one payload."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
"""A name that people choose: agents, tools, teams. Letters, digits, ``_`` and ``-``, at most 64."""

RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A workflow id that people choose, and the ``scope_id`` of a lineage. It is a folder name in the object store."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
"""The first 160 bits of a SHA-256, in hexadecimal: ``sha256sum FILE | cut -c1-40``."""

Line = Annotated[str, StringConstraints(max_length=1000)]
"""One bounded sentence or label."""

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
"""Bounded prose."""

Schema = dict[str, JsonValue]
"""A JSON Schema document (2020-12)."""

DISCRIMINATORS = frozenset({"role", "kind"})
"""Fields that tell the members of a union apart, and so are always written."""

Tokens = Annotated[int, Field(ge=0)]
CostUsd = Annotated[float, Field(ge=0)]


class WireModel(BaseModel):
    """A frozen value that enters history. Unknown fields are ignored, so an older worker reads a newer payload.

    Fields at their default are left out on the wire (every step pays for its bytes in history), except discriminators.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    @model_serializer(mode="wrap")
    def _leave_out_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        defaults = _defaults(type(self))
        return {
            name: value
            for name, value in handler(self).items()
            if name not in defaults or getattr(self, name) != defaults[name]
        }


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    fields = model.model_fields.items()
    return {
        name: field.get_default() for name, field in fields if name not in DISCRIMINATORS and not field.is_required()
    }
