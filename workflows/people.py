"""Asks a person, and waits: a human task is a child workflow, found in the inbox and decided by an update."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import Schema
    from activities.contracts.people import Asking, Choice, HumanDecision, ProposedAction
    from activities.errors import ConfigurationInvalid
    from workflows.step_context import StepContext


async def ask_person(
    step: StepContext,
    ordinal: str,
    question: str,
    *,
    asking: Asking | None = None,
    choices: Sequence[Choice] = (Choice.APPROVE, Choice.REJECT),
    action: ProposedAction | None = None,
    reasons: Sequence[str] = (),
    context: JsonValue = None,
    answer_schema: Schema | None = None,
) -> HumanDecision:
    """Put a question to a person; the recorded decision where the lineage has one.

    Args:
        step: the step that cannot go on without it.
        ordinal: of the question inside the step, such as ``t3.c0.ask``.
        question: one or a few sentences.
        asking: who is asked, and until when; the team's ``people`` where absent.
        choices: what may be said.
        action: the call that waits for a yes.
        reasons: why it is asked.
        context: what is to be looked at.
        answer_schema: what an answer has to be.

    Raises:
        DeadlineExceeded: nobody decided in time, and there is no default.
        CancelledError: the run was stopped.
    """
    raise ConfigurationInvalid("nobody can be asked yet", fix="wait for the next release")
