"""One server for whoever needs it: owner, second user, and the last one out."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, PollWorkflowTaskQueueRequest
from temporalio.client import Client

from activities.errors import ConfigurationInvalid
from tests.workers.server.server_support import Notices, alive, all_gone, stays, until
from workers.server import running_server, temporal_server
from workers.server_state import Folder, State
from workers.settings import Settings

pytestmark = [pytest.mark.serial, pytest.mark.usefixtures("plain_environment")]

USER = """
import asyncio, sys
from pathlib import Path
from workers.server import temporal_server
from workers.settings import Settings

async def main():
    settings = Settings(home=Path(sys.argv[1]), temporal_port=0, ui_port=0)
    async with temporal_server(settings, lambda _: None) as info:
        print(info.origin, info.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

asyncio.run(main())
"""


@asynccontextmanager
async def other_user(home: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    """Another command that uses the server until its input ends: the process, the origin and the address it saw."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", USER, str(home), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        origin, address = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        yield process, origin, address
    finally:
        process.stdin.close()
        if process.returncode is None:
            await asyncio.wait_for(process.wait(), 30)


def live(folder: Folder) -> State:
    state = folder.live()
    assert state
    return state


async def test_the_owner_gets_a_usable_server_with_its_ui_and_leaves_nothing_running(
    settings: Settings, folder: Folder, notices: Notices
) -> None:
    async with temporal_server(settings, notices.append) as info:
        assert (info.origin, info.skipped) == ("started", ())
        assert tuple(map(int, info.version.split(".")[:2])) >= (1, 32)
        client = await Client.connect(info.address)
        described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        assert described.config.workflow_execution_retention_ttl.ToTimedelta().days == 30
        await client.start_workflow("nobody", id="one", task_queue="none")
        async with httpx.AsyncClient() as web:
            await until_answers(web, info.ui_url)
        state = live(folder)
        assert (folder.path / "temporal.db").exists()
    await all_gone(folder, state.server_pid, state.ui_pid, state.keeper_pid)
    assert not folder.state.exists()
    assert notices.said(f"started Temporal server {info.version}")


async def until_answers(web: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                answer = await web.get(url, follow_redirects=True)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                assert "<html" in answer.text
                return


async def test_two_that_start_at_once_share_one_keeper(settings: Settings, folder: Folder) -> None:
    async with other_user(settings.home) as first, other_user(settings.home) as second:
        assert {first[1], second[1]} <= {"started", "shared"}
        assert first[2] == second[2] == live(folder).address

    async def origin() -> str:
        async with temporal_server(settings, lambda _: None) as info:
            return info.origin

    async with temporal_server(settings, lambda _: None):
        assert set(await asyncio.gather(origin(), origin(), origin())) == {"shared"}


async def test_commands_that_race_for_the_start_start_once(settings: Settings) -> None:
    async def use() -> tuple[str, str]:
        async with temporal_server(settings, lambda _: None) as info:
            return info.origin, info.address

    origins, addresses = zip(*await asyncio.gather(use(), use(), use(), use()), strict=True)
    assert sorted(origins) == ["shared", "shared", "shared", "started"]
    assert len(set(addresses)) == 1


async def test_the_server_lives_on_when_its_owner_exits_first(
    settings: Settings, folder: Folder, notices: Notices
) -> None:
    async with other_user(settings.home) as (owner, origin, address):
        assert origin == "started"
        async with temporal_server(settings, notices.append) as info:
            assert (info.origin, info.address) == ("shared", address)
            state = live(folder)
            assert owner.stdin
            owner.stdin.close()
            await asyncio.wait_for(owner.wait(), 30)
            # The keeper looks once a second and lingers for two: longer than both.
            await stays(lambda: alive(state.server_pid) and folder.live() == state, 4)
            await (await Client.connect(address)).count_workflows()
    await all_gone(folder, state.server_pid, state.ui_pid, state.keeper_pid)


async def test_a_killed_last_user_leaves_nothing_running(settings: Settings, folder: Folder) -> None:
    async with other_user(settings.home) as (user, _, _):
        state = live(folder)
        user.kill()
        await user.wait()
        await all_gone(folder, state.server_pid, state.ui_pid, state.keeper_pid)


async def test_ctrl_c_at_a_command_does_not_reach_the_server(settings: Settings, folder: Folder) -> None:
    async with temporal_server(settings, lambda _: None):
        state = live(folder)
        ours = os.getsid(0)
        assert all(os.getsid(pid) != ours for pid in (state.keeper_pid, state.server_pid))


async def restarted(folder: Folder, before: State) -> None:
    await until(lambda: live(folder).server_pid != before.server_pid, 10)


async def test_a_killed_server_comes_back_at_its_address_with_its_data(settings: Settings, folder: Folder) -> None:
    async with temporal_server(settings, lambda _: None) as info:
        client = await Client.connect(info.address)
        await client.start_workflow("nobody", id="kept", task_queue="none")
        for _ in range(2):
            before = live(folder)
            os.kill(before.server_pid, signal.SIGKILL)
            await restarted(folder, before)
            assert live(folder).address == info.address
            async with asyncio.timeout(15):
                assert (await client.get_workflow_handle("kept").describe()).status is not None


async def test_a_killed_ui_comes_back(settings: Settings, folder: Folder) -> None:
    async with temporal_server(settings, lambda _: None) as info:
        before = live(folder)
        if not before.ui_pid:
            pytest.skip("this program brings its own UI")
        os.kill(before.ui_pid, signal.SIGKILL)
        await until(lambda: live(folder).ui_pid not in (0, before.ui_pid))
        async with httpx.AsyncClient() as web:
            await until_answers(web, info.ui_url)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends what a killed keeper left")
async def test_a_killed_keeper_takes_its_server_along_and_the_next_start_is_quick(
    settings: Settings, folder: Folder
) -> None:
    async with temporal_server(settings, lambda _: None) as info:
        state = live(folder)
        client = await Client.connect(info.address)
        await client.start_workflow("nobody", id="kept", task_queue="none")
        os.kill(state.keeper_pid, signal.SIGKILL)
        await all_gone(folder, state.server_pid, state.ui_pid)
        assert await running_server(settings) is None
        async with temporal_server(settings, lambda _: None) as again:
            assert again.origin == "started"
            client = await Client.connect(again.address)
            assert (await client.get_workflow_handle("kept").describe()).status is not None
            # Work that goes to a port of the old server, still in the member list, would wait for 40 s here.
            async with asyncio.timeout(15):
                for number in range(8):
                    await hand_out_work(client, f"queue-{number}")


async def hand_out_work(client: Client, queue: str) -> None:
    """Start a workflow and take its first task, as a worker would: through frontend, history and matching."""
    started = await client.start_workflow("nobody", id=queue, task_queue=queue)
    task = await client.workflow_service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue)),
        timeout=timedelta(seconds=30),
    )
    assert task.workflow_execution.workflow_id == started.id


