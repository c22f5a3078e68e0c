"""An S3 server for the tests of the object store, and what a platform's environment says."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clouds import cloud_server
from tests.support.moto import make_bucket, moto_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of an S3 server with one bucket, ``ostinato``."""
    with moto_server() as endpoint:
        make_bucket(endpoint, "ostinato")
        yield endpoint


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials as a platform gives them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-tester")


@pytest.fixture
def s3(moto: str, keys: None) -> str:
    """An address below a prefix of its own."""
    del keys
    return f"s3://ostinato/some where/{next(_numbers)}?endpoint={moto}"


@pytest.fixture(scope="session")
def cloud() -> Iterator[str]:
    """The address of what stands in for Google's and Azure's clouds."""
    with cloud_server() as endpoint:
        yield endpoint


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for Google and Azure."""
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "token")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")


@pytest.fixture
def elsewhere(cloud: str, somebody: None) -> str:
    """The end of an address at a stand-in."""
    del somebody
    return f"//ostinato/some where/{next(_numbers)}?endpoint={cloud}"


@pytest.fixture(params=["file", "memory", "s3", "gs", "az"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind, empty."""
    match request.param:
        case "file":
            return (tmp_path / "store").as_uri()
        case "memory":
            return f"memory://{tmp_path.name}"
        case "s3":
            return str(request.getfixturevalue("s3"))
        case scheme:
            return f"{scheme}:{request.getfixturevalue('elsewhere')}"
