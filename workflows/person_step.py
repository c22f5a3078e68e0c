"""A step done by a person: a human task is opened as a child workflow, and its decision is the step's result."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ConfigurationInvalid
    from workflows.contracts import RunResult, RunStatus
    from workflows.step_context import StepContext
    from workflows.teams.tree import PersonNode


async def run_person(step: StepContext, node: PersonNode) -> RunResult:
    """Ask a person."""
    del step
    error = ConfigurationInvalid(f"the person {node.name!r} cannot be asked yet", fix="wait for the next release")
    return RunResult(status=RunStatus.FAILED, failure=error.detail())
