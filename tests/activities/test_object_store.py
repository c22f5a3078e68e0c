"""The object store: blobs named by content, named objects written once, one prefix a lineage, the codec on everything."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from activities.contracts.steps import StepKey, Usage
from activities.errors import BlobMissing, ConfigurationInvalid, StoreUnavailable
from activities.object_store import ObjectStore, blob_path, digest_of
from activities.records import Records, record_path, request_hash


async def test_a_blob_is_named_by_its_content_and_read_by_every_instance(address: str) -> None:
    digest = await ObjectStore(address).put("run", b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()[:40]
    assert await ObjectStore(address).get("run", digest) == b"hello"
    with pytest.raises(BlobMissing, match="is gone"):
        await ObjectStore(address).get("other", digest)  # lineages share nothing


async def test_a_damaged_blob_is_noticed(address: str) -> None:
    store = ObjectStore(address)
    digest = await store.put("run", b"hello")
    await store.write(blob_path("run", digest), b"hullo", scope_id="run")
    with pytest.raises(BlobMissing, match="does not have the content"):
        await ObjectStore(address).get("run", digest)


async def test_of_many_writers_of_one_name_one_wins_and_its_bytes_stay(address: str) -> None:
    writers = [ObjectStore(address) for _ in range(4)]
    for race in range(3):
        path = f"lineages/run/records/{race}"
        tries = [(store, f"{index}/{number}".encode()) for index, store in enumerate(writers) for number in range(8)]
        won = await asyncio.gather(*(store.create(path, data, scope_id="run") for store, data in tries))
        assert won.count(True) == 1
        assert await writers[0].read(path, scope_id="run") == tries[won.index(True)][1]


async def test_a_store_is_checked_before_it_is_used(address: str) -> None:
    for _ in range(2):
        await ObjectStore(address).check()
    assert [path async for path in ObjectStore(address).list_paths("")] == ["store.check"]


async def test_large_blobs_and_odd_bytes_survive(address: str) -> None:
    store = ObjectStore(address)
    data = bytes(range(256)) * 40_000  # 10 MB: over the size at which uploads would be cut into parts
    digest = await store.put("run", data)
    assert await ObjectStore(address).get("run", digest) == data
    assert await store.create("lineages/run/large", data, scope_id="run")
    assert not await store.create("lineages/run/large", b"", scope_id="run")
    assert await ObjectStore(address).get_many("run", [digest] * 3) == [data] * 3


async def test_a_listing_has_every_page_and_what_gc_goes_by(address: str) -> None:
    store = ObjectStore(address)
    before = datetime.now(UTC) - timedelta(seconds=2)  # clouds tell whole seconds
    await asyncio.gather(*(store.put("run", str(number).encode()) for number in range(310)))
    found = [item async for item in store.list_objects("lineages/run/")]
    assert {item.path for item in found} == {blob_path("run", digest_of(str(n).encode())) for n in range(310)}
    assert {item.size for item in found} == {1, 2, 3}
    assert all(before < item.modified <= datetime.now(UTC) + timedelta(seconds=1) for item in found)
    assert await store.modified(found[0].path) == found[0].modified
    assert await store.modified("lineages/run/none") is None
    await store.delete_paths([*(item.path for item in found), "lineages/run/none"])
    assert [path async for path in store.list_paths("")] == []


async def test_the_first_result_under_a_key_is_the_result(address: str) -> None:
    records = Records(ObjectStore(address))
    key = StepKey(scope_id="run", path="a/b", step="t1")
    hashed = request_hash({"b": 1, "a": [2]})
    assert hashed == request_hash({"a": [2], "b": 1})
    assert await records.settle(key, hashed, Usage(model_calls=1), "one") == Usage(model_calls=1)
    assert await records.settle(key, hashed, Usage(model_calls=2), "two") == Usage(model_calls=1)
    found = await records.find(key, hashed, Usage)
    assert found
    assert (found.result, found.run_id) == (Usage(model_calls=1), "one")
    assert await records.find(key.model_copy(update={"generation": 1}), hashed, Usage) is None
    assert record_path(key, hashed) == f"lineages/run/records/a/b/t1/g0/{hashed}"


async def test_deleting_a_lineage_leaves_the_others_alone(address: str) -> None:
    store = ObjectStore(address)
    kept = await store.put("run-10", b"kept")
    for number in range(3):
        await store.put("run-1", str(number).encode())
    assert await store.delete_lineage("run-1") == 3
    assert [path async for path in store.list_paths("lineages/run-1/")] == []
    assert await ObjectStore(address).get("run-10", kept) == b"kept"
    with pytest.raises(BlobMissing, match="is gone"):
        await store.get("run-1", digest_of(b"0"))  # not from memory either


class Rot(PayloadCodec, WithSerializationContext):
    """Adds the lineage to every byte string, so that a wrong context cannot be decoded."""

    def __init__(self, run: str = "") -> None:
        self.run = run

    def with_context(self, context: SerializationContext) -> Self:
        assert isinstance(context, WorkflowSerializationContext)
        return type(self)(context.workflow_id)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata={"run": self.run.encode()}, data=p.SerializeToString()[::-1]) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert all(p.metadata["run"] == self.run.encode() for p in payloads)
        return [Payload.FromString(p.data[::-1]) for p in payloads]


async def test_blobs_pass_the_codec_with_their_lineage_as_context(address: str) -> None:
    digest = await ObjectStore(address, codec=Rot()).put("run", b"plain words")
    stored = await ObjectStore(address).read(blob_path("run", digest), scope_id="run")
    assert stored
    assert b"plain words" not in stored
    assert await ObjectStore(address, codec=Rot()).get("run", digest) == b"plain words"
    with pytest.raises(BlobMissing):
        await ObjectStore(address).get("run", digest)  # a reader without the codec gets nothing


async def test_an_address_that_cannot_be_used_is_refused() -> None:
    for address in ("ftp://x", "file:relative", "nonsense", "", "http://[", "file:///x?endpoint=http://y", "s3:bucket"):
        with pytest.raises(ConfigurationInvalid) as caught:
            ObjectStore(address)
        assert caught.value.fix


async def test_a_broken_store_is_a_failure_that_is_retried(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = ObjectStore(folder.as_uri())
    folder.joinpath("lineages").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailable) as caught:
        await store.put("run", b"x")
    assert caught.value.retryable
