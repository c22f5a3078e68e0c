"""What a debate comes to: the position that holds, how it was found, and what the minority had to say."""

from dataclasses import dataclass
from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from activities.contracts.grants import Verdict
    from activities.errors import ContractViolated, LimitExceeded, OstinatoError
    from workflows.contracts import RunResult, RunStatus
    from workflows.debating import prompts
    from workflows.debating.rounds import Rounds
    from workflows.debating.votes import Round, Vote
    from workflows.handoffs import identity
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.teams.tree import DebateNode

MINORITY = "minority"
"""Key of the state under which the minority's votes are committed."""
_TOLD = {
    "agreement": "agreement",
    "votes": "the most votes",
    "person": "a person's decision",
    "fallback": "what was laid down for the case that nobody decides",
}


@dataclass(frozen=True)
class Outcome:
    """The position that holds, and how it was found."""

    position: str
    decided_by: Literal["agreement", "votes", "person", "fallback"]

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


def so_far(rounds: Rounds) -> JsonValue:
    """What there is, should the debate fail now; nothing where nobody has a position."""
    return Outcome(rounds.last.position, "votes").output(rounds) if rounds.last and rounds.last.camps else None


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
    ask = Ask(
        prompts.for_person(work.goal, str(error)),
        last.position or None,
        reasons=(*prompts.as_reasons(last), str(error)),
        draft=True,
    )
    said = await work.asked("decision", ask, node.decides())
    if said and said.status is not RunStatus.FAILED:
        return _decided(work, said)
    if said and said.failure and said.failure.kind is FailureKind.NOT_ALLOWED:
        raise PartFailed(said)
    if said and said.failure:
        work.missing.append(f"nobody decided in place of the debaters: {said.failure.message}"[:1000])
    if failed := rounds.failed:
        raise PartFailed(failed)
    raise error


def _decided(work: PatternWork[DebateNode], said: RunResult) -> Outcome:
    """The position of the person who was asked, or of what stands in for one who said nothing."""
    position = said.output.strip() if isinstance(said.output, str) else ""
    name = work.node.escalate.name if work.node.escalate else ""
    own = not said.owner and any(one.tool == name and one.verdict is not Verdict.BLOCK for one in said.decisions)
    who = name if own else f"what stands in for {name}"
    work.frame.decide(f"{who} decides for {position[:200]!r}")
    return Outcome(position, "person" if own else "fallback")


def keep_minority(work: PatternWork[DebateNode], minority: list[Vote]) -> None:
    """Commit the votes against the position to the run's state, where there are any.

    Raises:
        LimitExceeded: the state has no room.
    """
    if minority:
        step = work.frame.step(MINORITY)
        owner = identity(work.frame.step(), work.node)
        work.frame.state.commit(MINORITY, prompts.as_values(minority), step=step.path, owner=owner)


def _silence(last: Round | None) -> str:
    """Who has no position, and why: those who failed, then those who abstained of themselves."""
    votes = last.votes if last else ()
    said = [f"{vote.debater} gave no vote ({vote.failed[:200]})" for vote in votes if vote.failed]
    abstained = [vote.debater for vote in votes if not vote.failed]
    return "; ".join([*said, *([f"{', '.join(abstained)} abstained"] if abstained else [])])


def _undecided(work: PatternWork[DebateNode], rounds: Rounds) -> OstinatoError | None:
    """Why the debaters have not decided it themselves; nothing: they have."""
    last, node = rounds.last, work.node
    if last is None or not last.camps:
        return ContractViolated(
            f"nobody has a position in the debate {node.name!r}: {_silence(last)}"[:600],
            fix="look at their threads and reasons (ostinato show), give them what they need to know, or name a person in escalate",
        )
    if last.cast < node.quorum:
        return LimitExceeded(
            f"{last.cast} of {len(node.debaters)} voted in the debate {node.name!r}, fewer than its quorum of {node.quorum}",
            fix="mend the debaters, lower quorum, or name a person in escalate",
        )
    against = 1 - last.agreement
    if against <= node.max_disagreement + 1e-9:
        return None
    return LimitExceeded(
        f"{against:.0%} of the votes in the debate {node.name!r} are against the strongest position, more than"
        f" max_disagreement={node.max_disagreement:g}",
        fix="allow more rounds, name a person in escalate, or raise max_disagreement",
    )
