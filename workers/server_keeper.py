"""The keeper: a process of its own that runs the dev server and its UI for as long as anybody uses them.

Prevents two things: a server that dies with the command that happened to start it, under the feet of a second one; and a
server that nobody needs and nobody ends. Users hold a shared lock for their lifetime, however they end; the keeper ends
with the last of them. It imports no SDK: it is up within a tenth of a second, and small.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workers.server_child import STOP_SECONDS, Child, GivenUp
from workers.server_config import HOST, Ports, choose_ports, server_command, ui_command, write_files
from workers.server_state import (
    Folder,
    Program,
    State,
    end_leftovers,
    is_file_of,
    tail,
    try_lock,
    with_children,
)

START_ATTEMPTS = 3  # each with other ports: losing a race for one of ten ports three times over is no accident
START_SECONDS = 30.0  # it takes 0.2 s; a busy machine takes longer
LINGER_SECONDS = 2.0  # without a user; long enough for one command to follow another on the same server


class Keeper:
    """Starts one server and one UI, and keeps them up until nobody uses them."""

    def __init__(self, folder: Folder, program: Program, port: int, ui_port: int) -> None:
        self._folder = folder
        self._program = program
        self._wanted = (port, ui_port)
        self._server = Child("server", (), folder)
        self._ui = Child("ui", (), folder)
        self._state = State(os.getpid(), "failed", version=program.version, program=program.server)
        self._users = os.open(folder.users, os.O_RDWR | os.O_CREAT, 0o600)
        self._asked_to_stop = False
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> int:
        """The keeper's life. Its result is the process's exit code."""
        self._listen()
        code = 0
        try:
            self._start()
            self._keep()
            self._folder.state.unlink(missing_ok=True)
        except GivenUp as error:
            failed = replace(self._state, status="failed", failure=str(error), unusable_program=error.unusable_program)
            self._folder.write(failed)
            code = 1
        finally:
            deadline = time.monotonic() + STOP_SECONDS
            self._ui.stop(deadline)
            self._server.stop(deadline)
        return code

    def _listen(self) -> None:
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self._asked_to_stop = True

    def _sleep(self, seconds: float) -> None:
        """Until the time is over, a child ended, or somebody asked to stop."""
        if select.select([self._wake_read], [], [], max(0.0, seconds))[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)

    def _start(self) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            ports, notes = choose_ports(*self._wanted)
            write_files(self._folder.path, ports)
            self._server.command = server_command(self._program, self._folder.path, ports)
            self._server.start()
            if self._comes_up(ports, last=attempt == START_ATTEMPTS):
                break
        self._ui.command = ui_command(self._program, self._folder.path)
        has_ui = self._program.kind == "cli" or bool(self._ui.command)
        try:
            self._ui.start()
        except GivenUp as error:
            # Runs do not need the UI, so its failure is only said.
            self._ui.command, has_ui, notes = (), False, (*notes, f"no web UI: {error}")
        self._state = replace(
            self._state,
            status="ready",
            address=f"{HOST}:{ports.frontend}",
            ui_url=f"http://{HOST}:{ports.ui}" if has_ui else "",
            http_url=f"http://{HOST}:{ports.http}",
            notes=notes,
        )
        self._publish()

    def _comes_up(self, ports: Ports, *, last: bool) -> bool:
        """Wait for both of its doors: one alone could be another program that was faster at that port."""
        deadline = time.monotonic() + START_SECONDS
        waiting = [ports.frontend, ports.http]
        while time.monotonic() < deadline and not self._asked_to_stop:
            returncode = self._server.process.poll() if self._server.process else 0
            if returncode is not None:
                self._explain_end(returncode, last=last)
                return False
            waiting = [port for port in waiting if not answers(port)]
            if not waiting:
                return True
            self._sleep(0.02)
        raise GivenUp(f"the server did not listen within {START_SECONDS:.0f} s, see {self._folder.log}")

    def _explain_end(self, returncode: int, *, last: bool) -> None:
        printed = list(tail(self._folder.log, self._server.log_offset))
        if not last and any("address already in use" in line for line in printed):
            return
        if returncode < 0:
            # A damaged file dies of a signal (SIGBUS, SIGSEGV, SIGILL); a healthy server ends with a code.
            reason = f"{self._program.server} was ended by {signal.Signals(-returncode).name}"
            raise GivenUp(reason, unusable_program=True)
        raise GivenUp(f"the server ended with code {returncode}: {summary(printed)}")

    def _keep(self) -> None:
        alone_since: float | None = None
        while not self._asked_to_stop:
            # Both are tended, so no short cut.
            started = [child.tend() for child in (self._server, self._ui)]
            if any(started):
                self._publish()
            if not self._nobody():
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
            elif time.monotonic() - alone_since >= LINGER_SECONDS:
                # The lock is taken for good now: who comes next waits until all is stopped, and then starts anew.
                if not is_file_of(self._users, self._folder.users) or try_lock(self._folder.users) is not None:
                    return
                alone_since = None
            pauses = [1.0, *(child.due - time.monotonic() for child in (self._server, self._ui) if child.due)]
            self._sleep(min(pauses))

    def _nobody(self) -> bool:
        # A folder that was removed has no users that could be counted, and no data to keep up.
        if not is_file_of(self._users, self._folder.users):
            return True
        descriptor = try_lock(self._folder.users)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is not None

    def _publish(self) -> None:
        self._state = with_children(self._state, self._server.pid, self._ui.pid)
        self._folder.write(self._state)


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def summary(printed: Sequence[str]) -> str:
    """The newest line without its stack trace; of a long one the end, where its cause stands."""
    line = next((line.strip() for line in printed if line.strip()), "it printed nothing")
    with contextlib.suppress(ValueError, AttributeError):
        entry = json.loads(line)
        line = str(entry.get("error") or entry.get("msg"))
    return line if len(line) <= 250 else "…" + line[-250:]


def main(argument: str) -> int:
    """``argument`` is JSON: folder, program, port, ui_port. One keeper a folder; a second one leaves at once."""
    wanted = json.loads(argument)
    folder = Folder(Path(wanted["folder"]))
    os.chdir(folder.path)
    deadline = time.monotonic() + 5
    # Somebody who asks whether there is a keeper holds its lock for a moment.
    while (lock := try_lock(folder.keeper)) is None:
        if time.monotonic() > deadline:
            return 3
        time.sleep(0.05)
    try:
        left = folder.read()
        if left:
            end_leftovers(left)
        return Keeper(folder, Program(**wanted["program"]), wanted["port"], wanted["ui_port"]).run()
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
