"""What every activity of ours is wrapped in: background heartbeats and the one translation of errors.

Without heartbeats a lost worker is noticed only when the whole start-to-close timeout is over, and a cancellation
never arrives. The heartbeat is a task of the same loop, so whatever is slow and blocking belongs in a thread.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

from activities.contracts.effects import UndoRef
from activities.contracts.steps import StepKey
from activities.errors import OstinatoError, stopped_call, to_application_error
from activities.telemetry import current_step

log = logging.getLogger(__name__)


class Attempts:
    """Counts the earlier attempts whose outcome nobody knows: their worker died, with a request perhaps under way.

    An attempt that ends with an error which costs nothing is settled, and says so in its last heartbeat, which the next
    attempt reads. Whatever is not settled counts as lost, so a death at any moment errs on the side of the budget.
    """

    def __init__(self) -> None:
        details = activity.info().heartbeat_details
        self._settled = int(details[0]) if details else 0
        self.lost = max(0, activity.info().attempt - 1 - self._settled)
        self.paid = False
        """Set once the provider has answered, or a tool is about to be called: whatever fails after that, it counts."""
        self.asked: bool | None = None
        """Of a model call: whether the provider was asked. Where it is cancelled then, it may cost something all the same."""
        self.undo: UndoRef | None = None
        """Of a tool call that does not end well: what would undo it, where it may have done something."""

    def beat(self) -> None:
        """Report that this attempt lives."""
        activity.heartbeat(self._settled)

    def settle(self, error: Exception) -> int:
        """This attempt ends with an error; how many attempts, this one included, may have cost something."""
        if isinstance(error, OstinatoError) and not error.charged and not self.paid:
            self._settled += 1
            self.beat()
            return self.lost
        return self.lost + 1


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
    except asyncio.CancelledError:
        reason = activity.cancellation_details()
        if (attempts.asked is not None or attempts.undo) and reason and reason.cancel_requested:
            # A plain cancellation could not say what the call may have cost, or how it is undone.
            raise stopped_call(attempts.lost + bool(attempts.asked), attempts.undo) from None
        raise
    except Exception as error:
        translated = to_application_error(error, unsettled_calls=attempts.settle(error), undo=attempts.undo)
        # An exception that is none of ours is a bug: its traceback goes to the log. It does not go into history, where
        # a chained cause would carry whatever a library put into its message.
        known = isinstance(error, OstinatoError)
        log.warning(
            "%s failed: %s",
            activity.info().activity_type,
            translated.message,
            extra={"kind": translated.type},
            exc_info=None if known else error,
        )
        raise translated from None
    finally:
        current_step.reset(token)
        if beat:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat


async def _beat(attempts: Attempts, seconds: float) -> None:
    while True:
        # The start of an attempt counts as its first beat, so a short call costs no request of its own.
        await asyncio.sleep(seconds)
        attempts.beat()
