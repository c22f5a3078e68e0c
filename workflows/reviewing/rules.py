"""What the rules of a monitor say to one proposed action. Pure: from what is frozen in the run, without an event.

Arguments are judged as a model wrote them, for only workers have the tools: so a number in a text counts as that number,
and what a tool would fill in by default as given. What can be read in two ways is judged by neither, and blocked.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json

from activities.contracts.base import Digest, Schema
from activities.contracts.grants import ArgumentRule, Verdict
from activities.contracts.monitors import ActionKind, MonitorJudge, MonitorRule, MonitorSpec
from activities.contracts.people import Asking
from activities.grants import MAX_MATCHED, misfit, same_json
from activities.input_contracts import input_problems
from activities.matching import Effort, TooMuch, occurs, redacted, width
from activities.records import request_hash
from activities.rules import edited, fits

STRICTNESS = (Verdict.PROCEED, Verdict.EDIT, Verdict.ASK, Verdict.BLOCK, Verdict.HALT)
"""What wins over all before it: nobody is asked for what another monitor refuses."""
NO_TIME = "there is no time left to ask about it"
MAX_SHOWN = 200
"""Characters of changed arguments that a decision is reported with."""


@dataclass(frozen=True)
class Proposed:
    """An action that nobody has carried out yet."""

    kind: ActionKind
    actor: str
    """The agent, the call, or the node that hands a step on."""
    ordinal: str
    """Where in its step: ``t3.c0``, ``t3.answer``, ``handoff``."""
    value: JsonValue
    """A call's arguments, an answer, what a receiver would be told."""
    tool: str = ""
    recipients: tuple[str, ...] = ()
    """Who would get a step: a monitored node goes by its monitor's name and by its own."""
    defaults: Mapping[str, JsonValue] = field(default_factory=dict)
    """Arguments that the tool fills in where they are not given."""
    schema: Schema | None = None
    """Of an answer: what it has to be, however it is edited."""
    problem: str = ""
    """Why it cannot be judged."""
    late: bool = False
    """Its step has no time left: nobody can be asked about it, neither a judge nor a person."""

    @property
    def fields(self) -> dict[str, JsonValue]:
        """What rules on arguments look at."""
        return {**self.defaults, **self.value} if isinstance(self.value, dict) else {}

    @property
    def misfit(self) -> str:
        """Why an edited answer is none; empty: it is one."""
        problems = input_problems(self.value, self.schema) if self.schema else ()
        return f"it does not fit the contract: {problems[0]}" if problems else ""

    @property
    def about(self) -> str:
        """What it is about, for reports: the tool, or who would get the step."""
        return self.tool or next(iter(self.recipients), "")


@dataclass(frozen=True)
class Said:
    """What one monitor says."""

    verdict: Verdict = Verdict.PROCEED
    rule: str = ""
    """What decided."""
    reason: str = ""
    correction: str = ""
    asking: Asking | None = None
    score: float | None = None
    """The highest of its judges; nothing where none was asked."""
    edited: JsonValue = None
    """What it makes of the action."""

    def stricter(self, other: "Said") -> "Said":
        """The one that wins, with the higher score; the first of two that say the same."""
        score = max((one.score for one in (self, other) if one.score is not None), default=None)
        winner = max(self, other, key=lambda said: STRICTNESS.index(said.verdict))
        return replace(winner, score=score)


def digest_of(spec: MonitorSpec, action: Proposed) -> Digest | None:
    """By which an answer is known that a monitor has reviewed before: held against the same rules, by the same judges."""
    if action.kind is not ActionKind.ANSWER:
        return None
    who = (*(rule.agent for rule in spec.rules), *(judge.agent for judge in spec.judges))
    looking = [fits(agents, action.actor) for agents in who]
    return request_hash({"answer": action.value, "looking": looking})


