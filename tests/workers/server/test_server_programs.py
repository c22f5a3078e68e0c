"""Which program the dev server is run with: the order, what is passed over and said, and the one error at the end."""

import asyncio
import os
import shutil
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from activities.errors import ConfigurationInvalid
from tests.workers.server.server_support import Notices, alive, script, until
from workers.server import temporal_server
from workers.server_build import downloaded_path, pair_folder
from workers.server_programs import Trail, programs
from workers.server_state import Program, identity
from workers.settings import Settings

pytestmark = [pytest.mark.serial, pytest.mark.usefixtures("plain_environment")]

TEMPORAL = 'echo "temporal version 1.9.0 (Server {}, UI 2.50.0)"'
SERVER = 'echo "temporal version 1.32.1"'
REAL = Path(sys.executable).resolve()
GO = """
if [ "$1" = env ]; then echo go1.26.8; echo local; exit 0; fi
echo "$@" >> "$(dirname "$0")/calls"
printf '#!/bin/sh\\necho temporal version 1.32.1\\n' > "$GOBIN/server"
chmod +x "$GOBIN/server"
"""


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the PATH besides the shell's own tools, and a network that reaches nothing."""
    folder = tmp_path / "bin"
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "chmod", "sleep", "cat"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", f"{folder}:{tools}")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    return folder


@pytest.fixture
def bare(tmp_path: Path, bin_folder: Path) -> Settings:
    """Settings with an empty cache, and a PATH with nothing of use."""
    assert not bin_folder.exists()
    return Settings(home=tmp_path / "home", cache_home=tmp_path / "cache", temporal_port=0, ui_port=0)


async def first(settings: Settings, trail: Trail) -> Program | None:
    async with aclosing(programs(settings, trail)) as found:
        async for program in found:
            return program
    return None


async def test_a_new_enough_temporal_on_the_path_is_taken_first(
    bare: Settings, bin_folder: Path, notices: Notices
) -> None:
    path = script(bin_folder / "temporal", TEMPORAL.format("1.33.0-rc.2"))
    script(pair_folder(bare.cache) / "temporal-server", SERVER)
    assert await first(bare, Trail(notices.append)) == Program("cli", str(path), "", "1.33.0-rc.2")
    assert notices == []


@pytest.mark.parametrize("version", ["1.31.4", "1.9.0", "0.32.0"])
async def test_too_old_a_temporal_is_skipped_and_said(
    bare: Settings, bin_folder: Path, notices: Notices, version: str
) -> None:
    path = script(bin_folder / "temporal", TEMPORAL.format(version))
    script(pair_folder(bare.cache) / "temporal-server", SERVER)
    program = await first(bare, Trail(notices.append))
    assert program
    assert program.kind == "pair"
    assert notices == [f"skipped {path}: its server {version} is older than 1.32"]


async def test_what_was_skipped_is_in_the_info(tmp_path: Path, notices: Notices) -> None:
    """With whatever server is at hand here, an older program of the settings is passed over."""
    old = script(tmp_path / "old" / "temporal", TEMPORAL.format("1.29.1"))
    settings = Settings(home=tmp_path / "home", temporal_cli=old, temporal_port=0, ui_port=0)
    async with temporal_server(settings, notices.append) as info:
        assert info.skipped == (f"skipped {old}: its server 1.29.1 is older than 1.32",)
        assert info.version != "1.29.1"


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable", "another program", "fails"])
async def test_a_configured_program_that_is_none_is_an_error_with_its_fix(
    bare: Settings, tmp_path: Path, notices: Notices, kind: str
) -> None:
    path = tmp_path / "chosen"
    match kind:
        case "folder":
            path.mkdir()
        case "not executable":
            script(path, TEMPORAL.format("1.33.0")).chmod(0o644)
        case "another program":
            script(path, "echo GNU coreutils 9.4")
        case "fails":
            script(path, TEMPORAL.format("1.33.0") + "; exit 3")
    settings = bare.model_copy(update={"temporal_cli": path})
    with pytest.raises(ConfigurationInvalid, match=str(path)) as raised:
        await first(settings, Trail(notices.append))
    assert "OSTINATO_TEMPORAL_CLI" in raised.value.fix
    assert notices == []


async def test_nothing_at_hand_is_one_error_that_names_each_thing_tried(bare: Settings, notices: Notices) -> None:
    with pytest.raises(ConfigurationInvalid) as raised:
        async with temporal_server(bare, notices.append):
            pass
    message = str(raised.value)
    for tried in ("TEMPORAL_ADDRESS", "`temporal` on the PATH", str(bare.cache), "download", "no Go"):
        assert tried in message
    assert not message.endswith("…")
    assert "install the Temporal CLI" in raised.value.fix


async def test_a_downloaded_program_is_taken_from_the_cache(bare: Settings, notices: Notices) -> None:
    path = script(downloaded_path(bare.cache), TEMPORAL.format("1.32.0"))
    assert await first(bare, Trail(notices.append)) == Program("cli", str(path), "", "1.32.0", cached=True)


