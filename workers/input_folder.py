"""Reads an input folder for upload: what has text is taken, what has none is named with its reason, nothing is followed.

Files of other people hold surprises: pipes that never end, links out of the folder, names with terminal escapes. Each
file is opened without following links and without blocking, and only if it is a regular one.
"""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

from activities.contracts.snapshot import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_SNAPSHOT_BYTES,
    FileNote,
    SkippedFile,
    Snapshot,
    SnapshotFile,
)
from activities.errors import ConfigurationInvalid
from activities.object_store import digest_of
from workers.input_pdf import PARALLEL, is_pdf
from workers.input_text import Converted, convert

MAX_ENTRIES = 200_000
"""Directory entries looked at: a folder with more is the wrong folder (a home, a disk)."""
MAX_PATH = 400
"""Characters of a path, as shown."""
MAX_PDF_SECONDS = 600
"""For all PDFs of a folder together; what is left then is skipped by name."""
NAMED = 100
"""Skipped files and notes that a manifest holds; the rest is a number."""
_IGNORED = {"__pycache__", "node_modules"}


def read_folder(folder: Path, include: Sequence[str] = ()) -> tuple[dict[str, bytes], Snapshot]:
    """Read a folder, or a single file. Hidden entries, ``__pycache__`` and ``node_modules`` are passed over silently.

    Args:
        folder: what to read; it may itself be a link.
        include: glob patterns on the relative path or the name; empty means all.

    Returns:
        Path to text as UTF-8, and the manifest: those files, what was skipped, and notes on what was converted.

    Raises:
        ConfigurationInvalid: missing, nothing readable in it, or over the bounds of a snapshot.
    """
    found = _Found(folder)
    documents: list[tuple[Path, str]] = []
    for path, shown in _entries(folder, include):
        content = _read(path)
        if isinstance(content, bytes) and is_pdf(path.name, content):
            documents.append((path, shown))  # several at a time, below
        else:
            found.add(shown, content if isinstance(content, str) else convert(path.name, content))
    for shown, converted in _convert_slowly(documents):
        found.add(shown, converted)
    return found.result(include)


class _Found:
    """What has been read so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Converted] = {}
        self._skipped: list[SkippedFile] = []
        self._total = 0

    def add(self, shown: str, content: Converted | str) -> None:
        """Take a file, or the reason why it is none; refuse the folder where it is too large."""
        if shown in self._files:
            content = "another file has the same name when escapes are written out"
        if isinstance(content, str):
            self._skipped.append(SkippedFile(path=shown[:MAX_PATH], reason=content))
            return
        self._files[shown] = content
        self._total += len(content.data)
        if len(self._files) > MAX_FILES or self._total > MAX_SNAPSHOT_BYTES:
            raise ConfigurationInvalid(
                f"the input folder {self._folder} is too large: over {MAX_FILES:,} files or {MAX_SNAPSHOT_BYTES >> 20} MiB of text",
                fix="choose a smaller folder, or pick files with --include '*.md'",
            )

    def result(self, include: Sequence[str]) -> tuple[dict[str, bytes], Snapshot]:
        """Files and manifest, in the order of the paths."""
        skipped = sorted(self._skipped, key=lambda file: file.path)
        if not self._files:
            found = (
                f"{len(skipped)} files were skipped, the first: {skipped[0].path}: {skipped[0].reason}"
                if skipped
                else ("no file fits --include" if include else "it is empty")
            )
            raise ConfigurationInvalid(
                f"nothing in {self._folder} can be read: {found}", fix="choose a folder with text files"
            )
        files = dict(sorted(self._files.items()))
        notes = [FileNote(path=path, note=file.note) for path, file in files.items() if file.note]
        described = (
            SnapshotFile(path=path, digest=digest_of(file.data), size_bytes=len(file.data), pages=file.pages)
            for path, file in files.items()
        )
        return {path: file.data for path, file in files.items()}, Snapshot(
            files=tuple(described),
            skipped=tuple(skipped[:NAMED]),
            skipped_count=len(skipped),
            notes=tuple(notes[:NAMED]),
            notes_count=len(notes),
        )


def _convert_slowly(documents: list[tuple[Path, str]]) -> Iterator[tuple[str, Converted | str]]:
    """Convert PDFs, some at a time, in their order."""
    deadline = time.monotonic() + MAX_PDF_SECONDS

    def read_one(path: Path) -> Converted | str:
        if time.monotonic() > deadline:
            return f"not read: the PDFs of this folder take over {MAX_PDF_SECONDS // 60} minutes"
        content = _read(path)
        return content if isinstance(content, str) else convert(path.name, content)

    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="pdf") as threads:
        rest = iter(documents)
        # A few at a time: an error in between, or Ctrl-C, does not wait for thousands.
        while batch := list(islice(rest, 2 * PARALLEL)):
            results = threads.map(read_one, [path for path, _ in batch])
            yield from zip((shown for _, shown in batch), results, strict=True)


def shown_path(path: str) -> str | None:
    """A path as people and models see it: control characters written as escapes; ``None`` where it is not UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def _entries(folder: Path, include: Sequence[str]) -> Iterator[tuple[Path, str]]:
    try:
        mode = folder.stat().st_mode
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(
            f"the input folder {str(folder)!r} cannot be read: {getattr(error, 'strerror', None) or error}",
            fix="give an existing folder",
        ) from error
    if not stat.S_ISDIR(mode):
        yield folder.resolve(), shown_path(folder.name) or "input"
        return
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _IGNORED)
        seen += len(names) + len(folders)
        if seen > MAX_ENTRIES:
            raise ConfigurationInvalid(
                f"the input folder {folder} has over {MAX_ENTRIES:,} entries", fix="choose a smaller folder"
            )
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(parent) / name
            shown = shown_path(path.relative_to(folder).as_posix())
            if name.startswith(".") or (include and not _matches(shown or "", include)):
                continue
            yield path, shown or ascii(name)


def _matches(shown: str, include: Sequence[str]) -> bool:
    return any(fnmatch(shown, pattern) or fnmatch(shown.rsplit("/", 1)[-1], pattern) for pattern in include)


def _read(path: Path) -> bytes | str:
    """The content, or the reason why not."""
    shown = shown_path(path.name)
    if shown is None:
        return "its name is not UTF-8"
    if len(path.as_posix()) > 4096 or len(shown) > MAX_PATH:
        return "its name is too long"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return "a symbolic link" if path.is_symlink() else f"not readable: {error.strerror}"
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return "not a regular file"
        try:
            data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            return f"not readable: {error.strerror}"
    return data if len(data) <= MAX_FILE_BYTES else f"over {MAX_FILE_BYTES >> 20} MiB"