async def test_a_stale_state_is_replaced_and_strangers_in_it_are_left_alone(
    settings: Settings, folder: Folder, taken_port: int
) -> None:
    """The recorded pid was reused by a program that is not ours, and the recorded port answers for another one."""
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    folder.path.mkdir(parents=True)
    for lock in (folder.users, folder.start, folder.keeper):
        lock.touch()
    stale = State(
        999_999_999,
        "ready",
        address=f"127.0.0.1:{taken_port}",
        server_pid=stranger.pid,
        server_identity=f"1 temporal-server --config-file {folder.path}/server.yaml",
    )
    folder.write(stale)
    try:
        assert await running_server(settings) is None
        async with temporal_server(settings, lambda _: None) as info:
            assert info.origin == "started"
            assert info.address != stale.address
            assert alive(stranger.pid)
    finally:
        stranger.kill()
        await stranger.wait()


async def test_an_unreadable_state_is_replaced(settings: Settings, folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    folder.state.write_text('{"keeper_pid": "half a fi')
    async with temporal_server(settings, lambda _: None) as info:
        assert live(folder).address == info.address


async def test_a_taken_port_is_replaced_and_said(tmp_path: Path, notices: Notices, taken_port: int) -> None:
    settings = Settings(home=tmp_path / "home", temporal_port=taken_port, ui_port=taken_port)
    async with temporal_server(settings, notices.append) as info:
        assert not info.address.endswith(f":{taken_port}")
        assert notices.said(f"port {taken_port} is taken: the server uses port {info.address.rpartition(':')[2]}")
        assert notices.said(f"port {taken_port} is taken: the web UI uses port")


async def test_a_free_wanted_port_is_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    async with temporal_server(Settings(home=tmp_path / "home", temporal_port=port, ui_port=0), lambda _: None) as info:
        assert info.address == f"127.0.0.1:{port}"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_nothing_listens_beyond_loopback(settings: Settings, folder: Folder) -> None:
    async with temporal_server(settings, lambda _: None) as info, httpx.AsyncClient() as web:
        await until_answers(web, info.ui_url)
        state = live(folder)
        listening = [at for pid in (state.server_pid, state.ui_pid, state.keeper_pid) if pid for at in listeners(pid)]
        assert len(listening) >= 3
        assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}
        assert {port for _, port in listening} >= {
            int(info.address.rpartition(":")[2]),
            int(info.ui_url.rpartition(":")[2]),
        }


def listeners(pid: int) -> list[tuple[str, int]]:
    """Address and port of every TCP socket that the process listens on."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    inodes = {match.group(1) for link in links if (match := re.match(r"socket:\[(\d+)\]", link))}
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == "0A" and fields[9] in inodes:
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                found.append((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


async def test_looking_does_not_start(settings: Settings, folder: Folder) -> None:
    assert await running_server(settings) is None
    assert not folder.path.exists()
    async with temporal_server(settings, lambda _: None) as info:
        seen = await running_server(settings)
        assert seen
        assert (seen.address, seen.ui_url, seen.origin) == (info.address, info.ui_url, "shared")


async def test_a_removed_home_ends_its_server_and_a_new_one_has_its_own(
    settings: Settings, folder: Folder, tmp_path: Path
) -> None:
    async with temporal_server(settings, lambda _: None):
        state = live(folder)
        settings.home.rename(tmp_path / "moved")
        async with temporal_server(settings, lambda _: None) as info:
            assert info.origin == "started"
            await until(lambda: not any(map(alive, (state.server_pid, state.ui_pid))))


async def test_strange_characters_in_the_path_do_no_harm(tmp_path: Path) -> None:
    home = tmp_path / "a b?c#d%41'é{{ .x }}"
    async with temporal_server(Settings(home=home, temporal_port=0, ui_port=0), lambda _: None):
        assert (home / "server" / "temporal.db").stat().st_size > 0


async def test_damaged_data_is_one_clear_error(settings: Settings, folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "temporal.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigurationInvalid, match=r"did not start.*not a database") as raised:
        async with temporal_server(settings, lambda _: None):
            pass
    assert str(folder.log) in raised.value.fix
    await all_gone(folder)


async def test_a_home_that_cannot_be_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationInvalid, match="cannot be used") as raised:
        async with temporal_server(Settings(home=tmp_path / "file"), lambda _: None):
            pass
    assert "OSTINATO_HOME" in raised.value.fix
