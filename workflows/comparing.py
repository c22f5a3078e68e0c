"""Which answers say the same: for a pattern that looks for agreement, or for somebody who repeats himself.

Texts that differ in case and spaces alone are the same without anybody being asked. Of the others a ``comparer`` says it
where the pattern has one, else how alike they are. Where that fails, only what is the same to the letter counts as the same:
the pattern goes on, and its result says so.
"""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from activities.contracts.similarity import Similarity
    from workflows.alike import groups
    from workflows.contracts import RunResult, RunStatus
    from workflows.needs import as_text
    from workflows.pattern_work import Ask, PatternWork
    from workflows.similarity import compare
    from workflows.teams.kinds.sameness import MAX_COMPARED

PLACE = "comparer"
"""Where a pattern has the node that says it."""
MAX_NUMBERED = MAX_TEXT // 2 // MAX_COMPARED
"""Characters of one answer that a comparer's prompt shows."""


async def said_alike(
    work: PatternWork[Any], values: Sequence[JsonValue], similarity: Similarity | None, number: int
) -> list[list[int]]:
    """The places of these values in groups that say the same, in their order.

    Args:
        work: the pattern's.
        values: at most ``MAX_COMPARED``.
        similarity: when they do; nothing: to the letter.
        number: unlike that of any other comparison of this pattern, and the same in every re-run.

    Raises:
        CancelledError: the run was stopped.
    """
    plain = [normal(value) for value in values]
    distinct = list(dict.fromkeys(plain))
    texts = [as_text(values[plain.index(text)]) for text in distinct]
    same = await _told_apart(work, texts, similarity, number) if len(texts) > 1 else [[0]]
    return [[index for index, text in enumerate(plain) if distinct.index(text) in group] for group in same]


def normal(value: JsonValue) -> str:
    """A value as far as its letters matter."""
    return " ".join(as_text(value).split()).casefold()


async def _told_apart(
    work: PatternWork[Any], texts: Sequence[str], similarity: Similarity | None, number: int
) -> list[list[int]]:
    """Of different texts."""
    if PLACE in work.parts:
        ask = Ask(_for_comparer(work.goal, texts), given=None, inputs={"input": work.given, "texts": list(texts)})
        result = await work.run(PLACE, f"compare-{number}", ask, escalate=False)
        if result.status is not RunStatus.FAILED and isinstance(result.output, dict):
            return _read(result.output["groups"], len(texts))
    elif similarity:
        compared = await compare(work.frame.step(), similarity, texts, number=number, end=work.deadline)
        work.results.append(compared.result)
        if compared.cosines:
            return groups(compared.cosines, similarity.threshold)
        result = compared.result
    else:
        return [[index] for index in range(len(texts))]
    why = _why(result)
    work.frame.note(
        notes=[f"only what is the same to the letter counted as the same in comparison {number}: {why}"[:1000]]
    )
    return [[index] for index in range(len(texts))]


def _why(result: RunResult) -> str:
    return result.failure.message if result.failure else "it was left out"


def _read(said: JsonValue, count: int) -> list[list[int]]:
    """The groups that a comparer named, each answer once: in the first that names it, else alone."""
    found: list[list[int]] = []
    left = list(range(count))
    for group in said if isinstance(said, list) else []:
        named = {number - 1 for number in group if isinstance(number, int)} if isinstance(group, list) else set[int]()
        if own := [index for index in left if index in named]:
            found.append(own)
            left = [index for index in left if index not in own]
    return sorted([*found, *([index] for index in left)])


def _for_comparer(goal: str, texts: Sequence[str]) -> str:
    listed = "\n\n".join(f"{number}. {text[:MAX_NUMBERED]}" for number, text in enumerate(texts, 1))
    return (
        f"Which of these answers say the same, in whatever words? Answer with groups of their numbers.\n\n"
        f"The question was: {goal[:16_000]}\n\nAnswers:\n{listed}"
    )
