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
    from activities.contracts.similarity import MAX_SAMPLE_BYTES, Similarity
    from activities.vectors import sample
    from workflows.alike import groups
    from workflows.contracts import RunResult, RunStatus
    from workflows.cutting import Shown, bounded, cut
    from workflows.needs import as_text
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork
    from workflows.similarity import compare
    from workflows.teams.kinds.sameness import MAX_COMPARED

PLACE = "comparer"
"""Where a pattern has the node that says it."""
MAX_NUMBERED = MAX_TEXT // 2 // MAX_COMPARED
"""Characters of one answer that a comparer's prompt shows."""
WINDOWS = 4
LED_IN = 200
"""Characters before the place where long answers begin to differ."""
MAX_QUESTION = 16_000


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
        ask = Ask(
            _for_comparer(work.goal, texts, number),
            inputs={"input": work.given, "texts": list(texts)},
            material=list(texts),
        )
        result = await work.run(PLACE, f"compare-{number}", ask, escalate=False)
        said = result.output.get("groups") if isinstance(result.output, dict) else None
        if result.status is not RunStatus.FAILED and isinstance(said, list):
            return _read(said, len(texts))
    elif similarity:
        compared = await compare(work.frame.step(), similarity, texts, number=number, end=work.deadline)
        work.results.append(compared.result)
        if compared.cosines:
            if long := [place for place, text in enumerate(texts, 1) if sample(text) != text]:
                parts = f"of the answers {', '.join(map(str, long))} parts were compared in comparison {number}"
                work.frame.note(notes=[f"{parts}, evenly spread: they have more than {MAX_SAMPLE_BYTES:,} bytes"])
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
    if result.failure:
        return result.failure.message
    return "it was left out" if result.output is None else "what stands in for it names no groups"


def _read(said: Sequence[JsonValue], count: int) -> list[list[int]]:
    """The groups that a comparer named, each answer once: in the first that names it, else alone."""
    found: list[list[int]] = []
    left = list(range(count))
    for group in said:
        named = {number - 1 for number in group if isinstance(number, int)} if isinstance(group, list) else set[int]()
        if own := [index for index in left if index in named]:
            found.append(own)
            left = [index for index in left if index not in own]
    return sorted([*found, *([index] for index in left)])


def _for_comparer(goal: str, texts: Sequence[str], comparison: int) -> Shown:
    each = [_windows(text, f"answer {place} of comparison {comparison}") for place, text in enumerate(_apart(texts), 1)]
    listed = "\n\n".join(f"{place}. {text}" for place, text in enumerate(each, 1))
    question = cut(goal, MAX_QUESTION, "the question")
    return bounded(
        f"Which of these answers say the same, in whatever words? Answer with groups of their numbers.\n\n"
        f"The question was: {question}\n\nAnswers:\n{listed}",
        question,
        *each,
    )


def _apart(texts: Sequence[str]) -> list[str]:
    """The texts; where one is too long to be shown, without the beginning that all of them have."""
    first, last = min(texts), max(texts)  # what these two begin with alike, all between them do
    differs = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    same = next(differs, len(first)) - LED_IN
    if same <= 0 or max(map(len, texts)) <= MAX_NUMBERED:
        return list(texts)
    return [f"[the first {same:,} characters are the same in all of them] {text[same:]}" for text in texts]


def _windows(text: str, what: str) -> Shown:
    """As much of a text as is shown: of a long one windows from its beginning to its end, as embeddings see it."""
    if len(text) <= MAX_NUMBERED:
        return Shown(text)
    size = MAX_NUMBERED // WINDOWS
    starts = [(len(text) - size) * number // (WINDOWS - 1) for number in range(WINDOWS)]
    said = f"{WINDOWS} parts of {size:,} characters of the {len(text):,}"
    shown = "\n[...]\n".join(text[start : start + size] for start in starts)
    return Shown(f"[cut: {said}, evenly spread]\n{shown}", (f"{said} of {what}",))
