"""A tool that waits until the test opens a gate: so a run can be looked at, stopped and killed in the middle."""

import asyncio
import os
from pathlib import Path

from activities.tools.base import tool


@tool(effect="read", timeout_seconds=50)
async def wait_at_gate(who: str) -> str:
    """Wait until the gate is opened."""
    gate = os.environ["OSTINATO_TEST_GATE"]
    _arrive(Path(f"{gate}.{who}.arrived"))
    while not Path(f"{gate}.{who}.open").exists():
        await asyncio.sleep(0.02)
    return f"{who} went through"


def _arrive(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("here\n")


@tool(effect="read")
def stumble(what: str) -> str:
    """Raise an exception."""
    raise RuntimeError(f"no way: {what}")


@tool(effect="read")
def picky(output: dict[str, object]) -> list[str]:
    """Find a fault in every answer."""
    return [f"{len(output)} fields are not enough"]
