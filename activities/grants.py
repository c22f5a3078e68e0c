"""Grants: whether the arguments of a call fit the conditions under which an agent may make it.

What is judged is what the tool would get: the arguments after they were read by its own types, defaults filled in. The
text that a model wrote is not: the number ``"500"`` that a tool takes for 500 must not slip past a rule on numbers.
"""

import json
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from activities.contracts.grants import ArgumentRule, Grant
from activities.errors import ConfigurationInvalid
from activities.matching import holds, matcher

MAX_MATCHED = 16 * 1024
"""Characters of the longest text that is held against a pattern; a longer one does not fit."""
MAX_SHOWN = 80
"""Characters of an argument's value that a reason repeats."""


def misfit(rules: Mapping[str, ArgumentRule], arguments: Mapping[str, JsonValue]) -> tuple[str, str] | None:
    """The first argument that does not fit, and what it should be; ``None``: all fit."""
    for name, rule in rules.items():
        if name not in arguments:
            return name, f"{name} has to be given"
        if wanted := _against(rule, arguments[name]):
            return name, f"{name} has to be {wanted}, and is {shown(arguments[name])}"
    return None


def unfit(grants: Iterable[Grant], arguments: Mapping[str, JsonValue]) -> tuple[str, str] | None:
    """The same for several grants, all of which have to hold."""
    return next((found for grant in grants if (found := misfit(grant.arguments, arguments))), None)


def shown(value: JsonValue) -> str:
    """A value in a sentence, its start where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def check_rules(rules: Mapping[str, ArgumentRule], where: str) -> None:
    """Check what a rule's type does not: that its pattern can be read, and that something can fit it.

    Raises:
        ConfigurationInvalid: it cannot work; ``where`` begins the sentence.
    """
    for name, rule in rules.items():
        if rule.pattern is not None and isinstance(problem := matcher(rule.pattern, whole=True), str):
            raise ConfigurationInvalid(
                f"{where}: the pattern of {name!r} cannot be read: {problem}",
                fix="write a regular expression without look-around and references to groups",
            )
        if rule.minimum is not None and rule.maximum is not None and rule.minimum > rule.maximum:
            raise ConfigurationInvalid(
                f"{where}: the minimum of {name!r} is over its maximum", fix="swap them, or correct one"
            )


def same_json(one: JsonValue, other: JsonValue) -> bool:
    """JSON equality: 1 is 1.0, and neither is true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    return one == other


def _against(rule: ArgumentRule, value: JsonValue) -> str:
    """What the value should be and is not; empty: it fits. A value of another type than a condition is for never does."""
    if rule.one_of is not None and not any(same_json(value, allowed) for allowed in rule.one_of):
        return f"one of {shown(list(rule.one_of))}"
    if rule.pattern is not None and not _matches(rule.pattern, value):
        return f"a text that matches {shown(rule.pattern)}"
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    # Written so that what is no number at all (NaN) is on the wrong side of both.
    if rule.minimum is not None and not (number is not None and number >= rule.minimum):
        return f"at least {rule.minimum:g}"
    if rule.maximum is not None and not (number is not None and number <= rule.maximum):
        return f"at most {rule.maximum:g}"
    if rule.max_length is not None and not (isinstance(value, str | list) and len(value) <= rule.max_length):
        return f"at most {rule.max_length} long"
    return ""


def _matches(pattern: str, value: JsonValue) -> bool:
    return isinstance(value, str) and len(value) <= MAX_MATCHED and holds(matcher(pattern, whole=True), value)
