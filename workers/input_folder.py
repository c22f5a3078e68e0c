"""Reads an input folder for upload: what is text is taken, what is not is named with its reason, nothing is followed.

Files of other people hold surprises: pipes that never end, links out of the folder, names with terminal escapes. Each
file is opened without following links and without blocking, and only if it is a regular one.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from activities.contracts.snapshot import MAX_FILE_BYTES, MAX_FILES, MAX_SNAPSHOT_BYTES, SkippedFile, Snapshot
from activities.errors import ConfigurationInvalid

MAX_ENTRIES = 200_000
"""Directory entries looked at: a folder with more is the wrong folder (a home, a disk)."""
MAX_PATH = 400
"""Characters of a path, as shown."""
_IGNORED = {"__pycache__", "node_modules"}


def read_folder(folder: Path, include: Sequence[str] = ()) -> tuple[dict[str, bytes], Snapshot]:
    """Read a folder, or a single file. Hidden entries, ``__pycache__`` and ``node_modules`` are passed over silently.

    Args:
        folder: what to read; it may itself be a link.
        include: glob patterns on the relative path or the name; empty means all.

    Returns:
        Path to content, and a manifest of what was skipped.

    Raises:
        ConfigurationInvalid: missing, nothing readable in it, or over the bounds of a snapshot.
    """
    files: dict[str, bytes] = {}
    skipped: list[SkippedFile] = []
    total = 0
    for path, shown in _entries(folder, include):
        content = b"" if shown in files else _read(path)
        if shown in files:
            content = "another file has the same name when escapes are written out"
        if isinstance(content, str):
            skipped.append(SkippedFile(path=shown[:MAX_PATH], reason=content))
            continue
        files[shown] = content
        total += len(content)
        if len(files) > MAX_FILES or total > MAX_SNAPSHOT_BYTES:
            raise ConfigurationInvalid(
                f"the input folder {folder} is too large: over {MAX_FILES:,} files or {MAX_SNAPSHOT_BYTES >> 20} MiB of text",
                fix="choose a smaller folder, or pick files with --include '*.md'",
            )
    if not files:
        found = (
            f"{len(skipped)} files were skipped, the first: {skipped[0].path}: {skipped[0].reason}"
            if skipped
            else ("no file fits --include" if include else "it is empty")
        )
        raise ConfigurationInvalid(f"nothing in {folder} can be read: {found}", fix="choose a folder with text files")
    return files, Snapshot(files=(), skipped=tuple(skipped[:100]), skipped_count=len(skipped))


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
    if not data.strip():
        return "empty"
    if len(data) > MAX_FILE_BYTES:
        return f"over {MAX_FILE_BYTES >> 20} MiB"
    if b"\0" in data:
        return "binary"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8 text"
    return data
