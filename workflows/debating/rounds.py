"""The rounds of a debate: everybody votes at once, and the votes are counted."""

from functools import partial
from typing import cast

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue, ValidationError

    from activities.contracts.base import WireModel
    from activities.contracts.failures import FailureDetail
    from workflows.comparing import said_alike
    from workflows.contracts import RunResult, RunStatus
    from workflows.debating import prompts
    from workflows.debating.votes import Round, Said, Vote
    from workflows.handoffs import identity
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork
    from workflows.teams.tree import AgentNode, DebateNode


class _Kept(WireModel):
    """A round, over a continue-as-new."""

    votes: tuple[Vote, ...]
    groups: tuple[tuple[int, ...], ...]


class _Memory(WireModel):
    rounds: tuple[_Kept, ...] = ()
    failed: dict[str, FailureDetail | None] = {}


class Rounds:
    """The rounds of one debate, oldest first. All of it is carried over a continue-as-new."""

    def __init__(self, work: PatternWork[DebateNode]) -> None:
        self._work, self._node = work, work.node
        memory = _Memory.model_validate(work.memory or {})
        self._failed = dict(memory.failed)
        """How the debaters of the last round failed."""
        self._ended = False
        """A round was cut short, and those before it count."""
        self.held = [Round(number, kept.votes, kept.groups) for number, kept in enumerate(memory.rounds, 1)]

    @property
    def memory(self) -> JsonValue:
        """All of it."""
        kept = tuple(_Kept(votes=held.votes, groups=tuple(map(tuple, held.groups))) for held in self.held)
        return cast("JsonValue", _Memory(rounds=kept, failed=self._failed).model_dump(mode="json"))

    @property
    def last(self) -> Round | None:
        """The newest; nothing before the first."""
        return self.held[-1] if self.held else None

    @property
    def is_agreed(self) -> bool:
        """Whether they agree on a position."""
        return bool(self.last and self.last.cast >= self._node.quorum and self.last.agreement >= self._node.agreement)

    @property
    def are_over(self) -> bool:
        """Whether there is nothing more to argue: they agree, no round is left, nobody knows, or all have failed."""
        silent = bool(self.last and not self.last.camps and (not self._failed or self._all_failed))
        return self._ended or self.is_agreed or silent or len(self.held) > self._node.rounds

    @property
    def _is_cut_short(self) -> bool:
        """Whether the budget ended the round that was just held, or nobody was left to hold it."""
        return self._all_failed or self._work.frame.account.breached

    @property
    def _all_failed(self) -> bool:
        return len(self._failed) == len(self._node.debaters)

    @property
    def failed(self) -> RunResult | None:
        """How the first debater failed, where in the last round all did."""
        if not self._all_failed:
            return None
        failure = next(self._failed[name] for name in self._node.debaters)
        return RunResult(status=RunStatus.FAILED, failure=failure)

    async def next(self) -> None:
        """Let everybody vote. Whoever fails abstains, and the result says so. A later round that time cut short is none.

        Raises:
            Halted: a gate has ended the run.
            PartFailed: the debate's own budget did not pay, and is to fail it then; or nobody knows what a debater has done.
            CancelledError: the run was stopped.
        """
        number = len(self.held) + 1
        jobs = [partial(self._vote, number, name) for name in self._node.debaters]
        self._failed = {}
        results = len(self._work.results)
        votes = await self._work.side_by_side(jobs)
        self._work.frame.go_on()
        self._work.check_budget((f"round {number}", result) for result in self._work.results[results:])
        if self.held and self._failed and self._work.is_late:
            return
        if self.last and self._failed and self._is_cut_short:
            self._ended = True
            if self.last.camps:
                why = next(vote.failed for vote in votes if vote.failed)
                self._work.missing.append(
                    f"the votes of round {number - 1} count, as round {number} was cut short: {why}"[:1000]
                )
                self._failed = {}
                return
        self._work.missing += [
            f"{vote.debater} gave no vote in round {number}: {vote.failed}"[:1000] for vote in votes if vote.failed
        ]
        held = Round(number, votes, await self._camps(number, votes))
        self.held.append(held)
        self._work.frame.decide(
            f"round {number}: {held.agreement:.0%} of {held.cast} votes for {held.position[:200]!r}"
            if held.camps
            else f"round {number}: all abstained"
        )

    async def _vote(self, number: int, name: str) -> Vote:
        place, node = f"debaters.{name}", self._node.debaters[name]
        result = await self._work.run(place, f"r{number}-{name}", self._ask(number, name), escalate=False)
        if result.status is RunStatus.FAILED:
            self._failed[name] = result.failure
            return Vote(debater=name, failed=(result.failure.message if result.failure else "it failed")[:1000])
        try:
            said = Said.model_validate(result.output)
        except ValidationError:
            why = "it was left out" if result.output is None else "what stands in for it is no vote"
            return Vote(debater=name, failed=why)
        own = isinstance(node, AgentNode) and result.owner == identity(self._work.frame.step(), node)
        return Vote(
            debater=name,
            position="" if said.abstain else said.position.strip(),
            confidence=said.confidence,
            reasons=said.reasons,
            thread=result.thread if own else None,
        )

    def _ask(self, number: int, name: str) -> Ask:
        goal, positions, given = self._work.goal, self._node.positions, self._work.given
        before = self.last.votes if self.last else ()
        inputs: dict[str, JsonValue] = {"input": given, "round": number, "votes": prompts.as_values(before)}
        key = f"r{number}-{name}"[:64]
        material = goal if given is None else given
        if not before:
            return Ask(prompts.for_first_vote(goal, positions), given, inputs, key, material=material)
        thread = next((vote.thread for vote in before if vote.debater == name), None)
        if thread:
            return Ask(prompts.for_next_vote(before), None, inputs, key, thread=thread)
        return Ask(prompts.for_late_vote(goal, positions, before), given, inputs, key, material=material)

    async def _camps(self, number: int, votes: list[Vote]) -> list[list[int]]:
        """The places of the votes in groups that are for one position."""
        cast = [index for index, vote in enumerate(votes) if not vote.abstains]
        if not cast:
            return []
        similar = None if self._node.positions else self._node.similar
        groups = await said_alike(self._work, [votes[index].position for index in cast], similar, number)
        return [[cast[index] for index in group] for group in groups]
