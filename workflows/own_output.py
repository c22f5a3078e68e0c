"""What a workflow of one's own returns: its output is a JSON value, or one sentence says what it is instead, and where."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.errors import ConfigurationInvalid
    from activities.json_values import MAX_DEPTH
    from workflows.contracts import RunResult


def as_output(value: Any, work: Callable[..., Awaitable[Any]], name: str) -> JsonValue:
    """The value, if it can be an output.

    Args:
        value: what the code has returned.
        work: the code.
        name: its node's.

    Raises:
        ConfigurationInvalid: it is no JSON value.
    """
    left: list[tuple[str, int, Any]] = [("", 0, value)]
    while left:
        at, depth, one = left.pop()
        what, fix = _problem(one) if depth <= MAX_DEPTH else ("something nested too deep", "return a flatter value")
        if what:
            inside = f" at {at.removeprefix('.')}"[:200] if at else ""
            message = f"the workflow {name!r} returns {what}{inside}, which is no JSON value{_place(work)}"
            raise ConfigurationInvalid(message, fix=fix)
        if isinstance(one, dict):
            left += [(f"{at}.{key}"[:200], depth + 1, inner) for key, inner in one.items()]
        elif isinstance(one, list):
            left += [(f"{at}[{index}]"[:200], depth + 1, inner) for index, inner in enumerate(one)]
    return value  # type: ignore[no-any-return] # looked at, all of it


_NONE = object()


def _problem(value: Any) -> tuple[str, str]:
    """What it is and what to return instead; empty: it is fine."""
    match value:
        case None | str() | bool() | int() | list():
            return "", ""
        case float():
            return ("", "") if math.isfinite(value) else (f"the number {value}", "return null or a text in its place")
        case dict():
            wrong = next((key for key in value if not isinstance(key, str)), _NONE)
            return ("", "") if wrong is _NONE else (f"the key {wrong!r}"[:80], "make every key a text")
        case RunResult():
            return "a RunResult", "return its .output"
        case tuple() | set() | frozenset():
            return f"a {type(value).__name__}", "return a list: sorted(...) or list(...)"
    return f"a {type(value).__name__}"[:80], "return texts, numbers, lists and dicts with texts as keys"


def _place(work: Callable[..., Awaitable[Any]]) -> str:
    """Where the code begins; empty where it is no plain function."""
    code = getattr(work, "__code__", None)  # a method passes on that of its function
    return f" ({code.co_filename.rpartition('/')[2]}:{code.co_firstlineno})" if code else ""
