"""Where large payloads go: out of history, into the object store, under the prefix of their run.

Deleting a lineage deletes them too. The payloads come here already encoded by the codec, so they are stored as they are.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from activities.errors import BlobMissing
from activities.object_store import ObjectStore

DRIVER = "ostinato"
OTHER = "other-"
"""Payloads of workflows whose ids are none of ours: followed by 40 hexadecimal digits."""
UNKNOWN = "unknown"
"""Payloads of which the SDK does not say whose they are."""
FRESH = timedelta(hours=1)
"""A payload younger than this is not written again: retention is a day at least."""
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def payload_prefix(workflow_id: str) -> str:
    """The folder of a run's payloads. The ids of children and human tasks begin with the run's: a tree shares one folder."""
    root = re.split("[/~]", workflow_id, maxsplit=1)[0]
    if not _RUN_ID.fullmatch(root):
        root = OTHER + hashlib.sha256(root.encode()).hexdigest()[:40]
    return f"lineages/{root}/payloads"


class ObjectStorageDriver(StorageDriver):
    """Large payloads in the object store."""

    def __init__(self, store: ObjectStore) -> None:
        """``store`` has no codec: the payloads are coded already."""
        self._store = store

    def name(self) -> str:
        """Pinned: it is written into history."""
        return DRIVER

    def type(self) -> str:
        """The kind of driver, for other languages' SDKs."""
        return "ostinato.object-store"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Write payloads under their content's digest; the same payload is written once."""
        target = context.target
        workflow_id = target.id if isinstance(target, StorageDriverWorkflowInfo) else None
        prefix = payload_prefix(workflow_id or UNKNOWN)
        claims = []
        for payload in payloads:
            data = payload.SerializeToString(deterministic=True)
            path = f"{prefix}/{hashlib.sha256(data).hexdigest()}"
            if not await self._store.create(path, data, scope_id=prefix):
                await self._refresh(path, data)
            claims.append(StorageDriverClaim(claim_data={"path": path}))
        return claims

    async def _refresh(self, path: str, data: bytes) -> None:
        """Make an old payload young: ``gc`` goes by age, and somebody has just begun to refer to it again."""
        modified = await self._store.modified(path)
        if modified is None or datetime.now(UTC) - modified > FRESH:
            await self._store.write(path, data, scope_id=path)

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Read payloads back.

        Raises:
            BlobMissing: it is gone.
        """
        del context
        return [Payload.FromString(await self._read(claim.claim_data["path"])) for claim in claims]

    async def _read(self, path: str) -> bytes:
        data = await self._store.read(path, scope_id=path)
        if data is None or hashlib.sha256(data).hexdigest() != path.rsplit("/", 1)[-1]:
            raise BlobMissing(f"the payload {path!r} is gone or damaged", fix="restore the object store")
        return data


class BundleDriver(StorageDriver):
    """The payloads of an exported history, read only: a replay writes again what it read, and that goes nowhere."""

    def __init__(self, payloads: Mapping[str, bytes]) -> None:
        """``payloads`` maps a claim's path to the stored bytes."""
        self._payloads = payloads

    def name(self) -> str:
        """The same as the live driver's, which the history names."""
        return DRIVER

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Forget the payloads; the claims are never compared with history."""
        del context
        return [StorageDriverClaim(claim_data={"path": "replayed"}) for _ in payloads]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Read payloads from the bundle.

        Raises:
            BlobMissing: the bundle lacks it.
        """
        del context
        try:
            return [Payload.FromString(self._payloads[claim.claim_data["path"]]) for claim in claims]
        except KeyError as error:
            raise BlobMissing(f"the bundle lacks the payload {error}", fix="export the history again") from error
