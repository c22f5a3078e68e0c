"""What rules on actions have in common, whoever wrote them: names that fit, and arguments as a rule wants them."""

from collections.abc import Mapping

from pydantic import JsonValue

from activities.contracts.grants import ArgumentRule


def fits(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a name is one of these, or begins as one that ends with ``*``."""
    return any(name.startswith(pattern[:-1]) if pattern[-1] == "*" else name == pattern for pattern in patterns)


def edited(
    arguments: Mapping[str, JsonValue], replace: Mapping[str, JsonValue], limit: Mapping[str, ArgumentRule]
) -> dict[str, JsonValue]:
    """The arguments, those that are given brought within their limits, and those of ``replace`` set."""
    limited = {name: _within(limit[name], value) for name, value in arguments.items() if name in limit}
    return {**arguments, **limited, **replace}


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
