"""The person of ``escalate``: what may be said of what there is, and what becomes of a no."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.people import Choice
    from workflows.contracts import RunResult
    from workflows.teams.tree import PersonNode

OF_SOMETHING = frozenset({Choice.APPROVE, Choice.EDIT})
"""What can be said of something only."""
_NOTHING = "there is nothing to approve or to edit: an answer is asked for"


def offered(person: PersonNode, *, has_draft: bool) -> tuple[PersonNode, tuple[str, ...]]:
    """The person with what can be chosen, and what is to be said of that.

    Args:
        person: who is asked.
        has_draft: whether there is something that can be passed on as it is. Without it a yes would say nothing.
    """
    if has_draft or OF_SOMETHING.isdisjoint(person.choices):
        return person, ()
    left = tuple(choice for choice in person.choices if choice not in OF_SOMETHING)
    choices = left if Choice.ANSWER in left else (Choice.ANSWER, *left)
    return person.model_copy(update={"choices": choices}), (_NOTHING,)


def after_nobody_helped(failed: RunResult, said: RunResult) -> RunResult:
    """What failed and was put to a person in vain: its cause, and what the person said, or that nobody did."""
    if failed.failure is None or said.failure is None:
        return failed
    message = f"{failed.failure.message[:550]}; {said.failure.message[:400]}"
    return failed.model_copy(update={"failure": failed.failure.model_copy(update={"message": message})})
