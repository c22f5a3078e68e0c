"""Runs ``ostinato`` as its users do: as processes, each test file in a home and folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.server_state import Folder, held

ROOT = Path(__file__).resolve().parents[2]
ASK = ROOT / "scripts" / "teams" / "ask.yaml"
QUESTION = "When does the harbour open?"
GATED = """team: gated
root: {kind: call, tool: wait_at_gate, arguments: {who: $goal}}
"""
DEADLINE = 60.0
"""Bound of one command; two busy cores are slow."""


@dataclass
class Cli:
    """One user: a working folder with its home, and what is in the environment."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.documents.mkdir(exist_ok=True)
        (self.documents / "harbour.md").write_text(
            "# The harbour\n\nThe harbour opens at six in the morning.\nThe ferry leaves from pier four.\n"
        )
        (self.folder / "gated.yaml").write_text(GATED)

    @property
    def home(self) -> Path:
        return self.folder / ".ostinato"

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    @property
    def environment(self) -> dict[str, str]:
        foreign = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "AWS_", "AZURE_", "TEMPORAL_", "OSTINATO_", "OTEL_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        ours = {
            "OSTINATO_TEMPORAL_PORT": "0",
            "OSTINATO_UI_PORT": "0",
            "OSTINATO_TOOL_MODULES": "tests.scripts.gate",
            "OSTINATO_TEST_GATE": str(self.folder / "gate"),
            "TEMPORAL_CONFIG_FILE": "/nonexistent/temporal.toml",
        }
        return {**kept, **ours, **self.extra}

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "scripts.cli", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, given: str = "") -> "Ended":
        process = self.start(*arguments)
        try:
            out, err = process.communicate(given, timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end\n{out}\n{err}") from None
        return Ended(process.returncode, out, err)

    def ask(self, *options: str | Path) -> "Ended":
        return self.run("run", ASK, "--goal", QUESTION, "--input", "documents", *options)

    # The gate: a tool that waits until the test lets it go.
    def arrived(self, who: str) -> bool:
        return (self.folder / f"gate.{who}.arrived").exists()

    def open_gate(self, who: str) -> None:
        (self.folder / f"gate.{who}.open").touch()

    def calls(self, who: str) -> int:
        return len((self.folder / f"gate.{who}.arrived").read_text().splitlines())

    def all_gone(self) -> None:
        """The dev server ends by itself when nobody uses it."""
        until(lambda: not held(Folder(self.home / "server").keeper))


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def until(
    condition: Callable[[], object], seconds: float = DEADLINE, *, by: "subprocess.Popen[str] | None" = None
) -> None:
    """Wait for a condition that the process ``by`` is to bring about; what it says is shown where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline or (by and by.poll() is not None):
            said: tuple[str, str] | str = ""
            if by:
                by.kill()
                said = by.communicate(timeout=DEADLINE)
            raise AssertionError(f"the condition did not come true {said}")
        time.sleep(0.02)


def interrupt(process: "subprocess.Popen[str]", number: signal.Signals) -> Ended:
    """Send a signal to a command, and wait for its end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    return Ended(process.returncode, out, err)
