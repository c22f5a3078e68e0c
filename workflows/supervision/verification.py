"""Verification: a draft is synthesised, reviewed, and let through by a gate, or sent back."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, JsonValue, ValidationError

    from activities.contracts.base import Line
    from activities.errors import ConfigurationInvalid, ContractViolated
    from workflows.contracts import RunResult, RunStatus, Task
    from workflows.frame import Frame
    from workflows.nodes import run_node
    from workflows.phases import PhaseClock
    from workflows.supervision import prompts
    from workflows.supervision.decomposition import StepFailed
    from workflows.supervision.dispatch import Subtask
    from workflows.teams.tree import CallNode, Node, SupervisorNode


class GateDecision(BaseModel):
    """What a gate's tool answers."""

    accepted: bool
    problems: list[Line] = []
    """What has to be mended, one sentence each."""
    output: JsonValue = None
    """The draft as it may leave: what failed is dropped from it."""


class Verification:
    """Makes the supervisor's output of its results. ``results`` are the steps' own, in their order."""

    def __init__(self, frame: Frame, node: SupervisorNode, goal: str, clock: PhaseClock) -> None:
        self._frame, self._node, self._goal, self._clock = frame, node, goal, clock
        self.results: list[RunResult] = []
        self.missing: list[str] = []

    async def output(self, subtasks: Sequence[Subtask], missing: Sequence[str]) -> JsonValue:
        """The output; the results as they are where the time for more ran out.

        Raises:
            StepFailed: the synthesis or the gate failed.
            ContractViolated: the gate does not accept the last draft.
        """
        results: list[JsonValue] = [dict(subtask.whole()) for subtask in subtasks]
        try:
            return await self._verified(subtasks, results, missing)
        except (StepFailed, ContractViolated):
            if not self._clock.ran_out(self._clock.synthesis):
                raise
            self.missing.append(
                f"the synthesis did not end within its {self._clock.seconds[2]:g} s: the results are as they came"
            )
            return results

    async def _verified(
        self, subtasks: Sequence[Subtask], results: list[JsonValue], missing: Sequence[str]
    ) -> JsonValue:
        inputs: dict[str, JsonValue] = {
            "input": self._frame.task.inputs.get("input"),
            "results": results,
            "missing": [*self._frame.run.missing, *missing],
        }
        if self._node.synthesis is None:
            return results
        prompt = prompts.for_synthesis(self._goal, [subtask.report() for subtask in subtasks], missing)
        task, gate = Task(prompt=prompt, inputs=inputs), self._node.gate
        number = 0
        while True:
            number += 1
            draft = await self._step(self._node.synthesis, "synthesis", number, task)
            if gate is None:
                return draft.output
            final = number == self._node.corrections + 1
            decision = await self._decide(gate, number, {**inputs, "draft": draft.output, "final": final})
            if decision.accepted:
                return decision.output
            if final:
                why = next(iter(decision.problems), "it says no reason")
                raise ContractViolated(
                    f"the gate {gate.name!r} does not accept the last answer: {why}"[:1000],
                    fix="look at the drafts with ostinato show RUN --step STEP, and mend the writer or the gate",
                )
            task = Task(prompt=prompts.for_correction(decision.problems), inputs=inputs, thread=draft.thread)

    async def _decide(self, gate: CallNode, number: int, inputs: dict[str, JsonValue]) -> GateDecision:
        review: JsonValue = None
        if self._node.review:
            prompt = prompts.for_review(self._goal, inputs["draft"])
            try:
                task = Task(prompt=prompt, inputs=inputs)
                review = (await self._step(self._node.review, "review", number, task)).output
            except StepFailed as failed:
                # The gate decides without it, and the result says that nobody else has looked.
                self.missing.append(f"the review of draft {number}: {failed}")
        decision = await self._step(gate, "gate", number, Task(prompt=self._goal, inputs={**inputs, "review": review}))
        try:
            return GateDecision.model_validate(decision.output)
        except ValidationError as error:
            raise ConfigurationInvalid(
                f"the gate {gate.tool!r} does not answer as a gate: {error.errors()[0]['msg']}",
                fix="return {accepted, problems, output}",
            ) from error

    async def _step(self, node: Node, role: str, number: int, task: Task) -> RunResult:
        part = f"{role}-{number}"
        task = self._clock.bounded(task, self._clock.synthesis)
        result = await run_node(self._frame.step(part), node, task.model_copy(update={"key": part}))
        self.results.append(result)
        if result.status is RunStatus.FAILED:
            raise StepFailed(result)
        return result
