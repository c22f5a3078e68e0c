"""What an agent had said when its step ended before it had an answer, as its monitors let it stand for one.

The failure this prevents: a limit or a budget ends the step, and a text goes on that a monitor has blocked, or that nobody
has reviewed.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError

    from activities.errors import Halted, OstinatoError
    from workflows.agent_work import AgentWork
    from workflows.contracts import MAX_LAST_TEXT
    from workflows.failures import stop_if_requested
    from workflows.needs import as_text
    from workflows.reviewing.places import review_unfinished


async def review_last_text(work: AgentWork) -> str:
    """Leave in the state only what of the last text passes; why it does not, for its reader, or nothing.

    After the step's deadline rules alone decide: what needs a judge or a person does not pass then.

    Raises:
        Halted: a monitor ends the run at it.
        CancelledError: the run was stopped, or nobody has a use for the step any more.
    """
    before = work.state
    if not before.last_text:
        return _told(work)
    work.update(last_text="", withheld="its review did not come to an end")
    late = work.is_late
    try:
        async with work.step.frame.clock.until(None if late else work.deadline) as work.bound:
            reviewed = await review_unfinished(
                work.step, before.last_text, f"t{before.turns}.partial", work.spec.output, late=late
            )
    except Halted:
        raise
    except (OstinatoError, ActivityError, TimeoutError) as error:
        stop_if_requested()
        work.update(withheld=f"its review did not come to an end: {error}"[:1000])
        return _told(work)
    if reviewed.refusal:
        work.update(withheld=reviewed.told[:1000])
    else:
        work.update(last_text=as_text(reviewed.value)[:MAX_LAST_TEXT], withheld="")
    return _told(work)


def _told(work: AgentWork) -> str:
    why = work.state.withheld
    return f"what {work.agent} had said does not go on: {why}"[:1000] if why else ""
