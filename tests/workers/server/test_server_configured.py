"""A server that the environment names: used, never started, and one clear error where it cannot be used."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.errors import ConfigurationInvalid
from tests.workers.server.server_support import Notices
from workers.server import ServerInfo, dev_server, running_server, temporal_server
from workers.server_connect import warn_of_age
from workers.settings import Settings

pytestmark = [pytest.mark.serial, pytest.mark.usefixtures("plain_environment")]


@pytest.fixture(scope="module")
async def existing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerInfo]:
    async with dev_server(tmp_path_factory.mktemp("existing")) as info:
        yield info


async def test_a_configured_server_is_used_and_nothing_is_started(
    existing: ServerInfo, settings: Settings, notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", existing.address)
    async with temporal_server(settings, notices.append) as info:
        assert (info.address, info.origin, info.version) == (existing.address, "configured", existing.version)
    assert await running_server(settings) == info
    assert not settings.home.exists()
    assert notices == []


async def test_a_profile_names_a_server_too(
    existing: ServerInfo, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "temporal.toml"
    profiles.write_text(f'[profile.mine]\naddress = "{existing.address}"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profiles))
    monkeypatch.setenv("TEMPORAL_PROFILE", "mine")
    info = await running_server(settings)
    assert info
    assert (info.address, info.origin) == (existing.address, "configured")
    monkeypatch.setenv("TEMPORAL_PROFILE", "nobody's")
    with pytest.raises(ConfigurationInvalid, match=r"cannot be read.*nobody's"):
        await running_server(settings)


async def test_an_unreachable_address_is_one_clear_error(
    settings: Settings, notices: Notices, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{unused_port}")
    with pytest.raises(ConfigurationInvalid, match=f"127.0.0.1:{unused_port} does not answer") as raised:
        async with temporal_server(settings, notices.append):
            pass
    assert "TEMPORAL_ADDRESS" in raised.value.fix
    assert not settings.home.exists()


async def test_an_address_that_accepts_and_says_nothing_ends_at_the_deadline(
    settings: Settings, notices: Notices, monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{taken_port}")
    async with asyncio.timeout(40):
        with pytest.raises(ConfigurationInvalid, match="does not answer"):
            async with temporal_server(settings, notices.append):
                pass


async def test_a_missing_namespace_is_named(
    existing: ServerInfo, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", existing.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "elsewhere")
    with pytest.raises(ConfigurationInvalid, match="no namespace 'elsewhere'") as raised:
        await running_server(settings)
    assert "--namespace elsewhere" in raised.value.fix


@pytest.mark.parametrize(("version", "warned"), [("1.31.9", True), ("1.29.1", True), ("1.32.0", False), ("", False)])
def test_an_older_configured_server_is_only_warned_about(notices: Notices, version: str, warned: bool) -> None:
    warn_of_age("temporal.example:7233", version, notices.append)
    assert notices.said(f"server {version} at temporal.example:7233 is older than 1.32") is warned
    assert len(notices) == warned
