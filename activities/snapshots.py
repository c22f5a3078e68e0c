"""Snapshots: the input folder as the run sees it, uploaded before the run starts and never changed.

Workers never read a path that a client named: a queue carries paths from anywhere, and a worker's files are not the
client's. The reader here only knows what the client uploaded.
"""

import asyncio

from activities.contracts.snapshot import Snapshot, SnapshotFile, SnapshotRef
from activities.object_store import PARALLEL, ObjectStore


async def write_snapshot(store: ObjectStore, scope_id: str, files: dict[str, bytes], skipped: Snapshot) -> SnapshotRef:
    """Upload files and then the manifest.

    Args:
        store: the object store.
        scope_id: the lineage.
        files: display path to content, UTF-8.
        skipped: a manifest without files, with what was left out and why.
    """
    gate = asyncio.Semaphore(PARALLEL)

    async def upload(path: str, data: bytes) -> SnapshotFile:
        async with gate:
            return SnapshotFile(path=path, digest=await store.put(scope_id, data), size_bytes=len(data))

    uploaded = await asyncio.gather(*(upload(path, files[path]) for path in sorted(files)))
    snapshot = skipped.model_copy(update={"files": tuple(uploaded)})
    return SnapshotRef(
        digest=await store.put_model(scope_id, snapshot),
        files=len(uploaded),
        size_bytes=sum(file.size_bytes for file in uploaded),
        skipped=snapshot.skipped_count,
    )


class StoredSnapshot:
    """A snapshot read back: ``activities.tools.base.SnapshotReader``."""

    def __init__(self, store: ObjectStore, scope_id: str, digest: str, snapshot: Snapshot) -> None:
        self.digest = digest
        self.files = snapshot.files
        self.skipped = snapshot.skipped
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
