"""The person of ``escalate``: whom a pattern asks, what may be said of what there is, and what becomes of a no."""

from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import Schema
    from activities.contracts.failures import FailureKind
    from activities.contracts.people import Choice
    from workflows.contracts import RunResult, RunStatus
    from workflows.deadlines import earliest
    from workflows.frame import Frame
    from workflows.nodes import run_node
    from workflows.part_answers import answering, both
    from workflows.part_asks import Ask
    from workflows.teams.tree import Part, PatternBase, PersonNode, node_name

NOT_TO_PEOPLE = frozenset({FailureKind.HALTED, FailureKind.CANCELLED})
"""Failures after which nobody is asked."""
OF_SOMETHING = frozenset({Choice.APPROVE, Choice.EDIT})
"""What can be said of something only."""
_NOTHING = "there is nothing to approve or to edit: an answer is asked for"


class Escalation:
    """The person of one pattern at work, if it has one."""

    def __init__(self, frame: Frame, node: PatternBase, goal: str, results: list[RunResult]) -> None:
        """Say whose person it is.

        Args:
            frame: the workflow's.
            node: the pattern.
            goal: what the pattern works towards.
            results: what the person's steps come to is added here.
        """
        self._frame, self._node, self._goal, self._results = frame, node, goal, results

    async def instead(self, part: Part, step: str, ask: Ask, failed: RunResult) -> RunResult:
        """What the person makes of a step that failed for good; a failed result where nobody is asked, or says no.

        Raises:
            CancelledError: the run was stopped.
        """
        why = failed.failure
        if why and why.kind in NOT_TO_PEOPLE:
            return failed
        reason = f"{node_name(ask.node or part.node)} failed: {why.message if why else 'it gave no reason'}"[:1000]
        said = await self._ask(step, replace(ask, reasons=(*ask.reasons, reason)), part)
        if said is None:
            return failed
        return after_nobody_helped(failed, said) if said.status is RunStatus.FAILED else said

    async def decides(self, step: str, ask: Ask, answers: Schema | None) -> RunResult | None:
        """What the person says of a question; a failed result is a no, and nothing: nobody was asked, or was left out.

        Raises:
            CancelledError: the run was stopped.
        """
        if self._node.escalate is None:
            return None
        said = await self._ask(step, ask, Part("escalate", self._node.escalate, answers=answers))
        return None if said and said.status is RunStatus.PARTIAL and said.output is None else said

    async def _ask(self, step: str, ask: Ask, part: Part) -> RunResult | None:
        """The person's result; nothing where nobody is asked. A pattern whose own time has no end gives its ``seconds``."""
        person, frame = self._node.escalate, self._frame
        if person is None or frame.halted:
            return None
        end = earliest(ask.person_until, workflow.time() + self._node.seconds)
        if end is not None and end <= workflow.time():
            frame.decide(f"{step}: {person.name} is not asked, the time for it is over")
            return None
        why = ask.reasons[-1] if ask.reasons else "nobody else can decide"
        frame.decide(f"{step}: {person.name} is asked, {why}")
        context = replace(frame.step(step, "escalate.person"), accept=both(part, ask.accept))
        person, said = _offered(person, has_draft=ask.draft and ask.given is not None)
        # What bounds whoever failed does not bound the person.
        ask = replace(ask, seconds=None, until=end, reasons=(*ask.reasons, *said))
        result = await run_node(context, answering(person, part), ask.task(step, self._goal))
        self._results.append(result)
        if result.status is RunStatus.FAILED and result.failure:
            frame.decide(f"{step}: {result.failure.message}")
        return result


def _offered(person: PersonNode, *, has_draft: bool) -> tuple[PersonNode, tuple[str, ...]]:
    """The person with what can be chosen, and what is to be said of that.

    Args:
        person: who is asked.
        has_draft: whether there is something that can be passed on as it is. Without it a yes would say nothing.
    """
    if has_draft or OF_SOMETHING.isdisjoint(person.choices):
        return person, ()
    left = tuple(choice for choice in person.choices if choice not in OF_SOMETHING)
    choices = left if Choice.ANSWER in left else (Choice.ANSWER, *left)
    return person.model_copy(update={"choices": choices}), (_NOTHING,)


def after_nobody_helped(failed: RunResult, said: RunResult) -> RunResult:
    """What failed and was put to a person in vain: its cause, and what the person said, or that nobody did."""
    if failed.failure is None or said.failure is None:
        return failed
    message = f"{failed.failure.message[:550]}; {said.failure.message[:400]}"
    return failed.model_copy(update={"failure": failed.failure.model_copy(update={"message": message})})
