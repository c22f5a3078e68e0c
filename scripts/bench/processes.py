"""Starting, reading, weighing and ending the bench's worker processes."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from activities.errors import OstinatoError
from scripts.bench.served import READY
from workers.server import ServerInfo
from workers.settings import child_environment

START_SECONDS = 60.0
"""It takes two; a machine with other work takes longer."""
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Served:
    """One worker process, ready."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def line(self, seconds: float) -> str:
        """The next line that it prints; empty where it has ended.

        Raises:
            TimeoutError: it prints none in time.
        """
        assert self.process.stdout  # noqa: S101 -- it was started with a pipe
        async with asyncio.timeout(seconds):
            return (await self.process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def served(role: str, server: ServerInfo, home: Path, *more: str) -> AsyncIterator[Served]:
    """A worker process for as long as the context lasts.

    Raises:
        OstinatoError: it does not come up; its last lines are on standard error.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.bench.served", role, str(home), server.address, *more),
        cwd=_ROOT,
        env=child_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    worker = Served(process)
    try:
        with contextlib.suppress(TimeoutError):
            if await worker.line(START_SECONDS) == READY:
                yield worker
                return
        raise OstinatoError(f"the bench's worker process {role!r} did not come up")
    finally:
        await worker.kill()


async def resident_mb(pid: int) -> float | None:
    """Resident memory of a process in MB; absent where neither ``/proc`` nor ``ps`` tells."""
    if (pages := await asyncio.to_thread(_pages, pid)) is not None:
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    program = shutil.which("ps")
    if not program:
        return None
    process = await asyncio.create_subprocess_exec(
        program, "-o", "rss=", "-p", str(pid), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return int(output) * 1024 / 1e6 if output.strip().isdigit() else None


async def peak_mb(pid: int) -> float | None:
    """The most that a process has had in resident memory so far, in MB; absent where ``/proc`` does not tell."""
    return await asyncio.to_thread(_peak, pid)


def _peak(pid: int) -> float | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None


def _pages(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
