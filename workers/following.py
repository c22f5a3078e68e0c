"""Follows a run with everything nested in it, as the server's long polls deliver it. No queries, no cost to the run."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workers.progress import Child, HistoryReader, Progress, is_end
from workers.runs import RECONNECT_SECONDS, run_chain

MAX_FOLLOWED = 32
"""Nested workflows followed at once, as many as a supervisor dispatches; further ones when one of these has ended."""
MAX_DESCRIBED = 16
"""Workflows that are asked for failing attempts, each second."""
LOOK_SECONDS = 1.0
"""Between two looks at what the history does not tell before a call ends: attempts that fail."""
DRAIN_SECONDS = 10.0
"""How long what is nested may still tell when the run itself has ended."""
_QUEUE = 1000
_RPC = timedelta(seconds=5)


async def follow(client: Client, workflow_id: str, *, whole: bool = True, skip: int = 0) -> AsyncIterator[Progress]:
    """What happens in a run, from its start to its end, which comes last.

    Args:
        client: where it runs.
        workflow_id: the run.
        whole: from its first execution on, where it continued as new; from the newest one otherwise.
        skip: events of the first followed execution that are known already.

    Raises:
        RPCError: the server is gone for longer than ``RECONNECT_SECONDS``, or does not know the run.
    """
    chain = await run_chain(client, workflow_id, last_only=not whole)
    tree = _Tree(client)
    root = asyncio.create_task(tree.root(workflow_id, chain[0], skip))
    telling: asyncio.Future[Progress] | None = None
    try:
        while True:
            while not tree.told.empty():
                yield tree.told.get_nowait()
            if root.done():
                break
            telling = asyncio.ensure_future(tree.told.get())
            await asyncio.wait({telling, root}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                yield telling.result()
            else:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
        root.result()
    finally:
        tasks = [task for task in (telling, root) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Tree:
    """A run and what is nested in it. ``told`` is what has happened."""

    def __init__(self, client: Client) -> None:
        self.told: asyncio.Queue[Progress] = asyncio.Queue(_QUEUE)
        self._client = client
        self._gate = asyncio.Semaphore(MAX_FOLLOWED)
        self._readers: dict[str, HistoryReader] = {}
        self._nested: set[asyncio.Task[None]] = set()
        self._failing: set[tuple[str, str, int]] = set()

    async def root(self, workflow_id: str, run_id: str, skip: int) -> None:
        """Follow all of it to its end."""
        looking = asyncio.create_task(self._look())
        try:
            last = await self._history(Child(workflow_id, run_id), skip)
            if self._nested:
                await asyncio.wait(set(self._nested), timeout=DRAIN_SECONDS)
            if last:
                await self.told.put(last)
        finally:
            tasks = [looking, *self._nested]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _history(self, workflow: Child, skip: int = 0) -> Progress | None:
        """Tell what happens in one workflow; its end, which is not told."""
        reader, last = HistoryReader(self._client, workflow.workflow_id), None
        self._readers[workflow.workflow_id] = reader
        try:
            async for event in events_of(self._client, workflow.workflow_id, workflow.run_id):
                progress = await reader.read(event)
                for child in reader.children:
                    self._follow(child)
                reader.children.clear()
                is_news = event.event_id > skip
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                    skip = 0
                if progress is None or not (is_news or is_end(progress)):
                    continue
                if is_end(progress):
                    last = progress  # held back until all that is nested has told
                elif not self._is_known(progress):
                    await self.told.put(progress)
            return last
        finally:
            del self._readers[workflow.workflow_id]

    def _follow(self, child: Child) -> None:
        task = asyncio.create_task(self._child(child))
        self._nested.add(task)
        task.add_done_callback(self._nested.discard)

    async def _child(self, child: Child) -> None:
        async with self._gate:
            try:
                last = await self._history(child)
            except RPCError as error:
                path = child.workflow_id.replace("~", "/").partition("/")[2]
                last = Progress(path, "failed", f"its history cannot be read: {error.message}", path, kind="workflow")
        if last:
            await self.told.put(last)

    def _is_known(self, progress: Progress) -> bool:
        """Whether an attempt's failure was told when it happened."""
        key = (progress.workflow_id, progress.activity_id, progress.attempt)
        return progress.state == "retried" and key in self._failing

    async def _look(self) -> None:
        """Tell of attempts that fail, while they do."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for workflow_id, reader in list(self._readers.items())[:MAX_DESCRIBED]:
                with suppress(RPCError):
                    await self._look_at(workflow_id, reader)

    async def _look_at(self, workflow_id: str, reader: HistoryReader) -> None:
        described = await self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=_RPC)
        for pending in described.raw_description.pending_activities:
            key = (workflow_id, pending.activity_id, pending.attempt)
            call = reader.call_of(pending.activity_id)
            if pending.attempt == 1 or call is None or key in self._failing:
                continue
            self._failing.add(key)
            detail = f"attempt {pending.attempt - 1}: {await reader.message_of(pending.last_failure)}"
            await self.told.put(
                Progress(
                    call.what,
                    "retrying",
                    detail,
                    path=call.path,
                    step=call.step,
                    kind=call.kind,
                    at=time.time(),
                    workflow_id=workflow_id,
                    activity_id=call.activity_id,
                    attempt=pending.attempt,
                )
            )


async def events_of(client: Client, workflow_id: str, run_id: str) -> AsyncIterator[HistoryEvent]:
    """Every event once, over restarts of the server and from one execution to the next.

    Raises:
        RPCError: the server is gone for longer than ``RECONNECT_SECONDS``, or does not know the workflow.
    """
    seen, lost_since = 0, 0.0
    while True:
        following = ""
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            async for event in handle.fetch_history_events(wait_new_event=True, skip_archival=True):
                lost_since = 0.0
                if event.event_id <= seen:
                    continue
                seen = event.event_id
                yield event
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                    following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            if not following:
                return
            run_id, seen = following, 0
        except RPCError as error:
            lost_since = lost_since or time.monotonic()
            gone = time.monotonic() - lost_since > RECONNECT_SECONDS
            if gone or error.status not in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED}:
                raise
            await asyncio.sleep(0.5)
