"""The immutable input of a run: what the client uploaded, file by file."""

from typing import Annotated

from pydantic import Field

from activities.contracts.base import Digest, Line, WireModel

MAX_FILES = 5_000
"""Files of one snapshot. With names of 60 characters its manifest is about 600 kB."""
MAX_FILE_BYTES = 4 * 1024 * 1024
"""Bytes of one file."""
MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024
"""Bytes of one snapshot: what a worker can hold in memory while it builds the search index."""


class SnapshotFile(WireModel):
    """One readable text file."""

    path: Line
    """Relative to the input folder, ``/`` between parts, control characters written as escapes."""
    digest: Digest
    size_bytes: Annotated[int, Field(ge=0)]


class SkippedFile(WireModel):
    """One file that is not part of the snapshot."""

    path: Line
    reason: Line


class Snapshot(WireModel):
    """The manifest."""

    files: tuple[SnapshotFile, ...]
    skipped: tuple[SkippedFile, ...] = ()
    """What could not be read, the first hundred; ``skipped_count`` is all."""
    skipped_count: Annotated[int, Field(ge=0)] = 0


class SnapshotRef(WireModel):
    """A snapshot by the digest of its manifest."""

    digest: Digest
    files: Annotated[int, Field(ge=0)]
    size_bytes: Annotated[int, Field(ge=0)]
    skipped: Annotated[int, Field(ge=0)] = 0
