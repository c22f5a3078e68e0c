"""A folder and settings for tests that start and kill servers of their own."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.server.server_support import Notices
from workers.server_state import Folder
from workers.settings import Settings


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No configured server, no profile file, no settings; the cache stays, so that no server is built for each test."""
    for name in list(os.environ):
        if name.startswith(("TEMPORAL_", "OSTINATO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/nonexistent/temporal.toml")


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Any free ports. Use ``plain_environment`` with it."""
    return Settings(home=tmp_path / "home", temporal_port=0, ui_port=0)


@pytest.fixture
def folder(settings: Settings) -> Folder:
    return Folder(settings.home / "server")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port where another program listens, and takes whatever it is told without an answer."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


@pytest.fixture
def unused_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
