"""A worker process that kills itself with SIGKILL at one named point, once.

The point is in ``OSTINATO_TEST_CRASH``: ``before:N`` and ``after:N`` (activity N of the run, in the order in which they
were scheduled), ``answered:N`` (model call N has its answer, which is not recorded yet), ``effect:NAME`` (the tool's
effect has happened, its completion is not reported). ``OSTINATO_TEST_CRASHED`` is the file that says it has happened.
``@FILE`` reads the point from a file each time, where ``answered`` is the next answer of any model call.

``OSTINATO_TEST_POINTS`` is a JSON file, a run's id to a point of its own: ``before:N``, ``after:N`` and ``answered:N`` as
above, counted for the run, and ``made:N``, the N-th activity that it has made, in the order in which they ended. A run that
comes to its point is held there, nothing reported, until all are at theirs: then all die at once.
"""

import asyncio
import contextlib
import itertools
import json
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
        number = int(activity.info().activity_id)
        crash_point(f"before:{number}")
        await _held("before", number)
        result = await self.next.execute_activity(input)
        crash_point(f"after:{number}")
        await _held("after", number)
        await _held("made", _count("made"))
        return result


_counted: Counter[tuple[str, str]] = Counter()
"""What each run has come to in this process, by kind."""
_there: set[str] = set()
"""Runs that are held at their points."""


def _run() -> str:
    return (activity.info().workflow_id or "").partition("/")[0].partition("~")[0]


def _count(kind: str) -> int:
    _counted[kind, _run()] += 1
    return _counted[kind, _run()]


async def _held(kind: str, number: int) -> None:
    """Hold a run at its point until the others are at theirs, and die then: one kill, a point of each."""
    file, crashed = os.environ.get("OSTINATO_TEST_POINTS", ""), os.environ.get("OSTINATO_TEST_CRASHED", "")
    if not file or Path(crashed).exists():
        return
    points = json.loads(Path(file).read_text())
    wanted, _, at = points.get(_run(), "").partition(":")
    if wanted != kind or (number < int(at) if kind == "made" else number != int(at)):
        return
    _there.add(_run())
    while True:  # ends: this process dies, or the test gives up and kills it
        if len(_there) == len(points):
            Path(crashed).touch()
            os.kill(os.getpid(), signal.SIGKILL)
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
        await _held("answered", _count("answered"))
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
