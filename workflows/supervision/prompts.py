"""What a supervisor tells its agents. Each is told its own part, not the others'."""

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from activities.contracts.base import MAX_TEXT
from workflows.cutting import Shown, bounded, cut, shares
from workflows.teams.tree import SubtaskSpec, WorkerSpec

MAX_SHOWN = MAX_TEXT * 5 // 8
"""Characters of results in one prompt: beyond, each is cut to its share, and says so."""
MAX_GOAL = MAX_TEXT // 8
"""Characters of a goal beside something else: what is to be done with them comes last, and is never cut."""
MAX_LISTED = MAX_TEXT // 16
"""Characters of what is missing, or is to be mended."""


def for_worker(goal: str, subtask_id: str, subtask: SubtaskSpec) -> Shown:
    """A subtask, with the goal that it serves; without one it says all there is to know."""
    which = f"This is subtask {subtask_id} of a larger goal; do this subtask only."
    aim, given = _goal(goal), cut(_json(subtask.input), MAX_SHOWN, f"the input of {subtask_id}")
    parts = [subtask.task, f"{which} The goal: {aim}" if goal else f"{which} It is complete in itself."]
    if subtask.input is not None:
        parts.append(f"Input:\n{given}")
    return bounded("\n\n".join(parts), aim, given)


def for_planner(goal: str, workers: Mapping[str, WorkerSpec], room: int, *, tells_goal: bool = True) -> Shown:
    """The first decomposition.

    Args:
        goal: what is to be broken down.
        workers: who there is, by type.
        room: subtasks at most.
        tells_goal: whether workers are told the goal too.
    """
    seen = "its own subtask and the goal" if tells_goal else "its own subtask, and does not know the goal"
    types = "\n".join(f"- {name}: {worker.description or 'no description'}" for name, worker in workers.items())
    aim = cut(goal, MAX_SHOWN, "the goal")
    return bounded(
        f"{aim}\n\nBreak this goal down into at most {room} subtasks that can be worked on side by side, each complete"
        f" in itself: a worker sees nothing but {seen}. Worker types:\n{types}",
        aim,
    )


def for_follow_up(results: Sequence[Mapping[str, JsonValue]], room: int) -> Shown:
    """Another round, on what has come back."""
    so_far = _shown(results)
    return bounded(
        f"These are the results so far.\n\n{so_far}\n\nWhich further subtasks does the goal need? At most {room};"
        " an empty list where nothing is missing, or where more work would not help.",
        so_far,
    )


def for_synthesis(
    goal: str, results: Sequence[Mapping[str, JsonValue]], missing: Sequence[str], longest: int = MAX_SHOWN
) -> Shown:
    """One whole out of the parts, of which so many characters are shown."""
    gaps, said, aim = _listed(missing), _shown(results, longest), _goal(goal)
    return bounded(
        f"{aim}\n\nThe results of the subtasks:\n\n{said}\n\n"
        + (f"These parts are missing, and your answer has to say so:\n{gaps}\n\n" if gaps else "")
        + "Answer the goal from these results, and from nothing else.",
        aim,
        said,
    )


def for_correction(problems: Sequence[str]) -> Shown:
    """What the gate has against a draft."""
    return bounded(f"Your answer cannot be used as it is:\n{_listed(problems)}\nAnswer again, whole and corrected.")


def whole_again(
    goal: str,
    results: Sequence[Mapping[str, JsonValue]],
    missing: Sequence[str],
    draft: JsonValue,
    problems: Sequence[str],
) -> Shown:
    """A correction for somebody who does not remember the draft: all that there is to know."""
    return again(for_synthesis(goal, results, missing, MAX_SHOWN // 2), draft, problems)


def again(prompt: str, draft: JsonValue, problems: Sequence[str]) -> Shown:
    """The same once more, with the draft that cannot be used as it is."""
    before = cut(_json(draft), MAX_SHOWN // 2, "the draft")
    return bounded(f"{prompt}\n\nAn earlier answer:\n{before}\n\n{for_correction(problems)}", prompt, before)


def for_a_person(goal: str) -> Shown:
    """A draft that nothing else lets through."""
    return bounded(f"May this draft be the answer? The goal: {goal}", longest=4000)


def for_review(goal: str, draft: JsonValue) -> Shown:
    """A draft, for somebody who did not write it."""
    aim, written = _goal(goal), cut(_json(draft), MAX_SHOWN, "the draft")
    return bounded(f"Review this draft.\n\nThe goal: {aim}\n\nThe draft:\n{written}", aim, written)


def for_reviewers(goal: str) -> Shown:
    """The same for a nested pattern, which is given the draft."""
    return bounded(f"Review the draft below.\n\nThe goal: {_goal(goal)}")


def _goal(goal: str) -> Shown:
    return cut(goal, MAX_GOAL, "the goal")


def _listed(lines: Sequence[str]) -> str:
    """Lines, as many as there is room for, and how many more there are: the result names them all."""
    kept, room = list[str](), MAX_LISTED
    for line in lines:
        room -= len(line) + 3
        if room < 0:
            kept.append(f"and {len(lines) - len(kept):,} more")
            break
        kept.append(line)
    return "\n".join(f"- {line}" for line in kept)


def _shown(results: Sequence[Mapping[str, JsonValue]], longest: int = MAX_SHOWN) -> Shown:
    return shares({f"the result of {result.get('subtask_id')}": _json(result) for result in results}, longest)


def _json(value: JsonValue | Mapping[str, JsonValue]) -> str:
    return json.dumps(value, ensure_ascii=False)
