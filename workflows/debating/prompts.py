"""What a debate tells its debaters, its judge, and the person who decides where they do not agree."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from activities.contracts.base import MAX_TEXT
from workflows.cutting import Shown, bounded, shares
from workflows.debating.votes import Round, Vote

MAX_VOTES = MAX_TEXT // 4
"""Characters of votes in one prompt: beyond, each is cut to its share, and says so."""


def for_first_vote(goal: str, positions: Sequence[str]) -> str:
    """The question, and nothing of what anybody else says of it."""
    return bounded(f"{goal}\n\n{_how(positions)}")


def for_next_vote(votes: Sequence[Vote]) -> str:
    """Another round, for one who remembers the question."""
    said = _shown(votes)
    return bounded(
        f"Your vote and those of the others, as they were in the last round.\n\n{said}\n\n"
        "Weigh their reasons against yours, and vote again: change your position where theirs are better, and say why where"
        " they are not.",
        said,
    )


def for_late_vote(goal: str, positions: Sequence[str], votes: Sequence[Vote]) -> str:
    """Another round, for one who does not."""
    said = _shown(votes)
    return bounded(
        f"{for_first_vote(goal, positions)}\n\nThe others have voted already.\n\n{said}\n\n"
        "Weigh their reasons, and give your own vote.",
        said,
    )


def for_judge(goal: str, last: Round, position: str, minority: Sequence[Vote], how: str) -> str:
    """One answer of a debate."""
    fewer, said = _shown(minority), _shown(last.votes)
    against = f"Minority:\n{fewer}\n\n" if minority else ""
    return bounded(
        f"{goal}\n\nIt was debated. Position: {position}\n\nIt stands by {how}: {last.agreement:.0%} of {last.cast} votes in"
        f" round {last.number} were for the strongest one.\n\n{said}\n\n{against}"
        "Answer the question from these votes and their reasons, in the sense of this position. Where the minority has a"
        " reason that the others do not answer, say so.",
        said,
        fewer,
    )


def for_judges(goal: str, position: str) -> Shown:
    """The same for a nested pattern, which is given the votes."""
    return bounded(
        f"{goal}\n\nIt was debated. Position: {position}\n\nAnswer the question from the votes below and their reasons, in"
        " the sense of this position."
    )


def for_person(goal: str, why: str) -> str:
    """The question, for whoever decides it."""
    return bounded(f"{goal}\n\nThe debate did not decide it: {why}. Which position holds?", longest=4000)


def as_reasons(last: Round) -> list[str]:
    """The votes, a line each."""
    lines = []
    for vote in last.votes:
        said = f"{vote.position} ({vote.confidence:g})" if not vote.abstains else vote.failed or "abstains"
        lines.append(f"{vote.debater}: {': '.join([said, '; '.join(vote.reasons)]).rstrip(': ')}"[:1000])
    return lines


def _how(positions: Sequence[str]) -> str:
    said = "Give your own position, how sure you are, and your reasons. Abstain where you have none."
    return said + ("\n\nPositions:\n" + "\n".join(f"- {position}" for position in positions) if positions else "")


def _shown(votes: Sequence[Vote]) -> Shown:
    said = {f"the vote of {vote.debater}": json.dumps(vote.shown(), ensure_ascii=False) for vote in votes}
    lines = shares(said, MAX_VOTES)
    return Shown(f"Votes:\n{lines}", lines.cuts)


def as_values(votes: Sequence[Vote]) -> list[JsonValue]:
    """The votes for calls, and for the result."""
    return [vote.shown() for vote in votes]
