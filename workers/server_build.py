"""Brings server programs into the cache folder: by the SDK's download, or by building them with Go.

Prevents half-made programs: each is made in a folder of its own and renamed into place, under a lock, so two commands
that start at once make one.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from workers.server_state import try_lock
from workers.settings import child_environment

SERVER_VERSION, UI_VERSION = "1.32.1", "2.54.1"
MINIMUM_GO = (1, 26, 8)  # what server 1.32.1 asks for in its go.mod
DOWNLOAD_SECONDS = 60.0
BUILD_SECONDS = 1800.0  # 3 to 5 minutes on two cores; modules may have to be downloaded over a slow line
PROGRESS_SECONDS = 20.0
_MODULES = {
    "temporal-server": f"go.temporal.io/server/cmd/server@v{SERVER_VERSION}",
    "temporal-ui": f"github.com/temporalio/ui-server/v2/cmd/server@v{UI_VERSION}",
}


class Unavailable(Exception):
    """This way of getting a program does not work here. The text says why."""


def pair_folder(cache: Path) -> Path:
    """Where the built pair lives."""
    return cache / f"temporal-{SERVER_VERSION}"


def downloaded_path(cache: Path) -> Path:
    """Where the downloaded program lives. A newer SDK brings a newer one."""
    return cache / f"temporal-cli-sdk-{installed_version('temporalio')}" / "temporal"


async def download(cache: Path, notify: Callable[[str], None]) -> Path:
    """Let the SDK download its dev server.

    Raises:
        Unavailable: where it cannot within ``DOWNLOAD_SECONDS``.
    """
    target = downloaded_path(cache)
    async with _making(cache, notify) as workshop:
        if target.exists():
            return target
        notify("downloading the Temporal dev server (about 50 MB, once)")
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                # It is only asked for the file: what it starts is in memory, on loopback, and ended at once.
                environment = await WorkflowEnvironment.start_local(download_dest_dir=str(workshop))
                await environment.shutdown()
        except TimeoutError:
            raise Unavailable(f"the download of the dev server took more than {DOWNLOAD_SECONDS:.0f} s") from None
        except (RuntimeError, OSError) as error:
            # The address in the SDK's text helps nobody; its first words name the step that failed.
            raise Unavailable(f"the download of the dev server failed ({_brief(str(error))})") from error
        files = [path for path in workshop.iterdir() if path.is_file() and os.access(path, os.X_OK)]
        if not files:
            raise Unavailable("the download of the dev server left no program")
        target.parent.mkdir(parents=True, exist_ok=True)
        files[0].replace(target)
    return target


async def build(cache: Path, notify: Callable[[str], None]) -> Path:
    """Build server and UI with Go.

    Raises:
        Unavailable: where there is no Go that can, or the build fails.
    """
    target = pair_folder(cache)
    async with _making(cache, notify) as workshop:
        if target.exists():
            return target
        go = await _find_go()
        notify(f"building Temporal server {SERVER_VERSION} with Go: 3 to 5 minutes on two cores, once")
        began = time.monotonic()
        made = workshop / "made"
        made.mkdir()
        for name, module in _MODULES.items():
            command = [go, "install", "-ldflags", "-s -w", module]
            (workshop / name).mkdir()
            code, printed = await _with_progress(command, workshop / name, began, notify)
            if code:
                raise Unavailable(f"`go install {module}` failed ({_brief(printed, last=True)})")
            (workshop / name / "server").rename(made / name)
        made.rename(target)
        notify(f"built Temporal server {SERVER_VERSION} in {time.monotonic() - began:.0f} s, kept in {target}")
    return target


async def quiet_run(
    command: Sequence[str], *, seconds: float, folder: Path | None = None, gobin: Path | None = None
) -> tuple[int, str]:
    """Run a program to its end or its deadline. Returns its exit code and what it printed; 126 where it cannot run."""
    environment = child_environment(GOBIN=str(gobin)) if gobin else None
    spawning = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    )
    try:
        # A cancelled spawn would end the program itself, but not what it has started by then.
        process = await asyncio.shield(spawning)
    except OSError as error:
        return 126, error.strerror or str(error)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _end(await spawning)
        raise
    try:
        async with asyncio.timeout(seconds):
            printed, _ = await process.communicate()
    except TimeoutError:
        return 124, f"no end within {seconds:.0f} s"
    finally:
        await _end(process)
    return process.returncode or 0, printed.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # Its own group, so that compilers end with it: on a deadline, and on Ctrl-C here.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _find_go() -> str:
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no Go to build it with")
    code, printed = await quiet_run([go, "env", "GOVERSION", "GOTOOLCHAIN"], seconds=30)
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", printed.strip())
    if code or not found:
        raise Unavailable(f"{go} does not work ({_brief(printed)})")
    present = tuple(int(part or 0) for part in found.groups())
    # Any other setting than local lets Go bring the version that it needs.
    if present < MINIMUM_GO and printed.split()[-1] == "local":
        wanted = ".".join(map(str, MINIMUM_GO))
        raise Unavailable(f"Go {found.group(0)[2:]} is older than {wanted}, and GOTOOLCHAIN=local keeps it so")
    return go


async def _with_progress(
    command: Sequence[str], gobin: Path, began: float, notify: Callable[[str], None]
) -> tuple[int, str]:
    run = asyncio.create_task(quiet_run(command, seconds=BUILD_SECONDS, folder=gobin, gobin=gobin))
    try:
        while not (await asyncio.wait({run}, timeout=PROGRESS_SECONDS))[0]:
            notify(f"still building {gobin.name}, {time.monotonic() - began:.0f} s so far")
    finally:
        if not run.done():
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
    return run.result()


@contextlib.asynccontextmanager
async def _making(cache: Path, notify: Callable[[str], None]) -> AsyncIterator[Path]:
    """The lock of those who bring programs, and an empty folder on the same file system as the cache."""
    try:
        _prepare(cache)
        deadline, told = time.monotonic() + BUILD_SECONDS, False
        while (lock := try_lock(cache / "making.lock")) is None:
            if time.monotonic() > deadline:
                raise Unavailable(f"another command keeps {cache} locked")
            if not told:
                notify("another command is bringing the Temporal server: waiting for it")
                told = True
            await asyncio.sleep(0.2)
    except OSError as error:
        raise Unavailable(f"the cache folder {cache} cannot be used ({error.strerror})") from error
    try:
        _clean(cache)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=cache, ignore_cleanup_errors=True) as workshop:
            yield Path(workshop)
    finally:
        os.close(lock)


def _prepare(cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)


def _clean(cache: Path) -> None:
    for left in cache.glob(".making-*"):
        # A command that was killed left it: whoever lives holds the lock.
        shutil.rmtree(left, ignore_errors=True)


def _brief(text: str, *, last: bool = False) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it printed nothing"]
    return lines[-1 if last else 0].removeprefix("Failed starting Temporal dev server: ").split(" for url ")[0][:140]
