"""What every pattern works with: its node, its time, its parts, and what they have come to.

A pattern's own module says in which order its parts are run and what is made of their answers. All else is here, once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Generic, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import Schema
    from activities.contracts.failures import FailureDetail
    from activities.errors import ConfigurationInvalid, DeadlineExceeded, OstinatoError
    from workflows import lifecycle
    from workflows.carrying import carried
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.deadlines import earliest, within
    from workflows.escalation import Escalation
    from workflows.failures import failure_of, stop_if_requested
    from workflows.fallbacks import is_unknown
    from workflows.frame import Frame
    from workflows.nodes import committed, run_node
    from workflows.part_answers import answering, both
    from workflows.part_asks import Ask, PartFailed
    from workflows.progress import is_long
    from workflows.results import together
    from workflows.shortfall import check_paid
    from workflows.stages import unread
    from workflows.teams.bounds import inline_places
    from workflows.teams.tree import Part, PatternBase

N = TypeVar("N", bound=PatternBase)
T = TypeVar("T")


async def carry_out(
    run: RunInput, kind: type[N], body: Callable[["PatternWork[N]"], Awaitable[JsonValue]]
) -> RunResult:
    """Do the work of a pattern. What ``body`` returns is the output; what it raises fails the run.

    Raises:
        ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        CancelledError: the run was stopped.
    """

    async def all_of_it(frame: Frame) -> RunResult:
        work = PatternWork(frame, kind)
        output, failure = None, None
        try:
            output = await body(work)
            if work.unknown:
                raise work.unknown
        except PartFailed as failed:
            failure = failed.result.failure
        except OstinatoError as error:
            failure = failure_of(error, agent=work.node.name, step=frame.path)
        return work.come_to(output, failure)

    return await lifecycle.to_its_end(run, all_of_it)


class PatternWork(Generic[N]):
    """One pattern at work. Steps that are made side by side may use it at the same time."""

    def __init__(self, frame: Frame, kind: type[N]) -> None:
        node = frame.run.team.root
        if not isinstance(node, kind):
            raise ConfigurationInvalid(f"the workflow is no {node.kind}", fix="start it as its kind says")
        self.frame, self.node = frame, node
        ends = frame.started_at + node.seconds
        self.deadline = ends if frame.deadline is None else min(ends, frame.deadline)
        """Workflow time at which it has to have ended."""
        self.seconds = self.deadline - frame.started_at
        self.parts: dict[str, Part] = {part.place: part for part in node.parts()}
        before = frame.run.carried
        self.memory: JsonValue = before.memory if before else None
        """Where the pattern stood before it continued as new; nothing at the beginning."""
        self.results: list[RunResult] = frame.results
        """Of all steps, as they end."""
        if before:
            self.results.append(before.result)
        self.missing: list[str] = []
        """What the output lacks, one sentence each: with any the result is partial."""
        self.unwanted: list[str] = []
        """What it did without by its own rule: named as missing too, and no worse for it."""
        self.so_far: JsonValue = None
        """What there is, should it fail now."""
        self.unknown: PartFailed | None = None
        """A part of which nobody knows what it has done: the pattern fails with it, whatever else it comes to."""
        self._inline = inline_places(frame.run.team, node)
        self._person = Escalation(frame, node, self.goal, self.results)

    @property
    def goal(self) -> str:
        """What it works towards: the run's goal, or its task where it is nested."""
        return self.frame.task.goal or self.frame.task.prompt

    @property
    def given(self) -> JsonValue:
        """What it is to work on, where it is nested: the output of the stage before, a subtask's input."""
        return self.frame.task.inputs.get("input")

    @property
    def seconds_left(self) -> float:
        """Until its deadline."""
        return self.deadline - workflow.time()

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return self.seconds_left <= 0

    def too_late(self, what: str = "") -> DeadlineExceeded:
        """What ends it when its time is over."""
        name = self.node.name
        return DeadlineExceeded(
            f"the {self.node.kind} {name!r} did not end within {self.seconds:g} s{f': {what}' if what else ''}",
            fix=f"raise seconds of {name!r} (and the timeout_seconds around it), or give it less to do",
        )

    async def run(self, place: str, step: str, ask: Ask | None = None, *, escalate: bool = True) -> RunResult:
        """Run a part; failed or not, its result. One that failed for good goes to the person of ``escalate``.

        Args:
            place: which part, by its place.
            step: the step's name, unlike that of any other step of this pattern, and the same in every re-run.
            ask: what it is to do; the goal where absent.
            escalate: ``False``: what became of it is the pattern's affair, unless that is unknown.

        Raises:
            PartFailed: nobody knows what it has done, and no person has looked, or this node's own budget did not pay all
                of it, and is to fail it then. No pattern goes on without such a part.
            CancelledError: the run was stopped.
        """
        ask = ask or Ask()
        result = await self.attempt(place, step, ask)
        if (result.status is RunStatus.FAILED and escalate) or is_unknown(result):
            result = await self.escalated(place, step, ask, result)
        if result.status is not RunStatus.FAILED:  # what a failure means is the pattern's affair
            self.check_budget([(step, result)])
        return self.known(result)

    def known(self, result: RunResult) -> RunResult:
        """The result, where it is known what became of the step: for patterns that put an ``attempt`` to people themselves.

        Raises:
            PartFailed: it is not, and the pattern ends with that.
        """
        if is_unknown(result):
            self.unknown = self.unknown or PartFailed(result)
            raise self.unknown
        return result

    async def attempt(self, place: str, step: str, ask: Ask) -> RunResult:
        """As ``run``, whatever becomes of it: nobody is asked.

        Raises:
            PartFailed: nobody knows what another part has done: nothing more is begun.
            CancelledError: the run was stopped.
        """
        if self.unknown:
            raise self.unknown
        part = self.parts[place]
        node = answering(ask.node or part.node, part)
        ask = ask.for_pattern() if isinstance(node, PatternBase) else ask
        task = within(ask.task(step, self.goal), self.deadline)
        cuts = unread(node, ask.prompt or self.goal, ask.given)
        self.missing += [line for line in cuts if line not in self.missing]
        context = replace(self.frame.step(step), accept=both(part, ask.accept), commits=ask.commits)
        result = await run_node(context, node, task, inline=place in self._inline)
        self.results.append(result)
        return result

    async def answer(self, place: str, step: str, ask: Ask | None = None) -> JsonValue:
        """The output of a part that the pattern cannot do without; nothing where it was left out, or is not critical.

        Raises:
            PartFailed: it failed.
            CancelledError: the run was stopped.
        """
        result = await self.run(place, step, ask)
        if result.status is RunStatus.FAILED:
            raise PartFailed(result)
        return result.output

    def commit(self, place: str, step: str, ask: Ask, result: RunResult) -> RunResult:
        """The result of a step that was run without committing it, with its output as a version of the run's state."""
        part = self.parts[place]
        context = replace(self.frame.step(step), accept=both(part, ask.accept))
        return committed(context, ask.node or part.node, result, key=ask.key or step)

    async def escalated(
        self, place: str, step: str, ask: Ask, failed: RunResult, *, answers: Schema | None = None
    ) -> RunResult:
        """What a person makes of a step that failed for good; a failed result where nobody is asked, or says no.

        Args:
            place: as in ``run``.
            step: as in ``run``.
            ask: what the step was to do.
            failed: what became of it.
            answers: JSON Schema of the answer, where the place itself says nothing of that.

        Raises:
            CancelledError: the run was stopped.
        """
        part = self.parts[place]
        part = part if part.answers is not None else replace(part, answers=answers)
        return failed if self.unknown else await self._person.instead(part, step, self._in_time(ask), failed)

    async def asked(self, step: str, ask: Ask, answers: Schema | None = None) -> RunResult | None:
        """What the person of ``escalate`` says where the pattern cannot decide.

        Args:
            step: as in ``run``.
            ask: what is asked, what there is to look at, and the reasons.
            answers: JSON Schema of the answer.

        Returns:
            The result; a failed one is a no. Nothing where nobody is asked, or the person was left out.

        Raises:
            CancelledError: the run was stopped.
        """
        return None if self.unknown else await self._person.decides(step, self._in_time(ask), answers)

    def _in_time(self, ask: Ask) -> Ask:
        """Nobody is asked longer than the pattern lasts."""
        return replace(ask, person_until=earliest(self.deadline, ask.person_until))

    def check_budget(self, parts: Iterable[tuple[str, RunResult]]) -> None:
        """Refuse to go on without parts that this node's own budget did not pay, and that is to fail it then.

        Raises:
            PartFailed: see ``check_paid``.
        """
        check_paid(self.frame, parts)

    async def side_by_side(self, jobs: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
        """Do jobs; their results in the order of the jobs.

        All have ended before the first error is raised: none is left running.
        """

        async def one(job: Callable[[], Awaitable[T]]) -> T:
            stop_if_requested()
            return await job()

        ended = await asyncio.gather(*map(one, jobs), return_exceptions=True)
        return [_raised(value) for value in ended]

    @property
    def is_long(self) -> bool:
        """Whether the history is to be left behind: begin nothing more, and call ``continue_if_long`` once all has ended."""
        return is_long(self.frame.run)

    def continue_if_long(self, memory: JsonValue) -> None:
        """Continue as new where the history is long. Call it only when nothing is under way.

        Args:
            memory: where the pattern stands, all of it; it finds it again as ``memory``.

        Raises:
            ContinueAsNewError: always, where the history is long; let it pass.
            CancelledError: the run was stopped.
        """
        stop_if_requested()
        if not self.is_long or self.frame.halted:
            return
        workflow.continue_as_new(
            self.frame.run.model_copy(update={"carried": carried(self.frame, self.come_to(None), memory)})
        )

    def come_to(self, output: JsonValue, failure: FailureDetail | None = None) -> RunResult:
        """What all steps come to."""
        own, path = [*self.missing, *self.unwanted], self.frame.path
        if self.frame.run.task is not None:  # others lack the same, and it is not the same
            own = [f"{path}: {line}"[:1000] for line in own]
        lacks = self.missing or any(result.status is RunStatus.PARTIAL for result in self.results)
        status = RunStatus.FAILED if failure else RunStatus.PARTIAL if lacks else RunStatus.COMPLETE
        return together(
            self.results,
            status=status,
            output=None if failure else output,
            so_far=self.so_far if failure else None,
            missing=own,
            failure=failure,
            thread=next((one.thread for one in reversed(self.results) if one.output == output), None),
        )


def _raised(value: T | BaseException) -> T:
    if isinstance(value, BaseException):
        raise value
    return value
