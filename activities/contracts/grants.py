"""What may be done: grants of tools with conditions on their arguments, and what a gate decides on one action."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from activities.contracts.base import Digest, Line, Name, Text, WireModel
from activities.contracts.people import Asking


class ArgumentRule(WireModel):
    """What one argument of a call has to be, as the tool would get it. Everything that is given has to hold.

    A rule that says nothing fits any value, so the argument only has to be there.
    """

    one_of: Annotated[tuple[JsonValue, ...], Field(max_length=200)] | None = None
    """One of these values, by JSON equality."""
    pattern: Annotated[str, Field(max_length=500)] | None = None
    """A regular expression that matches the whole text. Without look-around and references to groups, so that its time
    grows with the text's length and no faster."""
    minimum: float | None = None
    maximum: float | None = None
    max_length: Annotated[int, Field(ge=0)] | None = None
    """Of a text or list."""


class Grant(WireModel):
    """The use of one tool. Deny by default: what is not granted is not done, and conditions only add up."""

    arguments: Annotated[dict[Name, ArgumentRule], Field(max_length=64)] = {}
    """Conditions on arguments, by name. A call without a named argument, and without a default for it, does not fit."""
    ask: bool = False
    """Every call goes to a person first."""


Grants = dict[Name, Grant]
"""Tool name to the conditions of its use."""


class Verdict(StrEnum):
    """What a gate says to one proposed action."""

    PROCEED = "proceed"
    EDIT = "edit"
    """Do it, with other arguments."""
    BLOCK = "block"
    """Not this; the agent is told why and goes on."""
    ASK = "ask"
    """A person decides."""
    HALT = "halt"
    """Not this, and nothing more of this run."""


class GateDecision(WireModel):
    """What was decided on one action, by whom, and why."""

    verdict: Verdict
    by: Line = ""
    """``grant``, ``policy`` or the person."""
    reason: Line = ""
    arguments: Text | None = None
    """The arguments to use instead, as JSON: where the verdict is ``edit``, or ``ask`` about an edited action."""
    rule: Line = ""
    """The rule of the policy or the argument of the grant that decided."""
    asking: Asking | None = None
    """Who is asked, where the policy says so; the team's ``people`` where absent."""


class Approval(WireModel):
    """A person's yes to one action, bound to it: for other arguments it is worth nothing."""

    task_id: Line
    """The human task in which it was given."""
    by: Line
    action: Digest
    """Hash of tool, arguments, task and expiry (``activities.gate.action_hash``)."""
    expires_at: float
    """Seconds since 1970."""
    decided_at: float = 0.0
    """Seconds since 1970: each yes is one of its own, and used once."""
    asked: Digest | None = None
    """Hash of the call as it was proposed (``activities.records.call_hash``), before anybody edited it."""
