"""The object store: content-addressed blobs and named objects, one prefix a lineage, behind one address.

Losing a blob strands every run that refers to it, and two stores for one namespace split a lineage in halves: so blobs
are verified when read, addresses are checked against the namespace when a worker starts (``store_binding``), and
whatever belongs to a lineage lies under ``lineages/<scope_id>/`` and nowhere else, so deleting it is deleting a prefix.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, WithSerializationContext, WorkflowSerializationContext

from activities.errors import BlobMissing, ConfigurationInvalid, StoreUnavailable
from activities.store_backends import OPERATION_SECONDS, bucket_is_missing, explain, open_backend

CACHE_BYTES = 64 * 1024 * 1024
"""Blobs kept in memory by one worker process: some thousand windows of 16 KiB messages."""
PARALLEL = 32
"""Operations of one batch under way at once."""
PROBE = "store.check"
"""Written once by ``check``, and never read."""
_PAGE = 500
"""Objects of one listing or deletion request: half of what S3 takes."""
_CODED: Final = b"ostinato/coded/1\n"

Model = TypeVar("Model", bound=BaseModel)


def digest_of(data: bytes) -> str:
    """The name of a blob: ``sha256sum FILE | cut -c1-40``."""
    return hashlib.sha256(data).hexdigest()[:40]


def encode_model(model: BaseModel) -> bytes:
    """The one byte form of a wire model, so that equal models have equal digests."""
    return model.model_dump_json().encode()


@dataclass(frozen=True)
class StoredObject:
    """One object as a listing tells it."""

    path: str
    """Below the address's prefix."""
    size: int
    modified: datetime


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

    async def check(self) -> None:
        """Ask the store for what every run needs of it: an answer, permission to write, and an atomic ``create``.

        Raises:
            ConfigurationInvalid: it cannot be used as it is; for the start, where waiting would not mend it.
        """
        try:
            # The object is there from the first time on: then one refused request says all of it.
            lax = await self.create(PROBE, b"1", scope_id=PROBE) and await self.create(PROBE, b"2", scope_id=PROBE)
            await self.read(PROBE, scope_id=PROBE)
        except StoreUnavailable as error:
            raise ConfigurationInvalid(str(error), fix=error.fix) from error
        if lax:
            raise ConfigurationInvalid(
                f"the object store {self.address} overwrites where it is told not to (If-None-Match is ignored)",
                fix="use a store with conditional writes: without them two workers could both be the first",
            )

    async def create(self, path: str, data: bytes, *, scope_id: str) -> bool:
        """Write a named object unless it exists: ``True`` where this call wrote it. Atomic."""
        try:
            await self._put(path, await self._encode(data, scope_id), "create")
        except AlreadyExistsError:
            return False
        return True

    async def write(self, path: str, data: bytes, *, scope_id: str) -> None:
        """Write a named object, over what is there. Atomic."""
        await self._put(path, await self._encode(data, scope_id), "overwrite")

    async def read(self, path: str, *, scope_id: str) -> bytes | None:
        """Read a named object; ``None`` where there is none."""
        try:
            async with self._errors(path):
                result = await obstore.get_async(self._backend, path)
                return await self._decode(bytes(await result.bytes_async()), scope_id)
        except FileNotFoundError:
            return None

    async def modified(self, path: str) -> datetime | None:
        """When a named object was last written; ``None`` where there is none."""
        try:
            async with self._errors(path):
                return (await obstore.head_async(self._backend, path))["last_modified"]
        except FileNotFoundError:
            return None

    async def list_objects(self, prefix: str) -> AsyncIterator[StoredObject]:
        """The objects below a prefix, in no order, page by page; each page has the time of one operation."""
        pages = aiter(obstore.list(self._backend, prefix, chunk_size=_PAGE))
        while True:
            async with self._errors(prefix):
                page = await anext(pages, None)
            if page is None:
                return
            for item in page:
                yield StoredObject(item["path"], item["size"], item["last_modified"])

    async def list_paths(self, prefix: str) -> AsyncIterator[str]:
        """The paths below a prefix, in no order."""
        async for item in self.list_objects(prefix):
            yield item.path

    async def delete_lineage(self, scope_id: str) -> int:
        """Delete everything of a lineage; the number of objects."""
        paths = [path async for path in self.list_paths(f"lineages/{scope_id}/")]
        await self.delete_paths(paths)
        return len(paths)

    async def delete_paths(self, paths: Sequence[str]) -> None:
        """Delete objects. Those that are gone already are no error: two may delete at once."""
        for start in range(0, len(paths), _PAGE):
            page = paths[start : start + _PAGE]
            try:
                async with self._errors(page[0]):
                    await obstore.delete_async(self._backend, page)
            except FileNotFoundError:
                # One was gone, and that leaves open what became of the others.
                for index in range(0, len(page), PARALLEL):
                    await asyncio.gather(*(self._delete(path) for path in page[index : index + PARALLEL]))
            for path in page:
                self._cached_bytes -= len(self._cache.pop(path, b""))

    async def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            async with self._errors(path):
                await obstore.delete_async(self._backend, path)

    async def _put(self, path: str, data: bytes, mode: Literal["create", "overwrite"]) -> None:
        try:
            async with self._errors(path):
                await obstore.put_async(self._backend, path, data, mode=mode, use_multipart=False)
        except FileNotFoundError as error:
            why, fix = explain(error, self.address)
            raise StoreUnavailable(f"the object store {self.address} {why} (at {path!r})", fix=fix) from error

    @asynccontextmanager
    async def _errors(self, path: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                yield
        except AlreadyExistsError:
            raise
        except (BaseError, OSError, TimeoutError) as error:
            if isinstance(error, FileNotFoundError) and not bucket_is_missing(error):
                raise
            why, fix = explain(error, self.address)
            raise StoreUnavailable(f"the object store {self.address} {why} (at {path!r})", fix=fix) from error

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
