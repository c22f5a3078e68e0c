"""What every activity of ours is wrapped in: background heartbeats and the one translation of errors.

Without heartbeats a lost worker is noticed only when the whole start-to-close timeout is over, and a cancellation
never arrives. The heartbeat is a task of the same loop, so whatever is slow and blocking belongs in a thread.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from temporalio import activity

from activities.contracts.steps import StepKey
from activities.errors import OstinatoError, to_application_error
from activities.telemetry import current_step

log = logging.getLogger(__name__)


class Attempts:
    """Counts the attempts that were sent out and never heard of again; the count rides in the heartbeats.

    A worker that dies with a request under way leaves its last heartbeat behind, and the next attempt reads it.
    """

    def __init__(self) -> None:
        details = activity.info().heartbeat_details
        self.lost = int(details[0]) if details else 0
        self._under_way = 0

    def beat(self) -> None:
        """Report that this attempt lives, and how many would be lost if it died now."""
        activity.heartbeat(self.lost + self._under_way)

    @contextmanager
    def sent(self) -> Iterator[None]:
        """Around the request: an answer or a typed error settles it, a death does not."""
        self._under_way = 1
        self.beat()
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, OstinatoError):
                self._under_way = 0
                self.beat()
            raise
        self._under_way = 0


@asynccontextmanager
async def durable_activity(key: StepKey) -> AsyncIterator[Attempts]:
    """Heartbeat at a third of the timeout while the body runs, and let errors leave as ApplicationError."""
    timeout = activity.info().heartbeat_timeout
    attempts = Attempts()
    token = current_step.set(key)
    beat = asyncio.create_task(_beat(attempts, timeout.total_seconds() / 3)) if timeout else None
    try:
        yield attempts
        log.info("%s done", activity.info().activity_type)
    except Exception as error:
        translated = to_application_error(error)
        log.warning("%s failed: %s", activity.info().activity_type, translated.message, extra={"kind": translated.type})
        raise translated from error
    finally:
        current_step.reset(token)
        if beat:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat


async def _beat(attempts: Attempts, seconds: float) -> None:
    while True:
        attempts.beat()
        await asyncio.sleep(seconds)
