"""The drafts of a refinement: who writes the next one, what the editor said of each, and which is the best."""

from collections.abc import Sequence
from typing import Annotated

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import Field, JsonValue, ValidationError

    from activities.contracts.base import WireModel
    from activities.contracts.messages import ThreadRef
    from workflows.comparing import said_alike
    from workflows.contracts import RunResult, RunStatus
    from workflows.handoffs import identity
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.refining import prompts
    from workflows.teams.kinds.refine import STUCK_AFTER
    from workflows.teams.tree import AgentNode, RefineNode


class Draft(WireModel):
    """One draft and what came of it."""

    number: int
    value: JsonValue
    by: int = 0
    """Shifts before it."""
    thread: ThreadRef | None = None
    """The conversation in which the same writer may go on."""
    judged: bool = False
    accepted: bool = False
    score: float = 0.0
    problems: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[bool, float, int]:
        """How good it is: what nobody judged comes last, of two alike the later one is better."""
        return self.judged, self.score, self.number


class Judgement(WireModel):
    """What an editor answers."""

    accepted: bool
    score: Annotated[float, Field(ge=0, le=1)]
    problems: tuple[str, ...] = ()


class Drafts:
    """The drafts of one refinement, oldest first. All of it is carried over a continue-as-new."""

    def __init__(self, work: PatternWork[RefineNode]) -> None:
        self._work, self._node = work, work.node
        memory = work.memory if isinstance(work.memory, dict) else {}
        kept = memory.get("drafts")
        self.made = [Draft.model_validate(draft) for draft in kept] if isinstance(kept, list) else []
        self.shift = int(str(memory.get("shift", 0)))
        """Shifts so far."""
        self._keep()

    @property
    def memory(self) -> JsonValue:
        """All of it."""
        return {"drafts": [draft.model_dump(mode="json") for draft in self.made], "shift": self.shift}

    @property
    def best(self) -> Draft | None:
        """The one with the best score; nothing where none was made."""
        return max(self.made, key=lambda draft: draft.rank, default=None)

    async def next(self) -> Draft | None:
        """Write the next draft and have it judged; nothing where the writer was left out.

        Raises:
            PartFailed: the writer or the editor failed.
            CancelledError: the run was stopped.
        """
        number = len(self.made) + 1
        result = await self._run(self._place, f"draft-{number}", self._task(number))
        if result.output is None and result.status is RunStatus.PARTIAL:
            return None
        draft = Draft(number=number, value=result.output, by=self.shift, thread=self._goes_on(result))
        self.made.append(draft)
        self._keep()
        self.made[-1] = draft = await self._judged(draft)
        self._keep()
        return draft

    async def gets_on(self) -> bool:
        """Whether another draft is worth it: where the writer does not get on it shifts, and where it cannot it ends here.

        Raises:
            CancelledError: the run was stopped.
        """
        own = [draft for draft in self.made if draft.by == self.shift]
        more = self.shift < len(self._node.shifts)
        if more and len(own) >= self._node.shift_after:
            self._shift(f"{len(own)} drafts were not accepted")
        elif len(own) >= STUCK_AFTER and await self._stuck([draft.value for draft in own[-STUCK_AFTER:]]):
            if not more:
                self._work.frame.decide(f"the writer is stuck after draft {len(self.made)}, and has no shift left")
                return False
            self._shift("it is stuck")
        return True

    async def _stuck(self, values: Sequence[JsonValue]) -> bool:
        if not self._node.looks_stuck:
            return False
        return len(await said_alike(self._work, values, self._node.stuck, len(self.made))) == 1

    def _shift(self, why: str) -> None:
        changes = self._node.shifts[self.shift].model_dump(exclude_defaults=True)
        said = ", ".join(f"{name} {value}" for name, value in changes.items())
        self.shift += 1
        self._work.frame.decide(f"shift {self.shift} of the writer, {why}: {said}")

    @property
    def _place(self) -> str:
        return f"shifts.{self.shift - 1}" if self.shift else "writer"

    def _task(self, number: int) -> Ask:
        goal, criteria, given = self._work.goal, self._node.criteria, self._work.given
        last = self.made[-1] if self.made else None
        inputs: dict[str, JsonValue] = {
            "input": given,
            "draft": last.value if last else None,
            "problems": list(last.problems) if last else [],
            "criteria": list(criteria),
            "iteration": number,
        }
        material = goal if given is None else given
        if last is None:
            return Ask(prompts.for_writer(goal, criteria), given, inputs, material=material)
        if last.thread and last.by == self.shift:
            return Ask(prompts.for_same_writer(last.problems), None, inputs, thread=last.thread)
        prompt = prompts.for_another_writer(goal, criteria, last.value, last.problems)
        return Ask(prompt, given, inputs, material=material)

    def _goes_on(self, result: RunResult) -> ThreadRef | None:
        """The conversation of whoever will be asked again: not that of a stand-in, nor one inside a nested pattern."""
        node = self._work.parts[self._place].node
        own = isinstance(node, AgentNode) and result.owner == identity(self._work.frame.step(), node)
        return result.thread if own else None

    async def _judged(self, draft: Draft) -> Draft:
        goal, criteria, given = self._work.goal, self._node.criteria, self._work.given
        inputs: dict[str, JsonValue] = {
            "input": given,
            "draft": draft.value,
            "criteria": list(criteria),
            "iteration": draft.number,
        }
        prompt, aim = prompts.for_editor(goal, criteria, draft.value), prompts.for_editors(goal, criteria)
        ask = Ask(prompt, given, inputs, goal=aim, material=draft.value)
        result = await self._run("editor", f"review-{draft.number}", ask)
        try:
            said = Judgement.model_validate(result.output)
        except ValidationError:
            why = (
                "the editor was left out" if result.output is None else "what stands in for the editor is no judgement"
            )
            self._work.missing.append(f"draft {draft.number} was not judged: {why}")
            return draft
        least = self._node.accept_score
        accepted = said.accepted or (least is not None and said.score >= least)
        verdict = "accepted" if accepted else "not accepted"
        self._work.frame.decide(f"draft {draft.number} was {verdict}, with score {said.score:g}")
        return draft.model_copy(update={**said.__dict__, "judged": True, "accepted": accepted})

    async def _run(self, place: str, step: str, ask: Ask) -> RunResult:
        result = await self._work.run(place, step, ask)
        if result.status is RunStatus.FAILED:
            raise PartFailed(result)
        return result

    def _keep(self) -> None:
        """What there is, should it fail now."""
        if best := self.best:
            self._work.so_far = best.value
