"""What a refinement tells its writer, its editor, and the person who decides at its end."""

from collections.abc import Sequence

from pydantic import JsonValue

from activities.contracts.base import MAX_TEXT
from workflows.cutting import Shown, bounded, cut
from workflows.stages import as_shown

MAX_DRAFT = MAX_TEXT // 4
"""Characters of a draft that a prompt shows."""


def for_writer(goal: str, criteria: Sequence[str]) -> str:
    """The first draft."""
    return bounded("\n\n".join(part for part in (goal, _listed("Criteria", criteria)) if part))


def for_another_writer(goal: str, criteria: Sequence[str], draft: JsonValue, problems: Sequence[str]) -> str:
    """The next draft, by one who has not written the last one, or does not remember it."""
    last = _shown(draft)
    parts = (goal, _listed("Criteria", criteria), f"The last draft:\n{last}", _against(problems))
    return bounded("\n\n".join(part for part in parts if part) + "\n\nWrite it again, whole and better.", last)


def for_same_writer(problems: Sequence[str]) -> str:
    """The next draft, in the conversation in which the last one was written."""
    return bounded(f"Your draft was not accepted. {_against(problems)}\n\nWrite it again, whole and corrected.".strip())


def for_editor(goal: str, criteria: Sequence[str], draft: JsonValue) -> str:
    """A draft, for somebody who did not write it."""
    judged = _shown(draft)
    return bounded(f"{for_editors(goal, criteria)}\n\nDraft:\n{judged}", judged)


def for_editors(goal: str, criteria: Sequence[str]) -> str:
    """The same for a nested pattern, which is given the draft."""
    wanted = _listed("Criteria", criteria) or "It has to do what was asked, and to do it well."
    return bounded(
        "Judge this draft: is it accepted as it is, how good is it, and what has to change? Do not rewrite it.\n\n"
        f"The task was: {goal}\n\n{wanted}"
    )


def for_person(goal: str, drafts: int) -> str:
    """The best draft of several none of which was accepted."""
    return bounded(
        f"None of {drafts} drafts was accepted. The best one is given: may it be used?\n\nThe task: {goal}",
        longest=4000,
    )


def _against(problems: Sequence[str]) -> str:
    return _listed("Problems", problems) or "It is not good enough yet."


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {' '.join(line.split())}" for line in lines)]) if lines else ""


def _shown(draft: JsonValue) -> Shown:
    return cut(as_shown(draft), MAX_DRAFT, "the draft")
