"""A run's files on the user's disk: below its result folder and nowhere else, whole or not at all.

Names come from models, and the folder may have been anybody's: no symbolic link below it is followed, whatever stands
at a name is replaced in one step (a link itself, never what it points to), and equal content is left as it is.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from activities.artifacts import Names, checked_name
from activities.contracts.artifacts import MAX_ARTIFACT_BYTES, ArtifactRef
from activities.errors import BlobMissing, StoreUnavailable
from activities.object_store import ObjectStore

FOLDER = "artifacts"
"""Where they stand in a run's result folder: apart from what commands write there."""
MAX_SAVED = 1000
"""Files of one run that are written out."""
MAX_SAVED_BYTES = 1024 * 1024 * 1024
"""Bytes of one run that are written out."""


async def save_artifacts(
    store: ObjectStore, scope_id: str, refs: Sequence[ArtifactRef], runs: Path, run_id: str = ""
) -> tuple[list[str], list[str]]:
    """Write a run's files to ``runs/<run id>/artifacts``: their paths, and a sentence for each that is not there.

    ``run_id`` is the lineage's where it is not given: that of a fork is another.
    """
    run_id = run_id or scope_id
    saved: list[str] = []
    problems: list[str] = []
    names, room = Names(), MAX_SAVED_BYTES
    for at, ref in enumerate(refs):
        try:
            name = checked_name(ref.name)
            if name != ref.name:
                raise ValueError(f"the name {ref.name!r} is not in composed form")
            if other := names.add(name):
                raise ValueError(f"it cannot stand beside {other!r} on every disk")
            room -= ref.size_bytes
            if at >= MAX_SAVED or room < 0 or ref.size_bytes > MAX_ARTIFACT_BYTES:
                raise ValueError(f"at most {MAX_SAVED} files and {MAX_SAVED_BYTES:,} bytes are written out")
            data = await store.get(scope_id, ref.digest)
            if len(data) != ref.size_bytes:
                raise ValueError(f"it has {len(data):,} bytes and not {ref.size_bytes:,}")
            write_below(runs, f"{run_id}/{FOLDER}/{name}", data)
        except StoreUnavailable as error:
            problems.append(f"{len(refs) - at} files of the run could not be read: {error}")
            break
        except (BlobMissing, OSError, ValueError) as error:
            problems.append(f"the file {ref.name!r} is not saved: {error}")
        else:
            saved.append(str(runs / run_id / FOLDER / name))
    return saved, problems


def write_below(root: Path, name: str, data: bytes) -> None:
    """Write ``root/name`` atomically, its folders made where missing; equal content is not touched.

    Raises:
        OSError: a part of the way is no folder (a symbolic link is none), or the disk refuses.
    """
    root.mkdir(parents=True, exist_ok=True)
    *folders, last = name.split("/")
    with _folder(root, folders) as folder:
        if _content(folder, last, len(data)) == data:
            return
        # Begins with a dot, as no artifact does.
        part = f".{secrets.token_hex(8)}.part"
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=folder)
        try:
            with open(file, "wb") as stream:  # noqa: PTH123 -- a descriptor
                stream.write(data)
            os.replace(part, last, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
            raise


@contextmanager
def _folder(root: Path, names: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder, each part opened from the one before: nobody can put a link in between."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _content(folder: int, name: str, size: int) -> bytes | None:
    """What stands at a name, where it is a file of this size. Not waiting: a pipe would never answer."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with open(file, "rb") as stream:  # noqa: PTH123 -- a descriptor
        found = os.fstat(file)
        return stream.read(size + 1) if stat.S_ISREG(found.st_mode) and found.st_size == size else None
