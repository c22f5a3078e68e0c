"""Rules of a router: which of them holds for what is routed. Pure, and linear in the text."""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import JsonValue
from pydantic_core import SchemaValidator

from activities.grants import MAX_MATCHED, misfit
from activities.matching import holds, matcher, texts
from workflows.teams.kinds.router import RouteRule

MAX_LOOKED_AT = 16 * MAX_MATCHED
"""Characters of all texts together that patterns are held against: 100 rules take a fifth of a second of a workflow's
task, which has two."""

LEAST_COUNTED = 256
"""Characters that a text counts as at least: so there are at most 1,024 of them."""


def first_that_holds(rules: Iterable[RouteRule], routed: JsonValue) -> int | None:
    """The position of the first rule that holds; nothing where none does."""
    looked_at = tuple(_looked_at(routed))
    return next((index for index, rule in enumerate(rules) if _holds(rule, routed, looked_at)), None)


def compiled(pattern: str) -> SchemaValidator | str:
    """What holds a text against a rule's pattern, or why the pattern cannot be read."""
    read = matcher(pattern, whole=False)  # alone first: what it says must not hang on the flag before it
    return read if isinstance(read, str) else matcher(f"(?i:{pattern})", whole=False)


def _holds(rule: RouteRule, routed: JsonValue, looked_at: Sequence[str]) -> bool:
    if rule.fields and (not isinstance(routed, dict) or misfit(rule.fields, routed)):
        return False
    if not rule.pattern:
        return bool(rule.fields)
    found = compiled(rule.pattern)
    return any(holds(found, text) for text in looked_at)


def _looked_at(routed: JsonValue) -> Iterator[str]:
    left = MAX_LOOKED_AT
    for text in texts(routed):
        if left <= 0:
            return
        part = text[: min(MAX_MATCHED, left)]
        left -= max(len(part), LEAST_COUNTED)
        yield part
