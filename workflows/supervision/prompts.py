"""What a supervisor tells its agents. Each is told its own part, not the others'."""

import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from activities.contracts.base import MAX_TEXT
from workflows.cutting import Shown, bounded, shares
from workflows.teams.tree import SubtaskSpec, WorkerSpec

MAX_SHOWN = MAX_TEXT * 3 // 4
"""Characters of results in one prompt: beyond, each is cut to its share, and says so."""


def for_worker(goal: str, subtask_id: str, subtask: SubtaskSpec) -> str:
    """A subtask, with the goal that it serves; without one it says all there is to know."""
    which = f"This is subtask {subtask_id} of a larger goal; do this subtask only."
    parts = [subtask.task, f"{which} The goal: {goal}" if goal else f"{which} It is complete in itself."]
    if subtask.input is not None:
        parts.append(f"Input:\n{_json(subtask.input)}")
    return bounded("\n\n".join(parts))


def for_planner(goal: str, workers: Mapping[str, WorkerSpec], room: int, *, tells_goal: bool = True) -> str:
    """The first decomposition.

    Args:
        goal: what is to be broken down.
        workers: who there is, by type.
        room: subtasks at most.
        tells_goal: whether workers are told the goal too.
    """
    seen = "its own subtask and the goal" if tells_goal else "its own subtask, and does not know the goal"
    types = "\n".join(f"- {name}: {worker.description or 'no description'}" for name, worker in workers.items())
    return bounded(
        f"{goal}\n\nBreak this goal down into at most {room} subtasks that can be worked on side by side, each complete"
        f" in itself: a worker sees nothing but {seen}. Worker types:\n{types}"
    )


def for_follow_up(results: Sequence[Mapping[str, JsonValue]], room: int) -> str:
    """Another round, on what has come back."""
    so_far = _shown(results)
    return bounded(
        f"These are the results so far.\n\n{so_far}\n\nWhich further subtasks does the goal need? At most {room};"
        " an empty list where nothing is missing, or where more work would not help.",
        so_far,
    )


def for_synthesis(goal: str, results: Sequence[Mapping[str, JsonValue]], missing: Iterable[str]) -> str:
    """One whole out of the parts."""
    gaps = "\n".join(f"- {line}" for line in missing)
    said = _shown(results)
    return bounded(
        f"{goal}\n\nThe results of the subtasks:\n\n{said}\n\n"
        + (f"These parts are missing, and your answer has to say so:\n{gaps}\n\n" if gaps else "")
        + "Answer the goal from these results, and from nothing else.",
        said,
    )


def for_correction(problems: Iterable[str]) -> str:
    """What the gate has against a draft."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return bounded(f"Your answer cannot be used as it is:\n{listed}\nAnswer again, whole and corrected.")


def whole_again(prompt: str, draft: JsonValue, correction: str) -> str:
    """A correction for somebody who does not remember the draft: all that there is to know."""
    return bounded(f"{prompt}\n\nAn earlier answer:\n{_json(draft)}\n\n{correction}", prompt)


def for_a_person(goal: str) -> str:
    """A draft that nothing else lets through."""
    return bounded(f"May this draft be the answer? The goal: {goal}")


def for_review(goal: str, draft: JsonValue) -> str:
    """A draft, for somebody who did not write it."""
    return bounded(f"Review this draft.\n\nThe goal: {goal}\n\nThe draft:\n{_json(draft)}")


def _shown(results: Sequence[Mapping[str, JsonValue]]) -> Shown:
    return shares({f"the result of {result.get('subtask_id')}": _json(result) for result in results}, MAX_SHOWN)


def _json(value: JsonValue | Mapping[str, JsonValue]) -> str:
    return json.dumps(value, ensure_ascii=False)
