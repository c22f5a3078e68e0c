"""The receiver's side of a handoff: does this worker take the step? Asked inside its first activity.

The failure this prevents: a step comes to a worker that lacks a tool or a model, half of it is paid, and then it fails. A
rejection is an answer: nothing is asked of a model, nothing recorded, nothing charged. A step that is on record is not
asked for: its answer does not depend on what this worker has.
"""

from collections.abc import Collection
from datetime import datetime

from activities.contracts.budgets import Amounts
from activities.contracts.handoffs import Acceptance, Handoff, Rejection, RejectionReason
from activities.contracts.profile import ToolSpec


def missing_tools(specs: Collection[ToolSpec], here: Collection[str]) -> Rejection | None:
    """The rejection where a tool is not of this deployment. Those of MCP servers and the platform's own are elsewhere."""
    missing = sorted({spec.name for spec in specs if not (spec.mcp or spec.platform or spec.name in here)})
    if not missing:
        return None
    return Rejection(
        reason=RejectionReason.TOOL_MISSING,
        message=f"the worker that got the step lacks {_listed('tool', missing)}",
        missing=tuple(missing[:64]),
    )


def missing_model(provider: str, here: Collection[str]) -> Rejection | None:
    """The rejection where the model's provider is not of this worker."""
    if provider in here:
        return None
    return Rejection(
        reason=RejectionReason.MODEL_MISSING,
        message=f"the worker that got the step has no provider {provider!r}",
        missing=(provider,),
    )


def unfit(handoff: Handoff, first_call: Amounts, now: datetime) -> Rejection | None:
    """What the handoff itself lacks.

    Args:
        handoff: as it was received.
        first_call: what the call that is about to be made takes at least, in the worst case.
        now: when the server gave the call to this worker: the server's clock, as the deadline is.
    """
    if missing := handoff.missing:
        return Rejection(
            reason=RejectionReason.NEEDS_MISSING,
            message=f"the step declares {_listed('key', missing)} of the state, which it was not given",
            missing=missing[:64],
        )
    if handoff.deadline is not None and handoff.deadline <= now.timestamp():
        return Rejection(reason=RejectionReason.DEADLINE, message="the step's time was over before it began")
    if handoff.budget.times(first_call) == 0:
        return Rejection(
            reason=RejectionReason.BUDGET, message="the step's budget does not pay for its first call in the worst case"
        )
    return None


def taken(handoff: Handoff, now: datetime, given: int) -> Acceptance:
    """The acceptance, measured. ``given``: bytes of what is handed over besides the handoff."""
    return Acceptance(
        milliseconds=max(0, round((now.timestamp() - handoff.offered_at) * 1000)),
        size_bytes=len(handoff.model_dump_json().encode()) + given,
    )


def _listed(what: str, names: Collection[str]) -> str:
    listed = ", ".join(repr(name) for name in list(names)[:8])
    return f"the {what}{'s' if len(names) > 1 else ''} {listed}"
