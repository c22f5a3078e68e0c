"""The deployment's policy: rules on actions, in order, of which the first that matches decides.

It is the only authority: what a team file grants, the policy may still edit, block, put before a person, or answer by
halting the run. With a policy an action that has an effect and matches no rule is blocked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from activities.contracts.base import Line, Name
from activities.contracts.grants import Verdict
from activities.contracts.patterns import Arguments, Patterns, listed
from activities.contracts.people import Asking
from activities.contracts.profile import Effect
from activities.grants import misfit
from activities.rules import edited, fits

MAX_RULES = 1000
"""Each is looked at before an effect: a thousand take well under a millisecond."""

EffectName = Literal["read", "idempotent", "once"]


@dataclass(frozen=True)
class Action:
    """A call right before it is made."""

    tool: str
    effect: Effect
    team: str
    agent: str
    """The agent, or the call node."""
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    """As the tool would get them."""


class PolicyRule(BaseModel):
    """What is decided on actions of one kind. Everything that is given has to match."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Line = ""
    """What decisions and errors call it; its number where empty."""
    tool: Patterns = ("*",)
    team: Patterns = ("*",)
    """Names are what team files say: whoever may start runs may use any."""
    agent: Patterns = ("*",)
    """The agent, or the call node, that acts."""
    effect: Annotated[tuple[EffectName, ...], BeforeValidator(listed), Field(min_length=1)] = get_args(EffectName)
    """A tool of an MCP server never counts as ``read``: that it only reads is the team's word."""
    arguments: Arguments = {}
    verdict: Verdict
    reason: Line = ""
    """Why; the agent, the person and the record are told."""
    replace: Annotated[dict[Name, JsonValue], Field(max_length=64)] = {}
    """With ``edit``: arguments that are set, whatever was given."""
    limit: Arguments = {}
    """With ``edit``: arguments that are brought within ``minimum``, ``maximum`` and ``max_length``, where they are given."""
    asking: Asking | None = None
    """With ``ask``: who may decide, and what happens meanwhile; the team's ``people`` where absent."""

    @model_validator(mode="after")
    def _fits_its_verdict(self) -> Self:
        if (self.verdict is Verdict.EDIT) != bool(self.replace or self.limit):
            raise ValueError("replace and limit go with the verdict edit, which needs one of them")
        if self.asking and self.verdict is not Verdict.ASK:
            raise ValueError("asking goes with the verdict ask")
        if any(rule.one_of is not None or rule.pattern is not None for rule in self.limit.values()):
            raise ValueError("limit takes minimum, maximum and max_length")
        return self

    def matches(self, action: Action) -> bool:
        """Whether it decides on an action."""
        return self.may_match(action) and misfit(self.arguments, action.arguments) is None

    def may_match(self, action: Action) -> bool:
        """Whether it may decide on an action, by its arguments."""
        return (
            fits(self.tool, action.tool)
            and fits(self.team, action.team)
            and fits(self.agent, action.agent)
            and action.effect.value in self.effect
        )

    def edited(self, arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The arguments as the rule wants them."""
        return edited(arguments, self.replace, self.limit)


class Policy(BaseModel):
    """A policy file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rules: Annotated[tuple[PolicyRule, ...], Field(max_length=MAX_RULES)]

    def first(self, action: Action) -> tuple[str, PolicyRule] | None:
        """The rule that decides, and what it is called; ``None``: none matches."""
        for number, rule in enumerate(self.rules, start=1):
            if rule.matches(action):
                return rule.name or f"rule {number}", rule
        return None

    def possible(self, action: Action) -> set[Verdict]:
        """All that may be said to an action, whatever its arguments are."""
        found: set[Verdict] = set()
        for rule in self.rules:
            if rule.may_match(action):
                found.add(rule.verdict)
                if not rule.arguments:
                    return found
        return found | {Verdict.PROCEED if action.effect is Effect.READ else Verdict.BLOCK}


def as_text(arguments: Mapping[str, JsonValue]) -> str:
    """Arguments as JSON, the same for the same."""
    return json.dumps(dict(arguments), ensure_ascii=False, sort_keys=True)
