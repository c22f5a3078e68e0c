"""One program that the keeper keeps up: started, started again when it ends, and ended with the keeper."""

import contextlib
import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workers.server_config import DATABASE
from workers.server_state import Folder

STOP_SECONDS = 5.0  # it takes about 1 s; the file survives a kill
MAX_RESTARTS, RESTART_WINDOW_SECONDS = 20, 600.0
MAX_LOG_BYTES = 10_000_000  # per file, looked at when its program starts
PR_SET_PDEATHSIG = 1


class GivenUp(Exception):
    """The server cannot be started, or not be kept up. The text says why."""

    def __init__(self, reason: str, *, unusable_program: bool = False) -> None:
        super().__init__(reason)
        self.unusable_program = unusable_program


@dataclass
class Child:
    """One program that is started again when it ends, at the same ports."""

    name: str
    command: Sequence[str]
    folder: Folder
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=deque)
    due: float | None = None
    log_offset: int = 0
    """Where in the log its present life begins."""

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder.path / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Its process, or 0."""
        return self.process.pid if self.process else 0

    def start(self) -> None:
        """Start it. A program that cannot be executed at all gives up at once."""
        if not self.command:
            return
        if self.name == "server":
            forget_members(self.folder.path / DATABASE)
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > MAX_LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
        keeper_pid = os.getpid()
        try:
            with self.log.open("ab") as log:
                self.log_offset = log.tell()
                self.process = subprocess.Popen(
                    self.command,
                    cwd=self.folder.path,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=lambda: die_with(keeper_pid),  # noqa: PLW1509 - the keeper has one thread only
                )
        except OSError as error:
            raise GivenUp(f"{self.command[0]} cannot be executed ({error.strerror})", unusable_program=True) from error
        self.due = None

    def tend(self) -> bool:
        """Start it again where it ended, after a pause that grows. Whether it was started."""
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.process = None
            self.deaths.append(now)
            while self.deaths and self.deaths[0] < now - RESTART_WINDOW_SECONDS:
                self.deaths.popleft()
            if len(self.deaths) > MAX_RESTARTS:
                raise GivenUp(f"the {self.name} ended {len(self.deaths)} times within 10 minutes, see {self.log}")
            recent = sum(1 for death in self.deaths if death > now - 60)
            # At once after the first death, then 0.2 s, 0.4 s, ... up to 10 s.
            self.due = now + (0 if recent < 2 else min(10.0, 0.1 * 2.0 ** (recent - 1)))
        if self.due is None or now < self.due:
            return False
        self.start()
        return True

    def stop(self, deadline: float) -> None:
        """End it, by force where it does not until the deadline."""
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)


def forget_members(database: Path) -> None:
    """Take a killed server's entries out of its member list; it is stopped now, and nobody else has the file.

    Otherwise its successor sends work to ports where nobody listens any more: a first workflow was seen to take 43 s.
    """
    if not database.exists():
        return
    # A file that cannot be read is for the server to report, with the reason.
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(database, timeout=5)) as connection:
        connection.execute("DELETE FROM cluster_membership")
        connection.commit()


def die_with(keeper_pid: int) -> None:
    """Runs in the child: it is killed when the keeper is (Linux). Elsewhere the next start ends what was left."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper_pid:
            os._exit(1)
