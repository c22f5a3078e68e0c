"""The object store: blobs named by content, named objects written once, one prefix a lineage, the codec on everything."""

import hashlib
from collections.abc import Sequence
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
from activities.object_store import ObjectStore
from activities.records import Records, record_path, request_hash


@pytest.fixture(params=["file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri() if request.param == "file" else f"memory://{tmp_path.name}"


async def test_a_blob_is_named_by_its_content_and_read_by_every_instance(address: str) -> None:
    digest = await ObjectStore(address).put("run", b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()[:40]
    assert await ObjectStore(address).get("run", digest) == b"hello"
    with pytest.raises(BlobMissing, match="is gone"):
        await ObjectStore(address).get("other", digest)  # lineages share nothing


async def test_a_damaged_blob_is_noticed(tmp_path: Path) -> None:
    store = ObjectStore((tmp_path / "store").as_uri())
    digest = await store.put("run", b"hello")
    (tmp_path / "store" / "lineages" / "run" / "blobs" / digest).write_bytes(b"hullo")
    with pytest.raises(BlobMissing, match="does not have the content"):
        await ObjectStore(store.address).get("run", digest)


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


async def test_blobs_pass_the_codec_with_their_lineage_as_context(tmp_path: Path) -> None:
    address = (tmp_path / "store").as_uri()
    digest = await ObjectStore(address, codec=Rot()).put("run", b"plain words")
    stored = (tmp_path / "store" / "lineages" / "run" / "blobs" / digest).read_bytes()
    assert b"plain words" not in stored
    assert await ObjectStore(address, codec=Rot()).get("run", digest) == b"plain words"
    with pytest.raises(BlobMissing):
        await ObjectStore(address).get("run", digest)  # a reader without the codec gets nothing


async def test_an_address_that_cannot_be_used_is_refused() -> None:
    for address in ("ftp://x", "file:relative", "nonsense", ""):
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
