"""The object store: content-addressed blobs and named objects, one prefix a lineage, behind one address.

Losing a blob strands every run that refers to it, and two stores for one namespace split a lineage in halves: so blobs
are verified when read, addresses are checked against the namespace when a worker starts (``store_binding``), and
whatever belongs to a lineage lies under ``lineages/<scope_id>/`` and nowhere else, so deleting it is deleting a prefix.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore
from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, WithSerializationContext, WorkflowSerializationContext

from activities.errors import BlobMissing, ConfigurationInvalid, StoreUnavailable

CACHE_BYTES = 64 * 1024 * 1024
"""Blobs kept in memory by one worker process: some thousand windows of 16 KiB messages."""
OPERATION_SECONDS = 30.0
"""Bound of one store operation; a local one takes well under a millisecond."""
PARALLEL = 32
"""Operations of one batch under way at once."""
_CODED: Final = b"ostinato/coded/1\n"

Model = TypeVar("Model", bound=BaseModel)
Store = LocalStore | MemoryStore
_memory_stores: dict[str, MemoryStore] = {}


def digest_of(data: bytes) -> str:
    """The name of a blob: ``sha256sum FILE | cut -c1-40``."""
    return hashlib.sha256(data).hexdigest()[:40]


def encode_model(model: BaseModel) -> bytes:
    """The one byte form of a wire model, so that equal models have equal digests."""
    return model.model_dump_json().encode()


def open_backend(address: str) -> Store:
    """The obstore behind an address: ``file:///folder`` (made where missing) or ``memory://name`` (this process only).

    Raises:
        ConfigurationInvalid: another scheme, or a folder that cannot be written.
    """
    parts = urlsplit(address)
    if parts.scheme == "memory":
        return _memory_stores.setdefault(address, MemoryStore())
    if parts.scheme == "file" and parts.path.startswith("/"):
        folder = Path(unquote(parts.path))
        try:
            return LocalStore(folder, mkdir=True)
        except (BaseError, OSError) as error:
            raise ConfigurationInvalid(
                f"the object store {address!r} cannot be opened: {error}",
                fix="make the folder writable, or set OSTINATO_STORE",
            ) from error
    raise ConfigurationInvalid(
        f"the object store's address {address!r} is not understood", fix="use file:///folder or memory://name"
    )


class ObjectStore:
    """All access to the store. Safe to share among the tasks of one event loop."""

    def __init__(self, address: str, *, namespace: str = "default", codec: PayloadCodec | None = None) -> None:
        """``codec`` is the one of the history; blobs pass it too, with the lineage as serialization context."""
        self.address = address
        self._backend = open_backend(address)
        self._namespace = namespace
        self._codec = codec
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0

    async def put(self, scope_id: str, data: bytes) -> str:
        """Store a blob in a lineage; its digest. Storing twice changes nothing."""
        digest = digest_of(data)
        path = blob_path(scope_id, digest)
        await self.write(path, data, scope_id=scope_id)
        self._remember(path, data)
        return digest

    async def get(self, scope_id: str, digest: str) -> bytes:
        """Read a blob and verify it.

        Raises:
            BlobMissing: it is gone, or its content is not what its digest says.
        """
        path = blob_path(scope_id, digest)
        if (cached := self._cache.get(path)) is not None:
            self._cache.move_to_end(path)
            return cached
        data = await self.read(path, scope_id=scope_id)
        if data is None or digest_of(data) != digest:
            found = "is gone" if data is None else "does not have the content that its name says"
            raise BlobMissing(
                f"the blob {digest} of the lineage {scope_id!r} {found}",
                fix="restore the object store, or start the run anew",
            )
        self._remember(path, data)
        return data

    async def put_model(self, scope_id: str, model: BaseModel) -> str:
        """Store a wire model as a blob."""
        return await self.put(scope_id, encode_model(model))

    async def get_model(self, scope_id: str, digest: str, kind: type[Model]) -> Model:
        """Read a blob as a wire model."""
        return parse_model(await self.get(scope_id, digest), kind)

    async def get_many(self, scope_id: str, digests: Iterable[str]) -> list[bytes]:
        """Read blobs in parallel, in the order given."""
        gate = asyncio.Semaphore(PARALLEL)

        async def one(digest: str) -> bytes:
            async with gate:
                return await self.get(scope_id, digest)

        return list(await asyncio.gather(*(one(digest) for digest in digests)))

    async def create(self, path: str, data: bytes, *, scope_id: str) -> bool:
        """Write a named object unless it exists: ``True`` where this call wrote it. Atomic."""
        try:
            async with _errors(path):
                await obstore.put_async(self._backend, path, await self._encode(data, scope_id), mode="create")
        except AlreadyExistsError:
            return False
        return True

    async def write(self, path: str, data: bytes, *, scope_id: str) -> None:
        """Write a named object, over what is there. Atomic."""
        async with _errors(path):
            await obstore.put_async(self._backend, path, await self._encode(data, scope_id))

    async def read(self, path: str, *, scope_id: str) -> bytes | None:
        """Read a named object; ``None`` where there is none."""
        try:
            async with _errors(path):
                result = await obstore.get_async(self._backend, path)
                return await self._decode(bytes(await result.bytes_async()), scope_id)
        except FileNotFoundError:
            return None

    async def list_paths(self, prefix: str) -> AsyncIterator[str]:
        """The paths below a prefix, in no order."""
        async with _errors(prefix, bounded=False):
            async for chunk in obstore.list(self._backend, prefix):
                for item in chunk:
                    yield item["path"]

    async def delete_lineage(self, scope_id: str) -> int:
        """Delete everything of a lineage; the number of objects."""
        paths = [path async for path in self.list_paths(f"lineages/{scope_id}/")]
        for start in range(0, len(paths), 500):
            async with _errors(scope_id):
                await obstore.delete_async(self._backend, paths[start : start + 500])
        return len(paths)

    def _remember(self, path: str, data: bytes) -> None:
        if len(data) > CACHE_BYTES // 8 or path in self._cache:
            return
        self._cache[path] = data
        self._cached_bytes += len(data)
        while self._cached_bytes > CACHE_BYTES:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])

    def _codec_for(self, scope_id: str) -> PayloadCodec | None:
        if isinstance(self._codec, WithSerializationContext):
            context = WorkflowSerializationContext(namespace=self._namespace, workflow_id=scope_id)
            coded: PayloadCodec = self._codec.with_context(context)
            return coded
        return self._codec

    async def _encode(self, data: bytes, scope_id: str) -> bytes:
        if (codec := self._codec_for(scope_id)) is None:
            return data
        (payload,) = await codec.encode([Payload(metadata={"encoding": b"binary/plain"}, data=data)])
        return _CODED + payload.SerializeToString()

    async def _decode(self, data: bytes, scope_id: str) -> bytes:
        if not data.startswith(_CODED) or (codec := self._codec_for(scope_id)) is None:
            return data
        (payload,) = await codec.decode([Payload.FromString(data[len(_CODED) :])])
        return bytes(payload.data)


def blob_path(scope_id: str, digest: str) -> str:
    """Where a blob of a lineage lies."""
    return f"lineages/{scope_id}/blobs/{digest}"


def parse_model(data: bytes, kind: type[Model]) -> Model:
    """Read a stored wire model.

    Raises:
        BlobMissing: the bytes are no such model.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise BlobMissing(f"a stored {kind.__name__} cannot be read: {error.errors()[0]['msg']}") from error


@asynccontextmanager
async def _errors(path: str, *, bounded: bool = True) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(OPERATION_SECONDS if bounded else None):
            yield
    except (AlreadyExistsError, FileNotFoundError):
        raise
    except (BaseError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"the object store failed at {path!r}: {type(error).__name__}: {error}") from error
