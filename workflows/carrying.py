"""What a pattern takes along when it continues as new: all that its frame holds, and what its steps have come to."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.effects import MAX_LISTED_EFFECTS
    from workflows.contracts import MAX_LOG, Carried, RunResult
    from workflows.frame import Frame
    from workflows.results import with_beside


def carried(frame: Frame, result: RunResult, memory: JsonValue) -> Carried:
    """The input of the next execution.

    Args:
        frame: the workflow's.
        result: what its steps have come to.
        memory: where the pattern stands.
    """
    held = {
        "state": tuple(frame.state.commits),
        "handoffs": tuple(frame.handoffs),
        "decisions": tuple(frame.decisions),
        "notes": tuple(frame.notes),
        "log": tuple(frame.log[-MAX_LOG:]),
        "events": tuple(frame.events),
    }
    own = [report for report in frame.done if not report.earlier]  # the root's input has the earlier ones
    return Carried(
        memory=memory,
        result=with_beside(frame, result).model_copy(update=held),
        done=tuple(own[-MAX_LISTED_EFFECTS:]),
        unlisted=dict(frame.unlisted),
        effects_begun=frame.effects_begun,
        budget=frame.budget_asked(),
        started_at=frame.started_at,
    )