async def test_too_old_a_download_is_kept_and_passed_over(bare: Settings, bin_folder: Path, notices: Notices) -> None:
    """Kept, so that it is not downloaded at each start."""
    path = script(downloaded_path(bare.cache), TEMPORAL.format("1.30.0"))
    script(bin_folder / "go", GO)
    program = await first(bare, Trail(notices.append))
    assert program
    assert program.kind == "pair"
    assert path.exists()
    assert not notices.said("downloading")


async def test_a_build_with_go_goes_into_the_cache_once(bare: Settings, bin_folder: Path, notices: Notices) -> None:
    go = script(bin_folder / "go", GO)
    left = bare.cache / ".making-killed"
    left.mkdir(parents=True)
    found = await asyncio.gather(*(first(bare, Trail(notices.append)) for _ in range(3)))
    folder = pair_folder(bare.cache)
    wanted = Program("pair", str(folder / "temporal-server"), str(folder / "temporal-ui"), "1.32.1", cached=True)
    assert found == [wanted] * 3
    calls = (go.parent / "calls").read_text().splitlines()
    assert [call.rpartition("@")[2] for call in calls] == ["v1.32.1", "v2.54.1"]
    assert sorted(path.name for path in bare.cache.iterdir()) == ["making.lock", folder.name]
    assert notices.said("minutes")


async def test_a_build_that_fails_says_why_and_leaves_nothing(
    bare: Settings, bin_folder: Path, notices: Notices
) -> None:
    script(
        bin_folder / "go", 'if [ "$1" = env ]; then echo go1.27.0; echo auto; exit 0; fi; echo no space left; exit 1'
    )
    assert await first(bare, Trail(notices.append)) is None
    assert notices.said("failed (no space left)")
    assert [path.name for path in bare.cache.iterdir()] == ["making.lock"]


@pytest.mark.parametrize(("env", "usable"), [("go1.26.7 local", False), ("go1.21.0 auto", True)])
async def test_an_older_go_is_of_use_where_it_may_bring_a_newer_one(
    bare: Settings, bin_folder: Path, notices: Notices, env: str, usable: bool
) -> None:
    script(bin_folder / "go", GO.replace("echo go1.26.8; echo local", f"echo {env}"))
    assert (await first(bare, Trail(notices.append)) is not None) is usable
    assert notices.said("is older than 1.26.8") is not usable


async def test_a_cancelled_build_ends_its_compilers(bare: Settings, bin_folder: Path, notices: Notices) -> None:
    note = bin_folder / "pid"
    script(
        bin_folder / "go",
        f'[ "$1" = env ] && {{ echo go1.27.0; echo auto; exit 0; }}; sleep 60 & echo $! > {note}; wait',
    )
    task = asyncio.create_task(first(bare, Trail(notices.append)))
    await until(lambda: note.exists() and note.read_text().strip())
    compiler = int(note.read_text())
    assert alive(compiler)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not alive(compiler))


@pytest.mark.parametrize("damage", ["empty", "cut", "not executable", "another machine's"])
async def test_a_damaged_copy_is_removed_said_and_made_anew(
    bare: Settings, bin_folder: Path, notices: Notices, damage: str
) -> None:
    """A cut file keeps the header of a real program of this machine."""
    server = script(pair_folder(bare.cache) / "temporal-server", SERVER)
    real = REAL.read_bytes()
    match damage:
        case "empty":
            server.write_bytes(b"")
        case "cut":
            server.write_bytes(real[: len(real) // 3])
        case "not executable":
            server.chmod(0o644)
        case _:
            # The machine's number in an ELF header stands at byte 18.
            server.write_bytes(real[:18] + b"\xf7\x00" + real[20:])
    script(bin_folder / "go", GO)
    program = await first(bare, Trail(notices.append))
    assert program
    assert program.version == "1.32.1"
    assert notices.said(f"skipped {server}: damaged")
    assert notices.said("built Temporal server")


async def test_a_copy_that_dies_when_it_is_started_is_passed_over_and_not_tried_for_ever(
    bare: Settings, bin_folder: Path, notices: Notices
) -> None:
    """It answers for its version, but the pages that serving needs are gone; what is built in its place does no better."""
    dies = f"case $1 in --version) {SERVER};; *) kill -BUS $$;; esac"
    server = script(pair_folder(bare.cache) / "temporal-server", dies)
    script(bin_folder / "go", GO.replace("echo temporal version 1.32.1", dies))
    with pytest.raises(ConfigurationInvalid, match="no Temporal server could be found or started"):
        async with temporal_server(bare, notices.append):
            pass
    assert sum("SIGBUS" in line for line in notices) == 2
    assert notices.said("built Temporal server")
    assert not server.exists()


async def test_a_program_that_ends_with_an_error_is_one_clear_error(
    bare: Settings, bin_folder: Path, notices: Notices
) -> None:
    script(
        bin_folder / "temporal", f"case $1 in --version) {TEMPORAL.format('1.32.0')};; *) echo bad flag; exit 2;; esac"
    )
    with pytest.raises(ConfigurationInvalid, match="did not start: the server ended with code 2: bad flag"):
        async with temporal_server(bare, notices.append):
            pass


def test_a_process_is_known_by_more_than_its_number() -> None:
    assert identity(os.getpid()) == identity(os.getpid()) != ""
    assert identity(os.getppid()) != identity(os.getpid())
    assert identity(0) == identity(2**22 + 1) == ""
