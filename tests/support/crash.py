"""A worker process that kills itself with SIGKILL at one named point, once.

The point is in ``OSTINATO_TEST_CRASH``: ``before:N`` and ``after:N`` (activity N of the run, in the order in which they
were scheduled), ``answered:N`` (model call N has its answer, which is not recorded yet), ``effect:NAME`` (the tool's
effect has happened, its completion is not reported). ``OSTINATO_TEST_CRASHED`` is the file that says it has happened.
``@FILE`` reads the point from a file each time, where ``answered`` is the next answer of any model call.
``together:N:M``: when M runs have each made their N-th activity, none of which is reported: each holds its own until then.
"""

import asyncio
import contextlib
import itertools
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import temporalio.client
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.providers.base import ModelProvider, ProviderAnswer, ProviderCall
from workers.deployment import Deployment
from workers.pools import load_provider, running_pools
from workers.settings import load_settings


def crash_point(name: str) -> None:
    """Die here, if this is the point and it has not happened before."""
    wanted = os.environ.get("OSTINATO_TEST_CRASH", "")
    if wanted.startswith("@"):
        _die_if_asked(Path(wanted[1:]), name)
    if wanted != name:
        return
    with contextlib.suppress(FileExistsError):
        os.close(os.open(os.environ["OSTINATO_TEST_CRASHED"], os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), signal.SIGKILL)


def _die_if_asked(file: Path, name: str) -> None:
    """The point stands in a file, and may change while the worker runs; whoever removes the file dies."""
    with contextlib.suppress(FileNotFoundError):
        if file.read_text() == name:
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


class CrashAround(temporalio.client.Interceptor, Interceptor):
    """Points before and after each activity. (A plugin keeps only those of a client's interceptors that are both.)"""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 -- the SDK's name
        return _CrashAround(next)


class _CrashAround(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
        number = activity.info().activity_id
        crash_point(f"before:{number}")
        result = await self.next.execute_activity(input)
        crash_point(f"after:{number}")
        await _together()
        return result


_made: Counter[str] = Counter()
"""Activities that each run has made in this process."""


async def _together() -> None:
    """Hold a run at its N-th activity until the others are there too, and die then: one kill, one boundary of each."""
    kind, _, rest = os.environ.get("OSTINATO_TEST_CRASH", "").partition(":")
    if kind != "together" or Path(os.environ["OSTINATO_TEST_CRASHED"]).exists():
        return
    ordinal, runs = map(int, rest.split(":"))
    run = (activity.info().workflow_id or "").partition("/")[0].partition("~")[0]
    _made[run] += 1
    while _made[run] >= ordinal:  # ends: this process dies, or the test gives up and kills it
        if sum(count >= ordinal for count in _made.values()) >= runs:
            crash_point(os.environ["OSTINATO_TEST_CRASH"])
        activity.heartbeat()
        await asyncio.sleep(0.1)


class CrashOnAnswer:
    """The real provider, with a point between its answer and the record."""

    def __init__(self, inner: ModelProvider) -> None:
        self.name = inner.name
        self._inner = inner
        self._numbers = itertools.count(1)

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        answer = await self._inner.request(call)
        crash_point(f"answered:{next(self._numbers)}")
        crash_point("answered")
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


async def main() -> None:
    """Serve all pools until a signal comes."""
    settings = load_settings()
    deployment = await Deployment.connect(settings)
    config = deployment.client.config()
    config["interceptors"] = [*config["interceptors"], CrashAround()]
    crashing = replace(deployment, client=Client(**config))
    providers = {"openai": CrashOnAnswer(load_provider("openai", settings))}
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running_pools(crashing, ["workflows", "tools", "models-openai"], providers):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
