"""The health endpoint of a worker process: ``/healthz`` says that it lives, ``/readyz`` that it takes work.

Prevents two mistakes of an orchestrator: ending a worker that only waits for its server, and counting on one that
drains or polls nobody. Written on asyncio's streams: a general web server would take over the signals that drain a
worker, and lets a silent connection stay for ever.

::

    starting ── ready() ──> ready <── server answers ──> unreachable
                              └────────── drain() ──────────> draining
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import ConfigurationInvalid

UNREACHABLE_SECONDS = 5.0
"""How long the server may be silent before this worker says so: a restart of it takes one or two."""
LOOK_SECONDS = 1.0
REQUEST_SECONDS = 3.0
"""Bound of one request and its answer; a probe sends one line and a few headers at once."""
MAX_REQUEST_BYTES = 8 * 1024
MAX_CONNECTIONS = 32
"""Further ones are closed unanswered: a probe that finds so many is one of an attack."""
_RPC = timedelta(seconds=2)


class Health:
    """What one worker process says of itself."""

    def __init__(self, unreachable_seconds: float = UNREACHABLE_SECONDS) -> None:
        self._unreachable_seconds = unreachable_seconds
        self.address = ""
        """Where it is asked, ``HOST:PORT``; empty where it is not."""
        self._phase = "starting"
        self._answered = time.monotonic()
        self._connections = 0

    def ready(self) -> None:
        """The pools poll."""
        if self._phase == "starting":
            self._phase = "ready"

    def drain(self) -> None:
        """No more work from now on. Safe in a signal handler; nothing leads back."""
        self._phase = "draining"

    @property
    def state(self) -> str:
        """``starting``, ``ready``, ``unreachable`` (the server has not answered for some seconds) or ``draining``."""
        silent = time.monotonic() - self._answered > self._unreachable_seconds
        return "unreachable" if self._phase == "ready" and silent else self._phase

    async def watch(self, client: Client) -> None:
        """Ask the server again and again whether it is there, until cancelled."""
        while True:
            with contextlib.suppress(RPCError):
                await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_RPC)
                self._answered = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: one request, one answer, closed."""
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._respond(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who sends no request gets no answer
        finally:
            self._connections -= 1
            writer.close()

    def _respond(self, head: bytes) -> bytes:
        method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        state = self.state
        if path not in {b"/healthz", b"/readyz"}:
            status, said = "404 Not Found", "unknown"
        elif method not in {b"GET", b"HEAD"}:
            status, said = "405 Method Not Allowed", "unknown"
        elif path == b"/readyz" and state != "ready":
            status, said = "503 Service Unavailable", state
        else:
            # That this event loop got here is the proof of life.
            status, said = "200 OK", state
        body = json.dumps({"state": said}).encode() + b"\n"
        headers = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        return headers.encode() + (b"" if method == b"HEAD" else body)


@asynccontextmanager
async def serving_health(address: str, unreachable_seconds: float = UNREACHABLE_SECONDS) -> AsyncIterator[Health]:
    """The health of this process, to be asked at ``HOST:PORT`` for as long as the context lasts; nowhere where empty.

    Raises:
        ConfigurationInvalid: the address cannot be listened on.
    """
    health = Health(unreachable_seconds)
    if not address:
        yield health
        return
    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.start_server(
            health.answer, host.strip("[]"), int(port), limit=MAX_REQUEST_BYTES, backlog=MAX_CONNECTIONS
        )
    except (OSError, OverflowError) as error:
        raise ConfigurationInvalid(
            f"the health endpoint cannot listen on {address}: {getattr(error, 'strerror', None) or error}",
            fix="set OSTINATO_HEALTH_ADDRESS to a free HOST:PORT of this machine, or to nothing",
        ) from error
    name = server.sockets[0].getsockname()
    health.address = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    try:
        yield health
    finally:
        server.close()
