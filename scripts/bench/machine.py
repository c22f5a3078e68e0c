"""What the bench was run on, so that its figures can be read a year from now."""

import asyncio
import os
import platform
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

GIT_SECONDS = 5.0


class Machine(BaseModel):
    """Hardware, software and date."""

    model_config = ConfigDict(frozen=True)

    cpu: str
    cores: int
    system: str
    python: str
    temporalio: str
    server: str
    commit: str
    """Empty outside of a git tree; ``+`` at its end: with changes."""
    date: str


async def describe_machine(server: str) -> Machine:
    """Look around."""
    return Machine(
        cpu=await asyncio.to_thread(_cpu),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        temporalio=version("temporalio"),
        server=server,
        commit=await _commit(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


async def _commit() -> str:
    described = await _git("describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+")
    return described.strip()


async def _git(*arguments: str) -> str:
    program = shutil.which("git")
    if not program:
        return ""
    folder = Path(__file__).parent
    process = await asyncio.create_subprocess_exec(
        program, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(GIT_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode() if process.returncode == 0 else ""
