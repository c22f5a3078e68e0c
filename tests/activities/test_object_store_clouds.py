"""Cloud addresses: what is understood, what is refused, and what is said when a cloud does not do as it is asked."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from activities.errors import ConfigurationInvalid, StoreUnavailable
from activities.object_store import ObjectStore
from tests.support.moto import demand_credentials
from workers.settings import load_settings

UNUSABLE = (
    "s3://",
    "s3:///prefix",
    "s3://b",
    "s3://key:hidden@bucket/prefix",
    "s3://bucket/a//b",
    "s3://bucket/../b",
    "s3://bucket/" + "x" * 500,
    "s3://bucket/x#part",
    "s3://bucket/x?endpoint=ftp://host",
    "s3://bucket/x?endpoint=http://",
    "s3://bucket/x?endpoint=http://key:hidden@host",
    "s3://bucket/x?endpoint=http://host:port",
    "s3://bucket/x?access_key_id=hidden",
    "gs://bucket/x?region",
    "az://my_container/../x",
)


@pytest.fixture
def stand_in() -> Iterator[HTTPServer]:
    with HTTPServer() as server:
        yield server


@pytest.mark.parametrize("address", UNUSABLE)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        ObjectStore(address)
    assert caught.value.fix
    assert "hidden" not in str(caught.value) + caught.value.fix


def test_settings_say_where_a_cloud_store_is() -> None:
    given = {"store_endpoint": "http://minio:9000", "store_region": "eu-north-1"}
    minio = load_settings(store="s3://bucket/team", **given).store_address
    assert minio == "s3://bucket/team?endpoint=http://minio:9000&region=eu-north-1"
    assert ObjectStore(minio).address == minio
    assert load_settings(store="memory://x", **given).store_address == "memory://x"
    assert load_settings(store="gs://bucket").store_address == "gs://bucket"


async def test_prefixes_of_one_bucket_see_nothing_of_each_other(s3: str) -> None:
    outer, inner = ObjectStore(s3), ObjectStore(s3.replace("?", "/lineages/run?"))
    digest = await outer.put("run", b"outer")
    assert [path async for path in inner.list_paths("")] == [f"blobs/{digest}"]
    assert await inner.delete_lineage("run") == 0
    await inner.put("run", b"inner")
    assert await outer.delete_lineage("run") == 2
    assert [path async for path in inner.list_paths("")] == []


async def _refusals(address: str) -> tuple[str, str]:
    """Every operation fails as something to retry, the check at start as something to mend; the message and its fix."""
    store = ObjectStore(address)
    for operation in (
        store.read("lineages/run/x", scope_id="run"),
        store.write("lineages/run/x", b"", scope_id="run"),
        store.create("lineages/run/x", b"", scope_id="run"),
        store.delete_lineage("run"),
    ):
        with pytest.raises(StoreUnavailable) as failed:
            await operation
        assert failed.value.retryable
        assert failed.value.fix
    with pytest.raises(ConfigurationInvalid) as refused:
        await store.check()
    return str(refused.value), refused.value.fix


async def test_a_missing_bucket_is_no_empty_store(s3: str) -> None:
    message, fix = await _refusals(s3.replace("//ostinato/", "//nobody/"))
    assert "has no such bucket" in message
    assert "create the bucket" in fix


async def test_wrong_keys_are_said_and_not_shown(s3: str, moto: str) -> None:
    demand_credentials(moto, after="0")
    try:
        message, fix = await _refusals(s3)
    finally:
        demand_credentials(moto, after="inf")
    assert "refuses these credentials (InvalidAccessKeyId)" in message
    assert "AWS_ACCESS_KEY_ID" in fix
    assert "tester" not in message


async def test_an_endpoint_where_nobody_is_ends_soon(keys: None) -> None:
    del keys
    async with asyncio.timeout(20):
        message, fix = await _refusals("s3://ostinato/x?endpoint=http://127.0.0.1:1")
    assert "does not answer" in message
    assert "OSTINATO_STORE_ENDPOINT" in fix


async def test_an_endpoint_that_is_no_store_is_said(keys: None, stand_in: HTTPServer) -> None:
    del keys
    stand_in.expect_request("/").respond_with_data("ours")
    message, _ = await _refusals(f"s3://ostinato/x?endpoint={stand_in.url_for('')}")
    assert "answers with 500" in message  # of a server that knows no such page


async def test_a_store_that_overwrites_what_is_written_once_is_refused(keys: None, stand_in: HTTPServer) -> None:
    del keys
    stand_in.expect_request("/ostinato/store.check", method="PUT").respond_with_response(
        Response(status=200, headers={"ETag": '"1"'})
    )
    stand_in.expect_request("/ostinato/store.check", method="GET").respond_with_data("1", headers={"ETag": '"1"'})
    with pytest.raises(ConfigurationInvalid, match="If-None-Match is ignored") as caught:
        await ObjectStore(f"s3://ostinato?endpoint={stand_in.url_for('')}").check()
    assert "conditional writes" in caught.value.fix


async def test_plain_http_needs_an_endpoint_that_says_so(
    keys: None, monkeypatch: pytest.MonkeyPatch, moto: str
) -> None:
    del keys
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    with pytest.raises(ConfigurationInvalid):
        await ObjectStore("s3://ostinato/x").check()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    await ObjectStore(f"s3://ostinato/x?endpoint={moto}").check()


@pytest.mark.parametrize(("scheme", "name"), [("gs", "bucket"), ("az", "container")])
async def test_the_other_clouds_say_what_is_wrong(scheme: str, name: str, somebody: None, stand_in: HTTPServer) -> None:
    del somebody
    message, fix = await _refusals(f"{scheme}://ostinato/x?endpoint=http://127.0.0.1:1")
    assert "does not answer" in message
    assert fix
    code = "NoSuchBucket" if scheme == "gs" else "ContainerNotFound"
    stand_in.expect_request(re.compile(".*")).respond_with_data(f"<Error><Code>{code}</Code></Error>", status=404)
    message, _ = await _refusals(f"{scheme}://ostinato/x?endpoint={stand_in.url_for('')}")
    assert f"has no such {name}" in message


def test_azure_without_an_account_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid, match="no storage account is named") as caught:
        ObjectStore("az://container/prefix")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.fix
