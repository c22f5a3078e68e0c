"""What a workflow says of itself before it has a result, and where it is stopped before it has one.

A cancelled workflow has no result in Temporal's eyes, so what it has come to stands in its memo: one event, at its end.
"""

from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import Line, WireModel
    from activities.contracts.effects import EffectReport
    from activities.contracts.events import MAX_EVENT_REPORTS, EventReport
    from activities.contracts.handoffs import HandoffReport
    from workflows.contracts import DecisionReport, RunResult, StateCommit
    from workflows.frame import Frame

STATE_QUERY = "state"
"""The query of every pattern: ``RunSoFar``."""
MEMO = "OstinatoResult"
"""Where a stopped workflow's ``RunResult`` stands in its memo."""
MAX_VALUE_BYTES = 16 * 1024
"""Of a value of the state that the memo holds."""
MAX_VALUES_BYTES = 256 * 1024
"""Of all of them, the newest first: a memo may have 2 MiB."""


class RunSoFar(WireModel):
    """The answer to the query ``state``: what a workflow has come to while it runs."""

    state: tuple[StateCommit, ...] = ()
    """The versions of its own state, oldest first."""
    done: tuple[EffectReport, ...] = ()
    handoffs: tuple[HandoffReport, ...] = ()
    decisions: tuple[DecisionReport, ...] = ()
    log: tuple[Line, ...] = ()
    """What its pattern decided, one sentence each."""
    events: tuple[EventReport, ...] = ()
    """Of its network, if it is one, and of the networks nested in it that have ended."""


def so_far(frame: Frame) -> RunSoFar:
    """The workflow as it is now."""
    return RunSoFar(
        state=tuple(frame.state.commits),
        done=tuple(frame.done),
        handoffs=tuple(frame.handoffs),
        decisions=tuple(frame.decisions),
        log=tuple(frame.log),
        events=(*frame.events, *frame.events_now())[-MAX_EVENT_REPORTS:],
    )


def leave_behind(result: RunResult) -> None:
    """Write what a stopped workflow has come to into its memo."""
    workflow.upsert_memo({MEMO: result.model_copy(update={"state": short(result.state)})})


def short(commits: Iterable[StateCommit]) -> tuple[StateCommit, ...]:
    """The versions without the values that are too large, and without the oldest ones where all together are."""
    kept: list[StateCommit] = []
    room = MAX_VALUES_BYTES
    for commit in reversed(tuple(commits)):
        fits = commit.size_bytes <= min(room, MAX_VALUE_BYTES)
        room -= commit.size_bytes if fits else 0
        kept.append(commit if fits else commit.model_copy(update={"value": None, "left_out": True}))
    return tuple(reversed(kept))
