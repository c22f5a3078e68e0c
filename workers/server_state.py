"""What the dev server's processes share: its folder, its locks, and ``state.json``.

Prevents trusting a stale file: a pid may be gone or belong to another program, and a port may answer for somebody else.
Whether a keeper lives is told by the lock it holds, never by a pid; and a process is only ended where its start time and
command line are the ones that were written down when it was started.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

MINIMUM_SERVER = (1, 32)
"""The oldest server that has everything: time skipping, workflow pause, fairness."""


@dataclass(frozen=True)
class Program:
    """Something to run a dev server with."""

    kind: Literal["cli", "pair"]
    """``cli``: the ``temporal`` program, UI included. ``pair``: a server and a UI of their own."""
    server: str
    ui: str
    """Empty for ``cli``, and where a pair has no UI."""
    version: str
    """The server's version, like 1.32.1."""
    cached: bool = False
    """In our cache folder, so ours to throw away where it is damaged."""


@dataclass(frozen=True)
class State:
    """``state.json``: written by the keeper only, as one rename."""

    keeper_pid: int
    status: Literal["ready", "failed"]
    address: str = ""
    ui_url: str = ""
    http_url: str = ""
    server_pid: int = 0
    server_identity: str = ""
    ui_pid: int = 0
    ui_identity: str = ""
    version: str = ""
    program: str = ""
    """The path of the program that was started."""
    notes: tuple[str, ...] = ()
    """What the one who starts should be told, like a port that was taken."""
    failure: str = ""
    """Why the server did not start, or was given up."""
    unusable_program: bool = False
    """The program itself cannot run here; another one may."""


@dataclass(frozen=True)
class Folder:
    """``home/server``: data, logs, locks and state of one dev server."""

    path: Path

    @property
    def state(self) -> Path:
        """Where the server is. Only to be trusted while a keeper holds its lock."""
        return self.path / "state.json"

    @property
    def users(self) -> Path:
        """Held shared by every process that uses the server; who can take it exclusively knows that there is none."""
        return self.path / "users.lock"

    @property
    def start(self) -> Path:
        """Held by the one command that looks for the server and starts it where there is none."""
        return self.path / "start.lock"

    @property
    def keeper(self) -> Path:
        """Held by the keeper for its lifetime."""
        return self.path / "keeper.lock"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.path / "server.log"

    def read(self) -> State | None:
        """The state as written, or None where there is none that can be read."""
        try:
            raw = json.loads(self.state.read_bytes())
            return State(**{**raw, "notes": tuple(raw.get("notes", ()))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def write(self, state: State) -> None:
        """Replace the state in one step: a reader sees the old one or the new one."""
        draft = self.path / f".state.{os.getpid()}"
        draft.write_text(json.dumps(asdict(state), indent=1) + "\n")
        draft.replace(self.state)

    def live(self) -> State | None:
        """The state of a keeper that is alive and has a server, else None."""
        if not held(self.keeper):
            return None
        state = self.read()
        return state if state and state.status == "ready" else None


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Take a lock at once or not at all. Returns the descriptor that holds it; closing it lets go."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        # A file that was removed in between guards nothing: whoever comes next locks another one.
        if not is_file_of(descriptor, path):
            raise BlockingIOError
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_file_of(descriptor: int, path: Path) -> bool:
    """Whether the path still leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def held(path: Path) -> bool:
    """Whether another process holds the lock exclusively."""
    if not path.exists():
        return False
    descriptor = try_lock(path, shared=True)
    if descriptor is None:
        return path.exists()
    os.close(descriptor)
    return False


def identity(pid: int) -> str:
    """Start time and command line of a living process: a reused pid has others. Empty where there is none."""
    if pid <= 0:
        return ""
    if sys.platform != "linux":
        shown = subprocess.run(
            ["/bin/ps", "-p", str(pid), "-o", "lstart=,command="],
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
        return shown.stdout.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
    # Field 3 is the state and 22 the start time; a zombie has ended, only nobody has asked for its result.
    return "" if fields[0] in "ZX" else f"{fields[19]} {command}"


def end_leftovers(state: State) -> None:
    """Kill what a keeper left behind that was itself killed. Whatever is not provably ours is left alone."""
    for pid, known in ((state.server_pid, state.server_identity), (state.ui_pid, state.ui_identity)):
        if not known or identity(pid) != known:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        # A process that is ending loses its command line first, and its files and ports only then.
        began = known.partition(" ")[0]
        while identity(pid).partition(" ")[0] == began and time.monotonic() < deadline:
            time.sleep(0.02)


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of ``1.32.1`` or ``v1.33.0-rc.1``; None where it is no version."""
    parts = text.strip().removeprefix("v").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else None


def tail(log: Path, offset: int = 0) -> Iterator[str]:
    """The last lines that a program printed behind ``offset``, newest first."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        # One line with its stack trace has about 5 kB.
        file.seek(max(offset, log.stat().st_size - 65_536))
        yield from reversed(file.read().decode(errors="replace").splitlines()[-12:])


def with_children(state: State, server_pid: int, ui_pid: int) -> State:
    """The state after a (re)start of its processes."""
    return replace(
        state, server_pid=server_pid, server_identity=identity(server_pid), ui_pid=ui_pid, ui_identity=identity(ui_pid)
    )
