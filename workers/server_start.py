"""Starts a keeper as a process of its own, and waits for what it reports."""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from workers.server_state import Folder, Program, State
from workers.settings import child_environment

START_SECONDS = 120.0  # three attempts of the keeper at 30 s each, and room
INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What the server's processes see of the environment: no keys, and no variables that would change the server."""
ROOT = Path(__file__).resolve().parent.parent


async def start_keeper(folder: Folder, program: Program, port: int, ui_port: int) -> State:
    """Start a keeper with a program. Returns its report: ready, or failed with the reason."""
    argument = {"folder": str(folder.path), "program": asdict(program), "port": port, "ui_port": ui_port}
    output = folder.path / "keeper.log"
    pid = _spawn(json.dumps(argument), output)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        # Asked in this order: what it wrote before it ended is there when it has ended.
        ended = _has_ended(pid)
        state = folder.read()
        if state and state.keeper_pid == pid and (ended or state.status == "ready"):
            return state
        if ended:
            return State(pid, "failed", failure=f"its keeper ended early, see {output}")
        await asyncio.sleep(0.02)
    return State(pid, "failed", failure=f"its keeper did not report within {START_SECONDS:.0f} s, see {output}")


def _spawn(argument: str, output: Path) -> int:
    # The user's own folder may have a `workers` too: -P keeps it out, and our root is named.
    command = [sys.executable, "-P", "-m", "workers.server_keeper", argument]
    # Not a subprocess of Python's kind: it outlives us on purpose. A session of its own keeps Ctrl-C from it.
    return os.posix_spawn(
        sys.executable,
        command,
        child_environment(*INHERITED, PYTHONPATH=str(ROOT)),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # somebody else asked for its result
        return True
