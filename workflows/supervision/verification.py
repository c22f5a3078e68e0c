"""Verification: a draft is synthesised, reviewed, and let through by a gate, sent back, or put to a person."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, JsonValue, ValidationError

    from activities.contracts.base import Line, Schema
    from activities.errors import ConfigurationInvalid, ContractViolated, OstinatoError
    from workflows.contracts import RunResult, RunStatus
    from workflows.failures import failure_of
    from workflows.part_asks import PartFailed
    from workflows.planning.prompts import for_synthesis
    from workflows.supervision import prompts
    from workflows.supervision.lead import Lead
    from workflows.supervision.subtasks import Subtask
    from workflows.teams.tree import AgentNode

Values = dict[str, JsonValue]


class GateDecision(BaseModel):
    """What a gate's tool answers."""

    accepted: bool
    problems: list[Line] = []
    """What has to be mended, one sentence each."""
    output: JsonValue = None
    """The draft as it may leave: what failed is dropped from it."""


class Verification:
    """Makes the supervisor's output of its results."""

    def __init__(self, lead: Lead) -> None:
        self._lead, self._work, self._node, self._clock = lead, lead.work, lead.node, lead.clock

    async def output(self, subtasks: Sequence[Subtask]) -> JsonValue:
        """The output; the results as they are where the time for more ran out.

        Raises:
            PartFailed: the synthesis or the gate failed, or the gate does not accept the last draft.
        """
        results: list[JsonValue] = [dict(subtask.whole()) for subtask in subtasks]
        if self._node.synthesis is None:
            return results
        try:
            return await self._verified(subtasks, results, list(self._work.missing))
        except PartFailed:
            if not self._clock.ran_out(self._clock.synthesis):
                raise
            self._work.missing.append(
                f"the synthesis did not end within its {self._clock.seconds[2]:g} s: the results are as they came"
            )
            return results

    async def _verified(
        self, subtasks: Sequence[Subtask], results: list[JsonValue], missing: Sequence[str]
    ) -> JsonValue:
        inputs: Values = {
            "input": self._work.given,
            "results": results,
            "missing": [*self._work.frame.run.missing, *missing],
        }
        reports = [subtask.report() for subtask in subtasks]
        first = prompts.for_synthesis(self._work.goal, reports, missing)
        aim = for_synthesis(self._work.goal, missing)  # of a nested pattern, which is given the results
        ask = self._lead.ask(first, self._clock.synthesis, inputs=inputs, goal=aim, material=results)
        number = 0
        while True:
            number += 1
            step = f"synthesis-{number}"
            place = self._lead.place("synthesis")
            draft = await self._work.run(place, step, ask, escalate=False)
            failed = draft.status is RunStatus.FAILED
            if failed and not self._clock.ran_out(ask.until):
                draft = await self._work.escalated(place, step, ask, draft, answers=self._contract)
            if draft.status is RunStatus.FAILED:
                raise PartFailed(draft)
            if self._node.gate is None:
                return draft.output
            # What a person wrote does not go back to the synthesis, which has failed of it.
            final = failed or number == self._node.corrections + 1
            decision, refused = await self._decide(number, {**inputs, "draft": draft.output, "final": final})
            if decision.accepted and refused is None:
                return decision.output
            if final or refused:
                return await self._put_to_a_person(number, draft.output, decision, refused)
            correction = prompts.for_correction(decision.problems)
            thread = draft.thread if isinstance(self._node.synthesis, AgentNode) else None
            if thread is None:  # nobody remembers what it is about
                correction = prompts.whole_again(self._work.goal, reports, missing, draft.output, decision.problems)
            again = prompts.again(aim, draft.output, decision.problems)
            ask = self._lead.ask(
                correction, self._clock.synthesis, inputs=inputs, goal=again, material=results, thread=thread
            )

    async def _decide(self, number: int, inputs: Values) -> tuple[GateDecision, RunResult | None]:
        """What the gate says; where it failed or says nothing that can be used, its failed result too."""
        gate, step = self._node.gate, f"gate-{number}"
        review = await self._review(number, inputs) if self._node.review else None
        ask = self._lead.ask(self._work.goal, self._clock.synthesis, inputs={**inputs, "review": review})
        said = await self._work.run(self._lead.place("gate"), step, ask, escalate=False)
        if said.status is RunStatus.FAILED:
            return GateDecision(accepted=False), said
        try:
            return GateDecision.model_validate(said.output), None
        except ValidationError as error:
            unread = ConfigurationInvalid(
                f"the gate {gate.tool if gate else ''!r} does not answer as a gate: {error.errors()[0]['msg']}",
                fix="return {accepted, problems, output}",
            )
            return GateDecision(accepted=False), self._failed(step, unread)

    async def _review(self, number: int, inputs: Values) -> JsonValue:
        prompt, aim = prompts.for_review(self._work.goal, inputs["draft"]), prompts.for_reviewers(self._work.goal)
        ask = self._lead.ask(prompt, self._clock.synthesis, inputs=inputs, goal=aim, material=inputs["draft"])
        said = await self._work.run(self._lead.place("review"), f"review-{number}", ask, escalate=False)
        if said.status is RunStatus.FAILED:
            # The gate decides without it, and the result says that nobody else has looked.
            why = said.failure.message if said.failure else "it failed"
            self._work.missing.append(f"the review of draft {number}: {why}"[:1000])
        return said.output

    async def _put_to_a_person(
        self, number: int, draft: JsonValue, decision: GateDecision, refused: RunResult | None
    ) -> JsonValue:
        """A draft that nobody else lets through: a person's word on it is the last one.

        Raises:
            PartFailed: nobody is asked, or says no.
        """
        step, problems = f"gate-{number}", tuple(decision.problems)
        if refused is None:
            name = self._node.gate.name if self._node.gate else ""
            why = next(iter(problems), "it says no reason")
            rejected = ContractViolated(
                f"the gate {name!r} does not accept the last answer: {why}"[:1000],
                fix="look at the drafts with ostinato show RUN --step STEP, and mend the writer or the gate",
            )
            refused = self._failed(step, rejected)
        if self._clock.ran_out(self._clock.synthesis):
            raise PartFailed(refused)
        ask = self._lead.ask(
            prompts.for_a_person(self._work.goal),
            self._clock.synthesis,
            given=draft,
            draft=True,
            reasons=problems[:8],
            key=f"draft-{number}",
        )
        said = await self._work.escalated(self._lead.place("gate"), step, ask, refused, answers=self._contract)
        if said.status is RunStatus.FAILED:
            raise PartFailed(said)
        return said.output

    @property
    def _contract(self) -> Schema | None:
        """What a draft has to look like, where that is known."""
        node, team = self._node.synthesis, self._work.frame.run.team
        agent = team.agents.get(node.agent) if isinstance(node, AgentNode) else None
        return agent.output.schema_ if agent and agent.output else None

    def _failed(self, step: str, error: OstinatoError) -> RunResult:
        failure = failure_of(error, agent=self._node.name, step=self._work.frame.step(step).path)
        return RunResult(status=RunStatus.FAILED, failure=failure)
