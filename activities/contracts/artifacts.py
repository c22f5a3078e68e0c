"""Files that a run makes, by reference: the content lies in the object store."""

from typing import Annotated

from pydantic import Field

from activities.contracts.base import Digest, Line, WireModel

MAX_CALL_ARTIFACTS = 100
"""Files of one tool call. With names of 60 characters their references are about 16 kB of history."""
MAX_ARTIFACT_BYTES = 16 * 1024 * 1024
"""Bytes of one file."""


class ArtifactRef(WireModel):
    """One file that a tool wrote."""

    name: Annotated[str, Field(min_length=1, max_length=400)]
    """Relative, ``/`` between parts."""
    digest: Digest
    size_bytes: Annotated[int, Field(ge=0)]
    media_type: Line = "text/plain"
