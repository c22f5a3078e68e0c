"""What a recorded history is made of: a run to start, a model's script, and how far it goes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.replay.sessions import Start
from tests.support.scripted import Script, in_order
from workers.runs import RunHandle, read_result, start_run
from workflows.teams.tree import TeamSpec

HISTORIES = Path(__file__).parent / "histories"
SUMS = HISTORIES / "SHA256SUMS"

End = Callable[[RunHandle], Awaitable[object]]


async def scheduled(handle: RunHandle) -> None:
    """The run waits for an activity that nobody serves."""
    async with asyncio.timeout(10):
        while not (await handle.describe()).raw_description.pending_activities:
            await asyncio.sleep(0.02)


async def stopped(handle: RunHandle) -> None:
    await scheduled(handle)
    await handle.cancel()
    await read_result(handle)


unasked = in_order()
"""The model is not asked at all."""


@dataclass(frozen=True)
class Scenario:
    """A run to record."""

    workflow: str
    name: str
    team: TeamSpec
    script: Script = unasked
    end: End = read_result
    pools: tuple[str, ...] = ("workflows", "tools", "models-offline")
    changes: dict[str, object] = field(default_factory=dict)
    version: int = 1
    start: Start = start_run

    @property
    def path(self) -> Path:
        return HISTORIES / self.workflow / f"{self.name}.v{self.version}.json"
