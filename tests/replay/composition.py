"""What composed runs to record are made of: pipelines, people, gates, budgets, transfers, compensations."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from activities.contracts.people import Choice, DecideRequest, HumanDecision
from tests.support.people import until_asked
from workers.runs import RunHandle, read_result
from workflows.teams.tree import TeamSpec

PEOPLE = {"asking": {"people": ["nora"], "seconds": 600, "remind_seconds": 300, "escalate_seconds": 400}}
SHORT = {"asking": {"seconds": 0.5}}
AGENTS = {"a": {"instructions": "You are a."}, "b": {"instructions": "You are b."}}
HAND_ON = {**AGENTS, "a": {"instructions": "You are a.", "transfers_to": ["b"]}}


def root(node: dict[str, Any], **team: Any) -> TeamSpec:
    """A team of one node."""
    return TeamSpec.model_validate({"team": "t", "agents": AGENTS, "root": node, **team}, extra="forbid")


def pipeline(*stages: dict[str, Any], **node: Any) -> TeamSpec:
    """A team of one pipeline."""
    return root({"kind": "pipeline", "stages": list(stages), **node})


def stage(name: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """A call as a stage."""
    return {"kind": "call", "name": name, "tool": tool, "arguments": arguments}


def asks(**node: Any) -> dict[str, Any]:
    """A person as a node."""
    return {"kind": "person", "name": "ask", "question": "May it go out?", **PEOPLE, **node}


A, B = {"kind": "agent", "agent": "a"}, {"kind": "agent", "agent": "b"}
RESERVE, BOOM, ECHO = (
    stage("reserve", "reserve_room", room="blue"),
    stage("boom", "explode", what="it"),
    stage("echo", "echo", text="$input"),
)
MAIL = {**stage("mail", "send_mail", to="ann"), "grants": {"send_mail": {"ask": True}}}


def says(choice: Choice, **more: Any) -> Callable[[RunHandle], Awaitable[object]]:
    """Somebody decides what the run asks, and it goes on to its end."""

    async def end(handle: RunHandle) -> None:
        client = handle._client
        (task,) = await until_asked(client, handle.id)
        decision = DecideRequest(by="nora", choice=choice, **more)
        await client.get_workflow_handle(task.task_id).execute_update("decide", decision, result_type=HumanDecision)
        await read_result(handle)

    return end


async def left_asking(handle: RunHandle) -> None:
    """Nobody decides, and it waits."""
    await until_asked(handle._client, handle.id)


async def stopped_asking(handle: RunHandle) -> None:
    """It is stopped while it waits for a person."""
    await left_asking(handle)
    await handle.cancel()
    async with asyncio.timeout(30):
        await read_result(handle)
