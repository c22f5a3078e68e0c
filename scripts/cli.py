"""The command ``ostinato``: assembles the commands, and turns whatever goes wrong into a sentence, a fix and an exit code."""

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import traceback
from typing import NoReturn

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError
from opentelemetry import trace
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider

from activities.errors import ConfigurationInvalid, OstinatoError, redact
from scripts.terminal import FAILED, INTERRUPTED, USAGE, Output, fix_of
from workers.settings import debugging

PIPE_CLOSED = 141
"""As a shell reports a program that SIGPIPE ended."""
COMMANDS = {
    "up": "Start a Temporal server and workers of all pools, until Ctrl-C.",
    "worker": "Serve some pools for a server that runs already.",
    "run": "Run a team on a goal and an input, and print the result.",
    "chat": "Talk to an agent of a team, in a session that lasts across days and restarts.",
    "check": "Check a team, and say what it may use at most.",
    "watch": "Watch a run until it ends: a live tree, or plain lines.",
    "show": "Show a run: its state, input, steps, usage and failure.",
    "inbox": "List what waits for a person's decision.",
    "decide": "Decide what waits for a person.",
    "stop": "Stop a run.",
    "resume": "Resume a run that failed or was stopped: what is on record is not paid again.",
    "checkpoints": "List the points of a run that can be gone back to.",
    "rewind": "Go back to a checkpoint of a run and on from there.",
    "fork": "Start another run from a checkpoint of a run.",
    "delete": "Delete an ended run with everything that is kept of it.",
    "gc": "Delete what no run needs any more, and what is past its retention.",
    "replay": "Replay exported histories against this code.",
    "schema": "Print the JSON Schema of a team file, for editors.",
    "mcp": "Show the MCP servers of a team, and accept what has changed.",
    "doctor": "Look at this deployment, and say what to do about what is missing.",
}


def build_app() -> App:
    """All commands. Each module is imported when its command runs, so that none pays for the others' libraries."""
    app = App(
        name="ostinato",
        help="Durable multi-agent orchestration on Temporal.",
        version=_version,
        default_parameter=Parameter(show_default=False),
        suppress_keyboard_interrupt=False,
    )
    for name, summary in COMMANDS.items():
        app.command(f"scripts.commands.{name}:{name}", name=name, help=summary)
    history = App(name="history", help="Work with the histories of runs.")
    history.command("scripts.commands.history:export", name="export", help="Write a run's history into one file.")
    app.command(history)
    if importlib.util.find_spec("scripts.bench.command"):
        app.command("scripts.bench.command:bench", name="bench", help="Measure what a durable step costs.")
    return app


def main() -> NoReturn:
    """Run one command and leave with its exit code."""
    try:
        code = execute(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED  # who reads us has seen enough
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End this process without ending its interpreter.

    Threads of the SDK (1.35) may still call into Python, and crash an interpreter that is being taken apart: a command
    that has done its work would end with SIGABRT or SIGSEGV. What exit handlers are for is done here instead.
    """
    provider = trace.get_tracer_provider()
    if isinstance(provider, ReplaySafeTracerProvider):
        provider.shutdown()
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def execute(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    output = Output(as_json="--json" in arguments)
    try:
        result = build_app()(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        return INTERRUPTED
    except CycloptsError as error:
        output.error(str(error), _usage_fix(arguments))
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

    if debugging():
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
    known = [word for word in arguments[:1] if word in COMMANDS]
    return f"see `{' '.join(['ostinato', *known, '--help'])}`"


def _version() -> str:
    return importlib.metadata.version("ostinato")


if __name__ == "__main__":
    main()
