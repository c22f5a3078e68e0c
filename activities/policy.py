"""The deployment's policy: rules on actions, in order, of which the first that matches decides.

It is the only authority: what a team file grants, the policy may still edit, block, put before a person, or answer by
halting the run. With a policy an action that has an effect and matches no rule is blocked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from activities.contracts.base import Line, Name
from activities.contracts.grants import ArgumentRule, Verdict
from activities.contracts.people import Asking
from activities.contracts.profile import Effect
from activities.grants import misfit

MAX_RULES = 1000
"""Each is looked at before an effect: a thousand take well under a millisecond."""

Pattern = Annotated[str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,63}\*?|\*)$")]
"""A name, the beginning of names and ``*``, or ``*`` for all."""


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_listed), Field(min_length=1, max_length=100)]
"""One pattern, or several of which one has to fit."""
EffectName = Literal["read", "idempotent", "once"]
Arguments = Annotated[dict[Name, ArgumentRule], Field(max_length=64)]


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
    effect: Annotated[tuple[EffectName, ...], BeforeValidator(_listed), Field(min_length=1)] = get_args(EffectName)
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
            _fits(self.tool, action.tool)
            and _fits(self.team, action.team)
            and _fits(self.agent, action.agent)
            and action.effect.value in self.effect
        )

    def edited(self, arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The arguments as the rule wants them."""
        limited = {name: _within(self.limit[name], value) for name, value in arguments.items() if name in self.limit}
        return {**arguments, **limited, **self.replace}


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


def _fits(patterns: tuple[str, ...], name: str) -> bool:
    return any(name.startswith(pattern[:-1]) if pattern[-1] == "*" else name == pattern for pattern in patterns)


def _within(rule: ArgumentRule, value: JsonValue) -> JsonValue:
    if isinstance(value, str | list) and rule.max_length is not None:
        return value[: rule.max_length]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = value if rule.minimum is None else max(value, _plain(rule.minimum))
        return low if rule.maximum is None else min(low, _plain(rule.maximum))
    return value


def _plain(number: float) -> int | float:
    """A bound as a tool that takes whole numbers can take it."""
    return int(number) if number == int(number) else number


def as_text(arguments: Mapping[str, JsonValue]) -> str:
    """Arguments as JSON, the same for the same."""
    return json.dumps(dict(arguments), ensure_ascii=False, sort_keys=True)
