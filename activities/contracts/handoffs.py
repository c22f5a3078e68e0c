"""How work passes to its next owner: what is handed over, and what the receiver says to it.

The receiver answers where it runs, inside its first activity: an acceptance or a rejection is data, no exception, and
costs no event of its own.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from activities.contracts.base import Line, Name, WireModel
from activities.contracts.budgets import Budget

MAX_OWNERS = 16
"""Owners above each other, transfers included."""
MAX_LISTED = 20
"""Steps, constraints and decisions of each kind that one handoff names."""

CONSTRAINTS = "What holds for all of it"
"""What an agent's prompt names its constraints by: a line each, after this and a colon."""

Lines = Annotated[tuple[Line, ...], Field(max_length=MAX_LISTED)]


class Handoff(WireModel):
    """All that the next owner has to know. What it is to do is in its prompt or its call's arguments."""

    task_id: Line
    """The step's path: the same in every attempt and re-run."""
    goal: Annotated[str, Field(max_length=2000)] = ""
    """The run's original goal, its start where it is longer."""
    owner: Line = ""
    """Who receives it: ``team/agent@version``."""
    path: Annotated[tuple[Line, ...], Field(max_length=MAX_OWNERS)] = ()
    """The stack of owners, the root's first, the sender's last. A result pops it; a transfer never returns to one."""
    version: Annotated[int, Field(ge=0)] = 0
    """The version of the run's state that it was made from."""
    given: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    """Keys of the state whose values are handed over."""
    needs: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    """Keys that the receiver declares."""
    cut: Annotated[tuple[Line, ...], Field(max_length=128)] = ()
    """Of these keys (or of ``the task``) the receiver's prompt has only the start: they are longer than it may be."""
    completed: Lines = ()
    """Steps that are done, the last ones."""
    pending: Lines = ()
    """Steps that follow, the next ones."""
    constraints: Lines = ()
    decisions: Lines = ()
    """The decision log, the last entries."""
    summary: Annotated[str, Field(max_length=4000)] = ""
    """What has happened so far."""
    deadline: float | None = None
    """Seconds since 1970."""
    budget: Budget = Budget()
    """What the receiver may use; absent: no bound besides its own limits."""
    offered_at: float = 0.0
    """Workflow time, seconds since 1970."""
    trace_id: Line = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """What the receiver declares and is not given."""
        return tuple(key for key in self.needs if key not in self.given)


class RejectionReason(StrEnum):
    """Why a receiver does not take a step."""

    TOOL_MISSING = "tool_missing"
    """A tool of the agent is not here."""
    MODEL_MISSING = "model_missing"
    """The model's provider is not here."""
    NEEDS_MISSING = "needs_missing"
    """A declared key of the state was not handed over."""
    INPUT_MISMATCH = "input_mismatch"
    """The input does not fit the receiver's input contract."""
    BUDGET = "budget"
    """Not one call can be paid."""
    DEADLINE = "deadline"
    """The time is over before it begins."""
    CYCLE = "cycle"
    """It would return to an owner in its own path."""
    DEPTH = "depth"
    """There are too many owners above each other."""
    NOT_ALLOWED = "not_allowed"
    """A monitor, or a person whom it asked, does not allow it."""


class Rejection(WireModel):
    """A receiver's no. The sender's pattern supplies what is missing, re-routes, or fails."""

    reason: RejectionReason
    message: Line
    missing: Annotated[tuple[Line, ...], Field(max_length=64)] = ()
    """What would have to be there."""


class Acceptance(WireModel):
    """A receiver's yes, measured."""

    milliseconds: Annotated[int, Field(ge=0)] = 0
    """From the offer to the acceptance, waiting for a worker included."""
    size_bytes: Annotated[int, Field(ge=0)] = 0
    """Of all that was handed over as it was received: the handoff, and the prompt, the arguments or the inputs."""


class HandoffReport(WireModel):
    """One handoff as it went."""

    step: Line
    sender: Line = ""
    receiver: Line = ""
    version: int = 0
    rejected: Rejection | None = None
    milliseconds: int = 0
    size_bytes: int = 0
    declared: int = 0
    """Keys that the receiver declares."""
    present: int = 0
    """Those of them that were handed over whole."""
    cut: Annotated[tuple[Line, ...], Field(max_length=128)] = ()
    """What was too long to be shown whole."""
    unanswered: bool = False
    """The receiver was given the step, which ended before it had said anything."""
    asked_again: int = 0
    """Times that the receiver asked for a key that it had been given."""