def shortened(text: str) -> str:
    """The start of what a decision has changed, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def read(arguments: str) -> tuple[JsonValue, str]:
    """Arguments as the tool's own reader reads them, and why they cannot be judged; empty: they can.

    What is no JSON no tool takes: its text is looked at all the same.
    """
    try:
        value: JsonValue = from_json(arguments or "{}")
    except ValueError:
        return arguments, ""
    try:
        json.loads(arguments or "{}", object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return value, str(error)[:200]
    return value, ""


def looks_at(spec: MonitorSpec, kind: ActionKind) -> bool:
    """Whether a monitor has anything to say to actions of a kind."""
    return any(kind in rule.kinds for rule in spec.rules) or any(kind in judge.on for judge in spec.judges)


def by_rules(spec: MonitorSpec, action: Proposed, effort: Effort) -> tuple[list[Said], Proposed]:
    """What a monitor's rules say, in order and the one that decides last, and the action as they have edited it.

    An ``edit`` changes the action and the next rules look at that; the first other verdict decides. What is too long to
    be looked at is blocked.
    """
    if action.problem:
        return [Said(Verdict.BLOCK, "", f"it cannot be judged: {action.problem}")], action
    said = list[Said]()
    for number, rule in enumerate(spec.rules, start=1):
        name = rule.name or f"rule {number}"
        why = rule.reason or f"the rule {name!r} of the monitor {spec.name!r} says {rule.verdict.value}"
        try:
            if not matches(rule, action, effort):
                continue
            if rule.verdict is Verdict.PROCEED:
                return said or [Said(rule=name)], action
            if rule.verdict is Verdict.ASK and action.late:
                return [*said, Said(Verdict.BLOCK, name, NO_TIME, rule.correction)], action
            if rule.verdict is not Verdict.EDIT:
                return [*said, Said(rule.verdict, name, why, rule.correction, rule.asking)], action
            changed, problem = _edited(rule, action, effort)
        except TooMuch:
            changed, problem = action.value, "it is too long to be looked at"
        if problem:
            return [*said, Said(Verdict.BLOCK, name, problem, rule.correction)], action
        if not same_json(changed, action.value):
            said.append(Said(Verdict.EDIT, name, why, rule.correction, edited=changed))
            action = replace(action, value=changed)
    return said or [Said()], action


def matches(rule: MonitorRule, action: Proposed, effort: Effort) -> bool:
    """Whether a rule decides on an action. Where a value can be taken in two ways, a rule that lets through takes neither.

    Raises:
        TooMuch: there is too much to look at.
    """
    if action.kind not in rule.kinds or not fits_names(rule, action):
        return False
    fields = action.fields
    for name, given in rule.arguments.items():
        if given.pattern is not None and isinstance(value := fields.get(name), str):
            effort.spend(min(len(value), MAX_MATCHED) * width(given.pattern))
        if not _holds(given, fields.get(name), rule.verdict):
            return False
    if not rule.arguments.keys() <= fields.keys():
        return False
    return rule.text is None or occurs(rule.text, action.value, effort)


def fits_names(rule: MonitorRule | MonitorJudge, action: Proposed) -> bool:
    """Whether a rule or judge looks at an action with these names."""
    return (
        fits(rule.agent, action.actor)
        and (action.kind is not ActionKind.TOOL_CALL or fits(rule.tool, action.tool))
        and (action.kind is not ActionKind.HANDOFF or any(fits(rule.recipient, one) for one in action.recipients))
    )


def _holds(rule: ArgumentRule, value: JsonValue, verdict: Verdict) -> bool:
    return any(_fits(rule, one, verdict) for one in _readings(value))


def _readings(value: JsonValue) -> Iterator[JsonValue]:
    """A value as a tool may read it: a text that is a number as that number, and truth as 1."""
    yield value
    if isinstance(value, bool):
        yield int(value)
    if isinstance(value, str):
        try:
            yield float(value)
        except (ValueError, OverflowError):
            return


def _fits(rule: ArgumentRule, value: JsonValue, verdict: Verdict) -> bool:
    if isinstance(value, float) and math.isnan(value):  # on the wrong side of every bound
        return (rule.minimum is not None or rule.maximum is not None) and verdict is not Verdict.PROCEED
    if rule.pattern is not None and isinstance(value, str) and len(value) > MAX_MATCHED:
        return verdict is not Verdict.PROCEED  # nobody gets past a pattern by making a text longer
    return misfit({"it": rule}, {"it": value}) is None


def _edited(rule: MonitorRule, action: Proposed, effort: Effort) -> tuple[JsonValue, str]:
    """What an edit makes of an action, and why it cannot be edited; empty: it can."""
    if action.kind is ActionKind.HANDOFF:
        return action.value, "what is handed over cannot be edited"
    value = action.value
    if rule.redact is not None and rule.text is not None:
        value = redacted(rule.text, value, rule.redact, effort)
        if occurs(rule.text, value, effort):
            return value, "what is to be redacted stands where nothing can be redacted"
    if not rule.replace and not rule.limit:
        return value, ""
    if not isinstance(value, dict):
        return value, "it has no fields that could be edited"
    given = {name: action.defaults[name] for name in rule.limit if name not in value and name in action.defaults}
    value = edited({**given, **value}, rule.replace, rule.limit)
    if found := misfit({name: limit for name, limit in rule.limit.items() if name in value}, value):
        return value, f"edited, {found[1]}"
    return value, ""


def strictest(said: Iterable[Said]) -> Said:
    """What several monitors come to."""
    found = Said()
    for one in said:
        found = found.stricter(one)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("it names one thing twice")
    return dict(pairs)


def _no_number(name: str) -> None:
    raise ValueError(f"it names {name}, which is no number")
