"""Snapshots: the input folder as the run sees it, uploaded before the run starts and never changed.

Workers never read a path that a client named: a queue carries paths from anywhere, and a worker's files are not the
client's. The reader here only knows what the client uploaded.
"""

import asyncio

from activities.contracts.snapshot import Snapshot, SnapshotFile, SnapshotRef
from activities.object_store import PARALLEL, ObjectStore, digest_of

NAMED = 20
"""Files that a list for people names; the rest is a number."""


def describe_files(files: dict[str, bytes], found: Snapshot) -> Snapshot:
    """The manifest of files that are in memory.

    Args:
        files: display path to content, UTF-8.
        found: what reading the folder found: the pages of PDFs, what was left out and why, notes.
    """
    pages = {file.path: file.pages for file in found.files}
    described = (
        SnapshotFile(path=path, digest=digest_of(files[path]), size_bytes=len(files[path]), pages=pages.get(path, 0))
        for path in sorted(files)
    )
    return found.model_copy(update={"files": tuple(described)})


def describe_skipped(snapshot: Snapshot) -> tuple[str, ...]:
    """What of the input could not be read, one sentence each: the first 20 by name."""
    named = [f"input file {file.path}: {file.reason}"[:1000] for file in snapshot.skipped[:NAMED]]
    more = snapshot.skipped_count - len(named)
    return (*named, *([f"{more} more input files could not be read"] if more > 0 else []))


def describe_notes(snapshot: Snapshot) -> tuple[str, ...]:
    """What was read with a guess or a loss, one sentence each: the first 20 by name. Nothing of it is missing."""
    named = [f"input file {note.path}: {note.note}"[:1000] for note in snapshot.notes[:NAMED]]
    more = snapshot.notes_count - len(named)
    return (*named, *([f"{more} more input files were read with a remark"] if more > 0 else []))


async def write_snapshot(store: ObjectStore, scope_id: str, files: dict[str, bytes], found: Snapshot) -> SnapshotRef:
    """Upload files and then their manifest; arguments as for ``describe_files``."""
    gate = asyncio.Semaphore(PARALLEL)

    async def upload(data: bytes) -> None:
        async with gate:
            await store.put(scope_id, data)

    await asyncio.gather(*(upload(data) for data in files.values()))
    snapshot = describe_files(files, found)
    return SnapshotRef(
        digest=await store.put_model(scope_id, snapshot),
        files=len(files),
        size_bytes=sum(file.size_bytes for file in snapshot.files),
        skipped=snapshot.skipped_count,
    )


class StoredSnapshot:
    """A snapshot read back: ``activities.tools.base.SnapshotReader``."""

    def __init__(self, store: ObjectStore, scope_id: str, digest: str, snapshot: Snapshot) -> None:
        self.digest = digest
        self.files = snapshot.files
        self.skipped = snapshot.skipped
        self.manifest = snapshot
        self._store = store
        self._scope_id = scope_id
        self._digests = {file.path: file.digest for file in snapshot.files}

    async def text(self, path: str) -> str:
        """The whole text of one file."""
        data = await self._store.get(self._scope_id, self._digests[path])
        return data.decode("utf-8")


async def open_snapshot(store: ObjectStore, scope_id: str, ref: SnapshotRef) -> StoredSnapshot:
    """Read a snapshot's manifest."""
    return StoredSnapshot(store, scope_id, ref.digest, await store.get_model(scope_id, ref.digest, Snapshot))
