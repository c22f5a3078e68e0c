"""The door for patterns of one's own: a ``@workflow.defn`` whose steps are made by ``Steps``.

Use it where the order of the work is your code's, and none of the patterns has it. Each step goes the one way that every
pattern's steps go: handed over, paid from the budget, bounded in time, gated, recorded, committed to the run's state.

::

    run ─▶ to_its_end ─▶ your function ─▶ run_node / call_model / call_tool ─▶ ... ─▶ its value is the output

Bounds: the node's ``max_steps`` and ``seconds``, and the limits of what it runs; code that goes beyond is not gone on with,
whatever it catches. On failure: a step that failed raises
``StepFailed``; who catches it goes on, and the result is partial and names it. Anything else that is raised fails the run,
with the line that raised it. Messages: yours. History: what its steps take.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.messages import ThreadRef
    from activities.errors import ConfigurationInvalid, DeadlineExceeded, LimitExceeded
    from workflows import lifecycle
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.failures import failure_of, stop_if_requested
    from workflows.frame import Frame
    from workflows.own_code import CodeOnALead, ForEver
    from workflows.own_output import as_output
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork
    from workflows.teams.problems import nearest
    from workflows.teams.tree import AgentNode, CallNode, Node, WorkflowNode, node_key

__all__ = ["RunInput", "RunResult", "StepFailed", "Steps", "to_its_end"]

LAST_TURNS = 10
"""Turns of the event loop that code gets to end itself, once nothing of it is under way any more."""
GRACE_SECONDS = 1.0
"""What a step under way makes of the deadline comes before the deadline of the whole."""


class StepFailed(Exception):
    """A step failed, and its node declares nothing that stands in. ``result`` is what it had come to."""

    def __init__(self, name: str, result: RunResult) -> None:
        super().__init__(f"{name}: {result.failure.message if result.failure else 'it failed'}")
        self.result = result


async def to_its_end(run: RunInput, work: Callable[["Steps"], Awaitable[JsonValue]]) -> RunResult:
    """Do the work; what ``work`` returns is the output.

    Raises:
        ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        CancelledError: the run was stopped.
    """

    async def all_of_it(frame: Frame) -> RunResult:
        steps = Steps(frame)
        output, failure = None, None
        code = asyncio.ensure_future(CodeOnALead(work(steps), steps))
        try:
            async with asyncio.timeout(max(0.0, steps.seconds_left + GRACE_SECONDS)):
                await workflow.wait_condition(lambda: code.done() or steps.refused is not None)
            if steps.refused:
                raise steps.refused
            output = as_output(code.result(), work, steps.node.name)
        except StepFailed as failed:
            failure = failed.result.failure
        except Exception as error:
            if isinstance(error, TimeoutError) and not code.done():
                error = steps.too_late()
            failure = _located(failure_of(error, agent=steps.node.name, step=frame.path), error)
        finally:
            await steps.leave(code)
        return steps.come_to(output, failure)

    return await lifecycle.to_its_end(run, all_of_it)


class Steps:
    """The steps of one workflow. They may be awaited side by side; none is left running when the work ends."""

    def __init__(self, frame: Frame) -> None:
        if not isinstance(frame.run.team.root, WorkflowNode):
            raise ConfigurationInvalid(
                f"the workflow is started as a {frame.run.team.root.kind}", fix="give its node kind: workflow"
            )
        self._work = PatternWork(frame, WorkflowNode)
        self.frame, self.node = frame, self._work.node
        self._made: Counter[str] = Counter()
        self._asked = 0
        self._under_way: set[asyncio.Task[RunResult]] = set()
        self.refused: LimitExceeded | DeadlineExceeded | None = None
        """Why no step is begun any more: who asks for one waits until the workflow has ended."""
        self.gone = False
        """The code is left where it stands."""

    @property
    def is_over(self) -> bool:
        """No step is begun any more."""
        return self.refused is not None

    @property
    def goal(self) -> str:
        """What it works towards: the run's goal, or its task where it is nested."""
        return self._work.goal

    @property
    def given(self) -> JsonValue:
        """What the stage before made, in a pipeline; a subtask's input, under a supervisor."""
        return self._work.given

    @property
    def arguments(self) -> Mapping[str, JsonValue]:
        """What the team file configures it with."""
        return self.node.arguments

    @property
    def steps_left(self) -> int:
        """Steps that it may still make."""
        return self.node.max_steps - self._asked

    @property
    def seconds_left(self) -> float:
        """Until its deadline."""
        return self._work.seconds_left

    async def run_node(self, name: str, prompt: str = "", *, given: JsonValue = None) -> RunResult:
        """Run one of its nodes: an agent with its tools, a call, a person, or a whole pattern.

        Args:
            name: of the node, under ``nodes`` of the team file.
            prompt: what it is to do; the goal where empty.
            given: what it is to work on: in an agent's prompt, and ``$input`` of calls.

        Raises:
            StepFailed: it failed, and nothing stands in for it. A step beyond ``max_steps`` or the time ends the workflow.
        """
        await self._one_more()
        return await self._run(name, Ask(prompt, given))

    async def call_model(
        self, name: str, prompt: str = "", *, given: JsonValue = None, thread: ThreadRef | None = None
    ) -> RunResult:
        """One answer of an agent's model, without tools; sent back as often as its limits allow where it does not fit.

        Args:
            name: of an agent's node.
            prompt: what it is told.
            given: what it is to work on, in its prompt.
            thread: the ``thread`` of an earlier result: the conversation that goes on.

        Raises:
            StepFailed: as ``run_node``.
        """
        await self._one_more()
        node = self._node(name)
        if not isinstance(node, AgentNode):
            raise ConfigurationInvalid(f"{name!r} is no agent", fix="call_model takes the name of an agent's node")
        return await self._run(name, Ask(prompt, given, thread=thread, offer_tools=False))

    async def call_tool(self, name: str, arguments: Mapping[str, JsonValue] | None = None) -> RunResult:
        """Call a tool; its result is the ``output``.

        Args:
            name: of a call's node: only tools that the team file names are ever called.
            arguments: on top of those of the node. They are passed as they are: a ``$`` means nothing in them.

        Raises:
            StepFailed: as ``run_node``.
        """
        await self._one_more()
        node = self._node(name)
        if not isinstance(node, CallNode):
            raise ConfigurationInvalid(f"{name!r} is no call", fix="call_tool takes the name of a call's node")
        passed = {f"given_{index}": value for index, value in enumerate((arguments or {}).values())}
        named = {argument: f"$given_{index}" for index, argument in enumerate(arguments or {})}
        whole = node.model_copy(update={"arguments": {**node.arguments, **named}})
        return await self._run(name, Ask(inputs=passed, node=whole))

    async def leave(self, code: "asyncio.Future[JsonValue]") -> None:
        """End the code, and what is still under way: where one of several side by side fails, the others have no use."""
        self.refused = self.refused or self.too_late()
        code.cancel()
        for task in self._under_way:
            task.cancel()
        await workflow.wait_condition(lambda: not self._under_way)
        for _ in range(LAST_TURNS):
            if not code.done():
                await asyncio.sleep(0)
        self.gone = True
        code.cancel()
        await workflow.wait_condition(code.done)
        if not code.cancelled():
            code.exception()  # it is no news

    def come_to(self, output: JsonValue, failure: FailureDetail | None) -> RunResult:
        """What all steps come to."""
        if failure:
            self._work.missing = []  # whatever failed on the way is in it
        return self._work.come_to(output, failure)

    def too_late(self) -> DeadlineExceeded:
        """What ends it when its time is over."""
        return self._work.too_late()

    def _node(self, name: str) -> Node:
        if name not in self.node.nodes:
            raise ConfigurationInvalid(
                f"the workflow {self.node.name!r} has no node {name!r}", fix=nearest(name, sorted(self.node.nodes))
            )
        return self.node.nodes[name]

    async def _one_more(self) -> None:
        """Count a step that is asked for, also where its arguments are wrong: every loop over steps has a bound.

        What is refused never comes back, so that no code goes round in a circle without giving way.
        """
        if self.gone or self.refused:
            await ForEver()
        if self.seconds_left <= 0:
            self.refused = self.too_late()
        elif self._asked >= self.node.max_steps:
            self.refused = LimitExceeded(
                f"the workflow {self.node.name!r} makes more than {self.node.max_steps} steps",
                fix=f"raise max_steps of {self.node.name!r}, or bound its loops",
            )
        if self.refused:
            await ForEver()
        self._asked += 1

    async def _run(self, name: str, ask: Ask) -> RunResult:
        self._made[name] += 1
        # No node is named so: a name has no dot.
        part = name if self._made[name] == 1 else f"{name}.{self._made[name]}"
        node = self._node(name)
        step = asyncio.ensure_future(self._work.run(f"nodes.{name}", part, replace(ask, key=node.key or name)))
        self._under_way.add(step)
        step.add_done_callback(self._settle)
        result = await step
        stop_if_requested()  # it may have ended well in spite of it, and what comes next is code that knows nothing of it
        if result.status is RunStatus.FAILED:
            said = result.failure.message if result.failure else ""
            self._work.missing.append(f"{node_key(node)} failed: {said}"[:1000])
            raise StepFailed(part, result)
        return result

    def _settle(self, step: asyncio.Task[RunResult]) -> None:
        """Nobody may wait for it any more."""
        self._under_way.discard(step)
        if not step.cancelled():
            step.exception()  # whoever waits for it hears of it


def _located(failure: FailureDetail, error: Exception) -> FailureDetail:
    """With the line that raised it, where it is a mistake of the workflow's own."""
    frames = traceback.extract_tb(error.__traceback__)
    if failure.kind is not FailureKind.INTERNAL or not frames:
        return failure
    return failure.model_copy(
        update={
            "message": f"{failure.message} ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})",
            "fix": "mend the workflow, and resume the run",
        }
    )
