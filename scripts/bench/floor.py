"""The floor: the same activities in the same order as plain Temporal code would write them, moving the same text.

Same server, same process, same timeouts, retries, queues per kind of work and sandbox; the SDK's own pydantic
converter. No plugin, no records, no threads, no heartbeats, no tracing, no summaries.
"""

import asyncio
from dataclasses import dataclass, replace

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies

# Names as long as ours: they are in every event.
PLAIN_WORKFLOWS = "plaintxt-workflows"
PLAIN_MODELS = "plain-bench-models-only"
PLAIN_TOOLS = "plain-do-tools"
TOOL_SECONDS = 60.0


@dataclass(frozen=True)
class PlainStep:
    """One activity: what kind it is, and how many bytes of text go in and come out."""

    model: bool
    sends: int
    returns: int


class PlainActivities:
    """Take text, return text. ``delay_seconds`` is the model's."""

    def __init__(self) -> None:
        self.delay_seconds = 0.0

    @activity.defn(name="plain.call")
    async def model(self, text: str) -> str:
        """As many bytes as the text asks for, after the delay."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        return "x" * int(text.split(" ", 1)[0])

    @activity.defn(name="plain.run")
    async def tool(self, text: str) -> str:
        """As many bytes as the text asks for."""
        return "x" * int(text.split(" ", 1)[0])


@dataclass(frozen=True)
class PlainCrew:
    """Phases one after the other; in each of them lines of activities side by side."""

    phases: list[list[list[PlainStep]]]
    at_once: int = 0
    """Lines at work at a time; 0: all of them."""
    depth: int = 0
    """Child workflows, each inside the one before, that the work is done in."""


@workflow.defn(name="plain")
class PlainWorkflow:
    """One activity after the other."""

    @workflow.run
    async def run(self, steps: list[PlainStep]) -> int:
        """Do all steps; their number."""
        return await _in_order(steps)


@workflow.defn(name="plain-crew")
class PlainCrewWorkflow:
    """Activities one after the other and side by side: what any pattern comes to."""

    @workflow.run
    async def run(self, crew: PlainCrew) -> int:
        """Do all steps, here or further down; their number."""
        if crew.depth:
            below = replace(crew, depth=crew.depth - 1)
            return int(
                await workflow.execute_child_workflow(
                    "plain-crew", below, id=f"{workflow.info().workflow_id}/1", result_type=int
                )
            )
        return sum([await _side_by_side(lines, crew.at_once) for lines in crew.phases])


async def _side_by_side(lines: list[list[PlainStep]], at_once: int) -> int:
    if not at_once:
        return sum(await asyncio.gather(*map(_in_order, lines)))
    gate = asyncio.Semaphore(at_once)

    async def one(line: list[PlainStep]) -> int:
        async with gate:
            return await _in_order(line)

    return sum(await asyncio.gather(*map(one, lines)))


async def _in_order(steps: list[PlainStep]) -> int:
    for step in steps:
        text = f"{step.returns} ".ljust(step.sends, "x")
        if step.model:
            await workflow.execute_activity_method(
                PlainActivities.model,
                text,
                task_queue=PLAIN_MODELS,
                start_to_close_timeout=policies.MODEL_START_TO_CLOSE,
                schedule_to_close_timeout=policies.MODEL_SCHEDULE_TO_CLOSE,
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                retry_policy=policies.MODEL_RETRY,
            )
        else:
            await workflow.execute_activity_method(
                PlainActivities.tool,
                text,
                task_queue=PLAIN_TOOLS,
                start_to_close_timeout=policies.tool_start_to_close(TOOL_SECONDS),
                schedule_to_close_timeout=policies.tool_schedule_to_close(TOOL_SECONDS),
                heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
                retry_policy=policies.TOOL_RETRY,
            )
    return len(steps)
