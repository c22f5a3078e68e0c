"""The command ``ostinato``: assembles the commands, and turns whatever goes wrong into a sentence, a fix and an exit code."""

import importlib.metadata
import importlib.util
import os
import sys
import traceback

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from activities.errors import ConfigurationInvalid, OstinatoError, redact
from scripts.terminal import FAILED, INTERRUPTED, USAGE, Output, fix_of

PIPE_CLOSED = 141
"""As a shell reports a program that SIGPIPE ended."""
ROOT_HELP = "Durable multi-agent orchestration on Temporal."


def build_app() -> App:
    """All commands. Each module is imported when its command runs, so that none pays for the others' libraries."""
    app = App(name="ostinato", help=ROOT_HELP, version=_version, suppress_keyboard_interrupt=False)
    for name in ("up", "worker", "run", "show", "stop", "delete", "replay", "doctor"):
        app.command(f"scripts.commands.{name}:{name}", name=name)
    history = App(name="history", help="Work with the histories of runs.")
    history.command("scripts.commands.history:export", name="export")
    app.command(history)
    if importlib.util.find_spec("scripts.bench"):
        app.command("scripts.bench:bench", name="bench")
    return app


def main() -> int:
    """Run one command; its exit code."""
    arguments = sys.argv[1:]
    output = Output(as_json="--json" in arguments)
    try:
        try:
            code = _run(arguments, output)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Who reads us has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _run(arguments: list[str], output: Output) -> int:
    try:
        result = build_app()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        return INTERRUPTED
    except CycloptsError as error:
        output.error(str(error).rstrip(".").replace("\n", " "), _usage_fix(arguments))
        return USAGE
    except OstinatoError as error:
        output.error(str(error), fix_of(error))
        return USAGE if isinstance(error, ConfigurationInvalid) else FAILED
    except BrokenPipeError:
        raise
    except Exception as error:
        return _unexpected(error, output)
    return result if isinstance(result, int) else 0


def _unexpected(error: Exception, output: Output) -> int:
    from temporalio.service import RPCError  # noqa: PLC0415 -- usage errors and help do without the SDK

    if os.environ.get("OSTINATO_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    if isinstance(error, RPCError):
        output.error(
            f"the Temporal server did not do it: {redact(error.message)}",
            "see `ostinato doctor`; start a server with `ostinato up`, or correct TEMPORAL_ADDRESS",
        )
        return USAGE
    output.error(
        f"something unforeseen went wrong: {redact(f'{type(error).__name__}: {error}')}",
        "set OSTINATO_LOG_LEVEL=debug to see where, and report it",
    )
    return FAILED


def _usage_fix(arguments: list[str]) -> str:
    words = [word for word in arguments[:1] if word.isalpha()]
    return f"see `{' '.join(['ostinato', *words, '--help'])}`"


def _version() -> str:
    return importlib.metadata.version("ostinato")


if __name__ == "__main__":
    sys.exit(main())
