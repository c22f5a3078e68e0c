"""Finds or starts a Temporal server, and keeps it up for as long as a command uses it.

::

    TEMPORAL_ADDRESS or a profile ──> that server, checked
    else  users.lock (shared) ─> start.lock ─> a keeper lives? ─ yes ─> its server, shared
                                                     └─ no ──> a program ─> a keeper of its own session ─> server, UI

Two commands that start at once share one server. The one that started it may end first: the keeper, not the command,
owns the server, and ends it about two seconds after the last user is gone, however that user ended. A killed server
comes back at the same address with its data.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from activities.errors import ConfigurationInvalid
from workers.server_connect import configured_server, prepare_namespace
from workers.server_programs import Trail, discard, programs
from workers.server_start import start_keeper
from workers.server_state import Folder, State, try_lock
from workers.settings import Settings

JOIN_SECONDS = 30.0  # a keeper that is ending takes at most its 5 s for the server
WAIT_FOR_STARTER_SECONDS = 2400.0  # somebody else may be building for the better part of an hour


@dataclass(frozen=True)
class ServerInfo:
    """A Temporal server that answers."""

    address: str
    """``HOST:PORT``."""
    ui_url: str
    """Empty where there is no web UI that we know of."""
    version: str
    """Like 1.32.1; empty where the server does not tell."""
    origin: Literal["configured", "started", "shared"]
    skipped: tuple[str, ...] = ()
    """Programs that were passed over, each with the reason."""
    http_url: str = ""
    """Where its HTTP API is, of a dev server; empty where that is not known."""


@asynccontextmanager
async def temporal_server(settings: Settings, notify: Callable[[str], None]) -> AsyncIterator[ServerInfo]:
    """A server for as long as the context lasts, in the order of the design.

    Raises:
        ConfigurationInvalid: where the configured server does not answer, or none can be started.
    """
    configured = await configured_server(notify)
    if configured:
        yield ServerInfo(configured.address, "", configured.version, "configured")
        return
    async with _own_server(settings, notify) as info:
        yield info


@asynccontextmanager
async def dev_server(home: Path, *, notify: Callable[[str], None] = lambda _: None) -> AsyncIterator[ServerInfo]:
    """A dev server of its own on free ports, also where the environment names another server. For tests."""
    async with _own_server(Settings(home=home, temporal_port=0, ui_port=0), notify) as info:
        yield info


async def running_server(settings: Settings) -> ServerInfo | None:
    """The configured server, or the dev server of this home where it is running. Starts nothing.

    Raises:
        ConfigurationInvalid: where the configured server does not answer.
    """
    configured = await configured_server(lambda _: None)
    if configured:
        return ServerInfo(configured.address, "", configured.version, "configured")
    state = _folder(settings).live()
    return _info(state, "shared") if state else None


@asynccontextmanager
async def _own_server(settings: Settings, notify: Callable[[str], None]) -> AsyncIterator[ServerInfo]:
    folder = _folder(settings)
    with _usable(folder):
        folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        users = await _lock(folder.users, JOIN_SECONDS, shared=True)
    try:
        with _usable(folder):
            start = await _lock(folder.start, WAIT_FOR_STARTER_SECONDS, notify=notify)
        try:
            info = await _find_or_start(settings, folder, notify)
        finally:
            os.close(start)
        yield info
    finally:
        os.close(users)


async def _find_or_start(settings: Settings, folder: Folder, notify: Callable[[str], None]) -> ServerInfo:
    state = folder.live()
    if state:
        await prepare_namespace(state.address, folder.log)
        notify(f"sharing the Temporal server {state.version} at {state.address}")
        return _info(state, "shared")
    trail = Trail(notify)
    state = await _start(settings, folder, trail)
    for note in state.notes:
        notify(note)
    await prepare_namespace(state.address, folder.log)
    notify(f"started Temporal server {state.version} at {state.address}")
    return _info(state, "started", tuple(trail.skipped))


def _info(state: State, origin: Literal["started", "shared"], skipped: tuple[str, ...] = ()) -> ServerInfo:
    return ServerInfo(state.address, state.ui_url, state.version, origin, skipped, state.http_url)


async def _start(settings: Settings, folder: Folder, trail: Trail) -> State:
    async with aclosing(programs(settings, trail)) as candidates:
        async for program in candidates:
            state = await start_keeper(folder, program, settings.temporal_port, settings.ui_port)
            if state.status == "ready":
                return state
            if not state.unusable_program:
                raise ConfigurationInvalid(
                    f"the Temporal server did not start: {state.failure}",
                    fix=f"read {folder.log}; if its data is damaged, move {folder.path} away",
                )
            trail.skip(f"skipped {program.server}: {state.failure}")
            discard(program)
    raise trail.error()


async def _lock(
    path: Path, seconds: float, *, shared: bool = False, notify: Callable[[str], None] | None = None
) -> int:
    deadline = time.monotonic() + seconds
    while (lock := try_lock(path, shared=shared)) is None:
        if time.monotonic() > deadline:
            raise ConfigurationInvalid(
                f"another process keeps {path} locked",
                fix="end the other ostinato commands of this folder, then try again",
            )
        if notify and deadline - time.monotonic() < seconds - 2:
            notify("another command is starting the Temporal server: waiting for it")
            notify = None
        await asyncio.sleep(0.05)
    return lock


@contextlib.contextmanager
def _usable(folder: Folder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationInvalid(
            f"the folder {folder.path} cannot be used for the server's data: {error.strerror}",
            fix="set OSTINATO_HOME to a folder on a local disk that you can write to",
        ) from error


def _folder(settings: Settings) -> Folder:
    return Folder(settings.home.expanduser().absolute() / "server")
