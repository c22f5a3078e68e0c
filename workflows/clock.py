"""The deadlines of one workflow, on one timer.

The failure this prevents: a timer for every step costs two events each, so that a fan-out has twice as many more as it has
branches. Deadlines of steps that have ended are forgotten without a word to the server; the timer that was set for one
stays for the next, and is taken back only where none is left.
"""

import asyncio
import math
from types import TracebackType
from typing import Self

from temporalio import workflow

IDLE_ROUNDS = 32
"""Rounds of the event loop without any deadline, after which the timer is taken back. The next step begins within a few
of them, in the same workflow task, and finds it set; a workflow that waits for something else is not woken by it."""


class Clock:
    """Ends what is bound to it in time. Of all its deadlines the server knows the first one alone."""

    def __init__(self) -> None:
        self._open: dict[Bound, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        """Workflow time for which the timer is set: the first deadline, or one that was given up before it."""
        self._looks = False

    def until(self, when: float | None) -> "Bound":
        """A bound at a moment of workflow time, for ``async with``; nothing: until it is given one."""
        return Bound(self, when)

    def set(self, bound: "Bound", when: float) -> None:
        """Let the bound expire at that time."""
        self._open[bound] = when
        if when < self._due:
            self._set_timer(when)

    def forget(self, bound: "Bound") -> None:
        """Let it never expire."""
        if self._open.pop(bound, None) is not None and not self._open and not self._looks:
            self._looks = True
            self._look(IDLE_ROUNDS)

    def _look(self, rounds: int) -> None:
        if rounds and not self._open:
            asyncio.get_running_loop().call_soon(self._look, rounds - 1)
            return
        self._looks = False
        if not self._open:
            self._set_timer(math.inf)

    def _set_timer(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._due = when
        self._timer = None if when == math.inf else asyncio.get_running_loop().call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer, self._due = None, math.inf
        now = workflow.time()
        for bound in [bound for bound, when in self._open.items() if when <= now]:
            del self._open[bound]
            bound.expire()
        if self._open:
            self._set_timer(min(self._open.values()))


class Bound:
    """What ``asyncio.timeout_at`` is, without a timer of its own."""

    def __init__(self, clock: Clock, when: float | None) -> None:
        self._clock, self._when = clock, when
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self.reschedule(self._when)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends its deadline.

        Raises:
            TimeoutError: it has expired.
        """
        if workflow.in_workflow():  # not thrown away with a workflow that a worker forgets
            self._clock.forget(self)
        await self._timeout.__aexit__(kind, error, trace)

    def reschedule(self, when: float | None) -> None:
        """Another deadline; nothing: none. Not of one that has expired."""
        self._timeout.reschedule(None)  # the loop may not have got to the end of the one before
        if when is None or when == math.inf:
            self._clock.forget(self)
        elif when <= workflow.time():
            self._clock.forget(self)
            self.expire()
        else:
            self._clock.set(self, when)

    def expire(self) -> None:
        """End what it is around, as soon as the event loop gets to it."""
        self._timeout.reschedule(workflow.time())

    def expired(self) -> bool:
        """Whether it has."""
        return self._timeout.expired()
