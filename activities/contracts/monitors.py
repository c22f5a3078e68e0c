"""Monitors: policies of a team that review what is proposed below a node, before it happens.

A monitor only narrows: what it lets through is decided on by grants and the deployment's policy as ever.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from activities.contracts.base import Line, Name, WireModel
from activities.contracts.grants import Verdict
from activities.contracts.patterns import Arguments, Patterns, listed
from activities.contracts.people import Asking

MAX_RULES = 50
MAX_JUDGES = 8
"""Each costs a model call for every action that it looks at."""
MAX_PATTERN = 500
"""Characters of a regular expression."""


class ActionKind(StrEnum):
    """What is reviewed."""

    TOOL_CALL = "tool_call"
    HANDOFF = "handoff"
    """A step goes to a node that is nested in what is monitored, or an agent transfers its own."""
    ANSWER = "answer"
    """The final answer of an agent, and what the monitored node comes to."""


_Written = BeforeValidator(listed, json_schema_input_type=ActionKind | tuple[ActionKind, ...])
Kinds = Annotated[tuple[ActionKind, ...], _Written, Field(max_length=3)]


class MonitorRule(WireModel):
    """What is said to actions of one kind. Everything that is given has to match; a rule that says nothing matches all."""

    name: Line = ""
    """What decisions call it; its number where empty."""
    on: Kinds = ()
    """What it looks at; empty: whatever its conditions can be about."""
    tool: Patterns = ("*",)
    """Of a tool call."""
    agent: Patterns = ("*",)
    """Who acts: an agent, a call, or the node that hands a step on."""
    recipient: Patterns = ("*",)
    """Of a handoff: the node or agent that would get the step."""
    arguments: Arguments = {}
    """Of a tool call, or fields of an answer that is an object. A number that stands in a text is a number to a rule."""
    text: Annotated[str, Field(max_length=MAX_PATTERN)] | None = None
    """A regular expression that occurs in the arguments, the answer, or what a handoff says. Without look-around and
    references to groups, so that its time grows with the text's length and no faster."""
    verdict: Verdict
    reason: Line = ""
    """Why; the agent, the person and the record are told."""
    correction: Line = ""
    """What to do instead: it goes back to the agent."""
    replace: Annotated[dict[Name, JsonValue], Field(max_length=64)] = {}
    """With ``edit``: arguments, or fields of the answer, that are set, whatever was given."""
    limit: Arguments = {}
    """With ``edit``: what is brought within ``minimum``, ``maximum`` and ``max_length``, where it is given."""
    redact: Line | None = None
    """With ``edit``: what stands in place of everything that ``text`` matches."""
    asking: Asking | None = None
    """With ``ask``: who may decide, and what happens meanwhile; the team's ``people`` where absent."""

    @property
    def kinds(self) -> tuple[ActionKind, ...]:
        """What it looks at."""
        if self.on:
            return self.on
        found = set(ActionKind)
        if self.tool != ("*",):
            found &= {ActionKind.TOOL_CALL}
        if self.recipient != ("*",):
            found &= {ActionKind.HANDOFF}
        if self.arguments or self.verdict is Verdict.EDIT:
            found -= {ActionKind.HANDOFF}
        return tuple(kind for kind in ActionKind if kind in found)


class MonitorJudge(WireModel):
    """An agent that judges actions by a policy in words. It is asked once an action, and answers with a score."""

    name: Name
    on: Kinds = (ActionKind.TOOL_CALL, ActionKind.ANSWER)
    tool: Patterns = ("*",)
    """Of a tool call."""
    agent: Patterns = ("*",)
    """Who acts."""
    recipient: Patterns = ("*",)
    """Of a handoff."""
    judge: Name
    """The agent of the team that judges. It has no tools, and does no other work."""
    policy: Annotated[str, Field(min_length=1, max_length=8000)]
    """What it judges by."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.7
    """A score from which on an action violates the policy."""
    verdict: Literal[Verdict.BLOCK, Verdict.ASK, Verdict.HALT] = Verdict.BLOCK
    """What is said to a violation. Where the judge cannot judge, the action is blocked."""
    asking: Asking | None = None
    """With ``ask``."""


class MonitorSpec(WireModel):
    """One monitor, as it travels down with the tasks of what it watches."""

    name: Name
    rules: Annotated[tuple[MonitorRule, ...], Field(max_length=MAX_RULES)] = ()
    """In order: an ``edit`` changes the action and the next rules look at that; the first other verdict decides."""
    judges: Annotated[tuple[MonitorJudge, ...], Field(max_length=MAX_JUDGES)] = ()
    """Asked where no rule has blocked the action or halted the run."""
    corrections: Annotated[int, Field(ge=0, le=20)] = 2
    """Times that an agent's answer is sent back."""


class Judgement(WireModel):
    """What a judge answers."""

    score: Annotated[float, Field(ge=0, le=1)]
    """0: no violation, 1: a clear one."""
    reasons: tuple[Line, ...] = ()
    correction: Line = ""
