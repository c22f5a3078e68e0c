"""Finds a program to run the dev server with, in this order: the user's ``temporal``, our cache, a download, a Go build.

Each is tried only after the one before it failed, and what was passed over is kept: the user is told, and where nothing
is left the one error names all of it.
"""

import contextlib
import os
import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from activities.errors import ConfigurationInvalid
from workers.server_build import Unavailable, build, download, downloaded_path, pair_folder, quiet_run
from workers.server_state import MINIMUM_SERVER, Program, parse_version
from workers.settings import Settings

VERSION_SECONDS = 20.0  # it takes 0.05 s; a file of 150 MB that is read for the first time on a busy disk takes longer
MINIMUM_TEXT = ".".join(map(str, MINIMUM_SERVER))
_CLI_SERVER = re.compile(r"\bServer v?(\d+\.\d+[\w.\-]*)")
_PAIR_SERVER = re.compile(r"\btemporal version v?(\d+\.\d+[\w.\-]*)")


class TooOld(Unavailable):
    """A Temporal program that works, with a server that lacks what we need."""


class Damaged(Unavailable):
    """Not a Temporal program, or a broken one."""


@dataclass
class Trail:
    """What was tried and why it was not taken."""

    notify: Callable[[str], None]
    tried: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def absent(self, what: str) -> None:
        """Nothing was there: only worth telling where nothing else is found either."""
        self.tried.append(what)

    def skip(self, what: str) -> None:
        """Something was there and was passed over: worth telling in any case."""
        self.tried.append(what)
        self.skipped.append(what)
        self.notify(what)

    def error(self) -> ConfigurationInvalid:
        """The one error when nothing is left."""
        return ConfigurationInvalid(
            "no Temporal server could be found or started: " + "; ".join(["TEMPORAL_ADDRESS is not set", *self.tried]),
            fix=f"install the Temporal CLI with server {MINIMUM_TEXT} or later (https://docs.temporal.io/cli) so that"
            " `temporal` is on the PATH, or set TEMPORAL_ADDRESS to a running server",
        )


async def programs(settings: Settings, trail: Trail) -> AsyncGenerator[Program, None]:
    """Everything that could run the server, best first. Ask for the next one only where one did not start.

    Raises:
        ConfigurationInvalid: where the settings name a program that is none.
    """
    if settings.temporal_cli:
        program = await _configured_cli(str(settings.temporal_cli.expanduser()), trail)
        if program:
            yield program
    on_path = shutil.which("temporal")
    if on_path is None:
        trail.absent("no `temporal` on the PATH")
    elif program := await _attempt(_cli(Path(on_path)), trail):
        yield program

    pair, cli = pair_folder(settings.cache), downloaded_path(settings.cache)
    had_pair, had_cli = pair.exists(), cli.exists()
    if not had_pair and not had_cli:
        trail.absent(f"no copy of an earlier run in {settings.cache}")
    if had_pair and (program := await _attempt(_pair(pair), trail)):
        yield program
    if had_cli and (program := await _attempt(_cli(cli, cached=True), trail)):
        yield program

    # A copy that was tried and is still there is of no use; a damaged one is gone by now and made anew. One that has come
    # in the meantime is another command's work, and taken.
    if not (had_cli and cli.exists()) and (program := await _attempt(_downloaded(settings.cache, trail), trail)):
        yield program
    if not (had_pair and pair.exists()) and (program := await _attempt(_built(settings.cache, trail), trail)):
        yield program


def discard(program: Program) -> None:
    """Remove a copy of ours that cannot run, so that it is made anew. A user's own program is left alone."""
    if not program.cached:
        return
    path = Path(program.server)
    if program.kind == "pair":
        # Renamed first: nobody ever finds half a folder.
        gone = path.parent.with_name(f".damaged-{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


async def _configured_cli(path: str, trail: Trail) -> Program | None:
    try:
        return await _cli(Path(path))
    except TooOld as error:
        trail.skip(str(error))
        return None
    except Unavailable as error:
        raise ConfigurationInvalid(
            f"the temporal program of the settings cannot be used: {error}",
            fix="set OSTINATO_TEMPORAL_CLI to the temporal program, or unset it",
        ) from error


async def _attempt(make: Awaitable[Program], trail: Trail) -> Program | None:
    try:
        return await make
    except Unavailable as error:
        trail.skip(str(error))
        return None


async def _downloaded(cache: Path, trail: Trail) -> Program:
    return await _cli(await download(cache, trail.notify), cached=True)


async def _built(cache: Path, trail: Trail) -> Program:
    return await _pair(await build(cache, trail.notify))


async def _cli(path: Path, *, cached: bool = False) -> Program:
    version = await _version(path, _CLI_SERVER, Program("cli", str(path), "", "", cached=cached))
    if (parse_version(version) or (0, 0)) < MINIMUM_SERVER:
        raise TooOld(f"skipped {path}: its server {version} is older than {MINIMUM_TEXT}")
    return Program("cli", str(path), "", version, cached=cached)


async def _pair(folder: Path) -> Program:
    server, ui = folder / "temporal-server", folder / "temporal-ui"
    version = await _version(server, _PAIR_SERVER, Program("pair", str(server), "", "", cached=True))
    return Program("pair", str(server), str(ui) if ui.exists() else "", version, cached=True)


async def _version(path: Path, pattern: re.Pattern[str], program: Program) -> str:
    code, printed = await quiet_run([str(path), "--version"], seconds=VERSION_SECONDS)
    match = pattern.search(printed)
    if code == 0 and match:
        return match.group(1)
    discard(program)
    reason = printed.strip().splitlines()[0][:120] if printed.strip() else f"`--version` ended with {code}"
    raise Damaged(f"skipped {path}: damaged, or not the Temporal program ({reason})")
