"""Small watchers for tests that start and kill servers of their own."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from workers.server_state import Folder, held, identity


class Notices(list[str]):
    """Collects what the user would be told."""

    def said(self, text: str) -> bool:
        return any(text in line for line in self)


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition; generous, as two busy cores are slow."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.02)


async def stays(condition: Callable[[], object], seconds: float) -> None:
    """See that a condition holds for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition()
        await asyncio.sleep(0.05)


def alive(pid: int) -> bool:
    return bool(identity(pid))


async def all_gone(folder: Folder, *pids: int) -> None:
    await until(lambda: not held(folder.keeper) and not any(map(alive, pids)))


def script(path: Path, body: str) -> Path:
    """A stand-in program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
