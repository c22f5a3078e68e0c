"""What a debate comes to: the position that holds, how it was found, and what the minority had to say."""

from dataclasses import dataclass
from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from activities.errors import ContractViolated, LimitExceeded, OstinatoError
    from workflows.contracts import RunStatus
    from workflows.debating import prompts
    from workflows.debating.rounds import Rounds
    from workflows.debating.votes import Vote
    from workflows.handoffs import identity
    from workflows.pattern_work import Ask, PartFailed, PatternWork
    from workflows.teams.kinds.base import choice, text
    from workflows.teams.tree import DebateNode

MINORITY = "minority"
"""Key of the state under which the minority's votes are committed."""
_TOLD = {"agreement": "agreement", "votes": "the most votes", "person": "a person's decision"}


@dataclass(frozen=True)
class Outcome:
    """The position that holds, and how it was found."""

    position: str
    decided_by: Literal["agreement", "votes", "person"]

    @property
    def told(self) -> str:
        """How it was found, as a judge reads it."""
        return _TOLD[self.decided_by]

    def minority(self, rounds: Rounds) -> list[Vote]:
        """The last round's votes against it."""
        return rounds.last.against(self.position) if rounds.last else []

    def output(self, rounds: Rounds, answer: JsonValue = None) -> JsonValue:
        """What the debate makes. ``answer``: the judge's; the position itself where there is none."""
        return {
            "answer": self.position if answer is None else answer,
            "position": self.position,
            "agreement": round(rounds.last.agreement, 4) if rounds.last else 0.0,
            "votes": prompts.as_values(rounds.last.votes if rounds.last else ()),
            "minority": prompts.as_values(self.minority(rounds)),
            "rounds": [held.shown() for held in rounds.held],
            "decided_by": self.decided_by,
        }


async def decide(work: PatternWork[DebateNode], rounds: Rounds) -> Outcome:
    """The position that holds after the last round: the debaters', or that of whoever decides in their place.

    Raises:
        DeadlineExceeded: its time was over before the first round.
        PartFailed: all debaters failed, or a person decided against all of it.
        ContractViolated: nobody has a position.
        LimitExceeded: they are too far apart, or too few have voted.
        CancelledError: the run was stopped.
    """
    last, node = rounds.last, work.node
    if last is None:
        raise work.too_late("nobody has voted")
    if not rounds.are_over:
        work.missing.append(f"there was no time for round {len(rounds.held) + 1} of the debate")
    error = _undecided(work, rounds)
    if error is None:
        if last.is_tied:
            work.frame.decide(f"as many votes for others: those for {last.position[:200]!r} are the surest together")
        return Outcome(last.position, "agreement" if rounds.is_agreed else "votes")
    answers = choice(node.positions) if node.positions else text("The position that holds.", longest=2000)
    ask = Ask(
        prompts.for_person(work.goal, str(error)),
        last.position or None,
        reasons=(*prompts.as_reasons(last), str(error)),
    )
    said = await work.asked("decision", ask, answers)
    if said and said.status is not RunStatus.FAILED:
        position = said.output if isinstance(said.output, str) else ""
        work.frame.decide(f"{node.escalate.name if node.escalate else 'a person'} decides for {position[:200]!r}")
        return Outcome(position, "person")
    if said and said.failure and said.failure.kind is FailureKind.NOT_ALLOWED:
        raise PartFailed(said)
    if said and said.failure:
        work.missing.append(f"nobody decided in place of the debaters: {said.failure.message}"[:1000])
    if failed := rounds.failed:
        raise PartFailed(failed)
    raise error


def keep_minority(work: PatternWork[DebateNode], minority: list[Vote]) -> None:
    """Commit the votes against the position to the run's state, where there are any.

    Raises:
        LimitExceeded: the state has no room.
    """
    if minority:
        step = work.frame.step(MINORITY)
        owner = identity(work.frame.step(), work.node)
        work.frame.state.commit(MINORITY, prompts.as_values(minority), step=step.path, owner=owner)


def _undecided(work: PatternWork[DebateNode], rounds: Rounds) -> OstinatoError | None:
    """Why the debaters have not decided it themselves; nothing: they have."""
    last, node = rounds.last, work.node
    if last is None or not last.camps:
        return ContractViolated(
            f"nobody has a position in the debate {node.name!r}: all of {len(node.debaters)} abstained",
            fix="look at their threads and reasons (ostinato show), give them what they need to know, or name a person in escalate",
        )
    if last.cast < node.quorum:
        return LimitExceeded(
            f"{last.cast} of {len(node.debaters)} voted in the debate {node.name!r}, fewer than its quorum of {node.quorum}",
            fix="mend the debaters, lower quorum, or name a person in escalate",
        )
    against = 1 - last.agreement
    if rounds.is_agreed or against <= node.max_disagreement + 1e-9:
        return None
    return LimitExceeded(
        f"{against:.0%} of the votes in the debate {node.name!r} are against the strongest position, more than"
        f" max_disagreement={node.max_disagreement:g}",
        fix="allow more rounds, name a person in escalate, or raise max_disagreement",
    )
