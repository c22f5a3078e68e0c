"""The code of a workflow of one's own, held so that it cannot keep the run from ending, whatever it catches.

The failure this prevents: a loop that catches every exception goes round for ever, in one workflow task that never ends, or
as a task that no worker can evict.
"""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue


class Held(Protocol):
    """What the code and who runs it know of each other."""

    gone: bool
    """The code is left where it stands."""

    @property
    def is_over(self) -> bool:
        """No step is begun any more."""
        ...


class CodeOnALead:
    """The code, run so that it can be left where it stands: what catches everything cannot keep a run from ending.

    It is told once that it is over, and may tidy up; what it awaits after that is not waited for.
    """

    def __init__(self, code: Awaitable[JsonValue], steps: Held) -> None:
        self._code, self._steps = code, steps

    def __await__(self) -> Generator[Any, None, JsonValue]:
        code = self._code.__await__()
        error: BaseException | None = None
        while True:
            try:
                awaited = code.throw(error) if error else code.send(None)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return] # what the code returns, looked at later
            if error and self._steps.gone:
                raise error
            try:
                yield awaited
                error = None
            except BaseException as thrown:
                error = thrown
                # Nobody but a worker that evicts the workflow cancels it before it is over.
                self._steps.gone = self._steps.gone or not self._steps.is_over


class ForEver:
    """Is never over: code that catches everything and asks again waits again, even while it is thrown away."""

    def __await__(self) -> Generator[Any, None, None]:
        try:
            never = asyncio.get_running_loop().create_future()
        except RuntimeError:  # it is being closed, outside of any loop: giving way once ends that
            yield None
        else:
            yield from never
