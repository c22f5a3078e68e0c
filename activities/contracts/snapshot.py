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
    """One file, stored as UTF-8 text. What was no such text (PDF, HTML, other encodings) was converted by the client."""

    path: Line
    """Relative to the input folder, ``/`` between parts, control characters written as escapes."""
    digest: Digest
    size_bytes: Annotated[int, Field(ge=0)]
    """Of the stored text."""
    pages: Annotated[int, Field(ge=0)] = 0
    """Pages of a PDF: its text has a form feed between two of them, and is cited as ``path:pPAGE``. 0: by line."""


class SkippedFile(WireModel):
    """One file that is not part of the snapshot."""

    path: Line
    reason: Line


class FileNote(WireModel):
    """What somebody who relies on a file should know of how it was read."""

    path: Line
    note: Line


class Snapshot(WireModel):
    """The manifest."""

    files: tuple[SnapshotFile, ...]
    skipped: tuple[SkippedFile, ...] = ()
    """What could not be read, the first hundred; ``skipped_count`` is all."""
    skipped_count: Annotated[int, Field(ge=0)] = 0
    notes: tuple[FileNote, ...] = ()
    """Conversions that guessed or lost something, the first hundred; ``notes_count`` is all."""
    notes_count: Annotated[int, Field(ge=0)] = 0


class SnapshotRef(WireModel):
    """A snapshot by the digest of its manifest."""

    digest: Digest
    files: Annotated[int, Field(ge=0)]
    size_bytes: Annotated[int, Field(ge=0)]
    skipped: Annotated[int, Field(ge=0)] = 0
