"""People for tests: teams that ask them, and what they say."""

import asyncio
import time
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from activities.contracts.people import Choice, DecideRequest, HumanDecision, HumanTaskView
from workers.inbox import open_tasks
from workflows.teams.tree import TeamSpec


def asks(team: str = "t", *, asking: dict[str, Any] | None = None, **person: Any) -> TeamSpec:
    """A team that is one question."""
    root = {"kind": "person", "name": "ask", "question": "May it go out?", "asking": asking or {}, **person}
    return TeamSpec.model_validate({"team": team, "root": root}, extra="forbid")


def says_yes(by: str = "nora", **more: Any) -> DecideRequest:
    return DecideRequest(by=by, choice=Choice.APPROVE, **more)


async def until_asked(client: Client, run_id: str, count: int = 1) -> list[HumanTaskView]:
    """The open tasks of a run, as soon as there are so many."""
    async with asyncio.timeout(30):
        while True:
            found = list((await open_tasks(client, time.time(), run_id=run_id)).tasks)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def until_waiting(task: WorkflowHandle[Any, Any]) -> int:
    """The length of a human task's history when it waits for a person: it has looked for a record by then."""
    async with asyncio.timeout(30):
        while True:
            events = (await task.fetch_history()).events
            if any(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in events):
                return len(events)
            await asyncio.sleep(0.02)


async def decides(
    client: Client, run_id: str, choice: Choice, *, after: HumanTaskView | None = None, **more: Any
) -> HumanTaskView:
    """What a run asks, decided by ``nora``; not once more what was decided before."""
    async with asyncio.timeout(30):
        while True:
            found = await until_asked(client, run_id)
            fresh = [task for task in found if after is None or task.task_id != after.task_id]
            if fresh:
                break
            await asyncio.sleep(0.02)
    decision = DecideRequest(by="nora", choice=choice, **more)
    await client.get_workflow_handle(fresh[0].task_id).execute_update("decide", decision, result_type=HumanDecision)
    return fresh[0]
