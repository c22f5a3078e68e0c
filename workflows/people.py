"""Asks a person, and waits: a human task is a child workflow, found in the inbox and decided by an update."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.people import HumanDecision, HumanTask
    from activities.errors import ConfigurationInvalid
    from workflows.step_context import StepContext


async def ask_person(step: StepContext, question: HumanTask) -> HumanDecision:
    """Put a question to a person; the recorded decision where the lineage has one.

    Args:
        step: the step that cannot go on without it.
        question: with ``key=step.key("t3.c0.ask")`` or the like. Where ``asking`` is absent, the team's ``people`` decide.

    Raises:
        DeadlineExceeded: nobody decided in time, and there is no default.
        CancelledError: the run was stopped.
    """
    raise ConfigurationInvalid(f"nobody can be asked yet: {question.key.path}", fix=f"see {step.path}")
