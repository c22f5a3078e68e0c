"""Pipelines with effects for tests, and the ledger of what was done to the world."""

import asyncio
from pathlib import Path
from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench
from tests.support.scripted import says
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec


def stage(name: str, tool: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": "call", "name": name, "tool": tool, "arguments": arguments}


def pipeline(*stages: dict[str, Any], **team: Any) -> TeamSpec:
    root = {"kind": "pipeline", "name": "trip", "stages": list(stages)}
    return TeamSpec.model_validate({"team": "t", "root": root, **team}, extra="forbid")


RESERVE, CHARGE = stage("reserve", "reserve_room", room="blue"), stage("charge", "charge", amount=12)


MAIL, POST = stage("mail", "send_mail", to="ann"), stage("post", "post", letter="x")


BOOM = stage("boom", "explode", what="it")


ASK = {"kind": "agent", "agent": "a"}


AGENTS = {"a": {"instructions": "Do it.", "tier": "small"}}


async def hang(call: ProviderCall, index: int) -> ProviderAnswer:
    """A model that does not answer."""
    del call, index
    await asyncio.sleep(60)
    return says("never")


async def bench_waits(bench: Bench, times: int = 1) -> None:
    """Until the model was asked so often."""
    async with asyncio.timeout(20):
        while len(bench.provider.calls) < times:
            await asyncio.sleep(0.02)


class Ledger:
    """The effects that were made since it was opened, without their request ids."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, len(path.read_text().splitlines())

    @property
    def lines(self) -> list[str]:
        return [" ".join([*line.split()[:1], *line.split()[2:]]) for line in self.raw]

    @property
    def raw(self) -> list[str]:
        return self._path.read_text().splitlines()[self._seen :]


def outcomes(result: RunResult) -> list[tuple[str, str]]:
    return [(report.tool, report.outcome.value) for report in result.done]
