"""The health endpoint: what it says in each state, and that nobody can hold it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from activities.errors import ConfigurationInvalid
from workers.client import connect
from workers.health import MAX_CONNECTIONS, MAX_REQUEST_BYTES, REQUEST_SECONDS, Health, serving_health
from workers.server import ServerInfo
from workers.settings import Settings, load_settings


async def ask(health: Health, request: bytes) -> bytes:
    """Send bytes to the endpoint, and read until it closes."""
    host, _, port = health.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        async with asyncio.timeout(REQUEST_SECONDS + 5):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def status(health: Health, path: str) -> int:
    answer = await ask(health, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return int(answer.split()[1])


async def until(health: Health, state: str) -> None:
    async with asyncio.timeout(20):
        while health.state != state:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def line_to(address: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A line to a server that is up while the event is set."""
    host, _, port = address.rpartition(":")
    up = asyncio.Event()
    up.set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if not up.is_set():
                    break
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not up.is_set():
            writer.close()
            return
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(carry(reader, back), carry(there, writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}", up
    proxy.close()


async def test_readiness_follows_start_server_and_drain(server: ServerInfo, settings: Settings) -> None:
    async with serving_health("127.0.0.1:0", 2.5) as health, line_to(server.address) as (address, line):
        health._unreachable_seconds = 1.5
        watching = asyncio.create_task(health.watch(await connect(settings, address=address)))
        assert (await status(health, "/healthz"), await status(health, "/readyz")) == (200, 503)
        health.ready()
        assert (await status(health, "/healthz"), await status(health, "/readyz")) == (200, 200)
        line.clear()
        await until(health, "unreachable")
        assert (await status(health, "/healthz"), await status(health, "/readyz")) == (200, 503)
        line.set()
        await until(health, "ready")
        assert await status(health, "/readyz") == 200
        health.drain()
        health.ready()
        assert (await status(health, "/healthz"), await status(health, "/readyz")) == (200, 503)
        watching.cancel()


async def test_what_is_no_probe_gets_no_more_than_an_answer() -> None:
    async with serving_health("127.0.0.1:0") as health:
        assert await status(health, "/") == 404
        assert await status(health, "/healthz?x=1") == 200
        assert (await ask(health, b"POST /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        head = await ask(health, b"HEAD /healthz HTTP/1.1\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert head.endswith(b"\r\n\r\n")
        assert await ask(health, b"\r\n\r\n") != b""
        assert await ask(health, b"GET /" + b"a" * 4 * MAX_REQUEST_BYTES) == b""
        assert await ask(health, bytes(range(256)) * 200) == b""


async def test_silent_connections_are_bounded_in_number_and_time() -> None:
    async with serving_health("127.0.0.1:0") as health:
        host, _, port = health.address.rpartition(":")
        begun = asyncio.get_running_loop().time()
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(MAX_CONNECTIONS)]
        assert await ask(health, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
        async with asyncio.timeout(REQUEST_SECONDS + 5):
            assert [await reader.read() for reader, _ in silent] == [b""] * MAX_CONNECTIONS
        assert asyncio.get_running_loop().time() - begun >= REQUEST_SECONDS - 0.5
        assert await status(health, "/healthz") == 200
        for _, writer in silent:
            writer.close()


async def test_an_address_that_cannot_be_used_is_said() -> None:
    async with serving_health("127.0.0.1:0") as taken:
        for address in (taken.address, "127.0.0.1:99999", "192.0.2.1:80"):
            with pytest.raises(ConfigurationInvalid) as raised:
                async with serving_health(address):
                    pass
            assert "OSTINATO_HEALTH_ADDRESS" in raised.value.fix
    for wrong in ("8080", "host", ":8080", "a b:1", "host:port"):
        with pytest.raises(ConfigurationInvalid):
            load_settings(health_address=wrong)
    async with serving_health("") as nowhere:
        assert nowhere.address == ""
