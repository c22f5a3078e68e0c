"""What commands say: one JSON object or text for people on stdout, everything else on stderr, nothing that a terminal obeys.

Answers quote documents of other people, and those may hold escape sequences that move the cursor, rewrite the title or
hide text: every character that does not print is shown as its escape.
"""

import json
import sys
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from activities.errors import OstinatoError

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
"""The option that every command has."""

COMPLETE, FAILED, USAGE, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes. 130 is what a shell expects after Ctrl-C."""


class Output:
    """The two streams of one command."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def note(self, text: str) -> None:
        """One line of progress, on stderr."""
        self._err.print(Text(one_line(text)))

    def text(self, text: str = "", *, style: str = "") -> None:
        """Something for people, on stdout; nothing where JSON is asked for."""
        if not self.as_json:
            self._out.print(Text(safe(text), style=style))

    def object(self, value: dict[str, Any]) -> None:
        """The one object, where JSON is asked for. ASCII only: safe in any terminal."""
        if self.as_json:
            print(json.dumps(value))

    def flush(self) -> None:
        """Let a reader see what was said so far."""
        sys.stdout.flush()

    def error(self, message: str, fix: str) -> None:
        """One sentence of what is wrong, and one of what to do."""
        self.note(f"error: {message}")
        self.note(f"fix: {fix}")
        self.object({"error": message, "fix": fix})


def safe(text: str) -> str:
    """Text that a terminal only shows: line feeds and tabs stay, all else that does not print becomes its escape."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def one_line(text: str) -> str:
    """The same on one line."""
    return safe(" ".join(text.split("\n")))


def fix_of(error: OstinatoError) -> str:
    """What to do about an error."""
    return error.fix or "try again; `ostinato doctor` shows what is wrong with the deployment"


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
