"""The offline model as a checker: does a quotation carry the words of its claim?

It compares words, figures and negations. That is all it can judge, and it says so in its reasons.
"""

import re
from collections.abc import Sequence
from typing import Any

from activities.contracts.base import Schema
from activities.providers.offline_prompts import entries, objects
from activities.providers.offline_words import content_roots, root, spoken

MIN_CARRIED = 0.75
"""The part of a claim's words that its quotation has to hold."""
MAX_NAMED = 3
"""Words that a reason names."""

_NEGATED = re.compile(
    r"(?i)\b(?:not|never|no|none|nothing|nobody|neither|nor|cannot|without|except|unless|\w+n['\u2019]t|nicht|nie|niemals|kein\w*|ohne|außer)\b"
)
_LABEL = re.compile(r"(?:^|;)\s*([^:;]{1,60}):")
_NUMBERS = frozenset({"integer", "number"})


def verdict_items(schema: Schema) -> tuple[str, str, str, str] | None:
    """Where verdicts go: the list, and its fields for the number, for the verdict and for the reason."""
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        items = part.get("items") if isinstance(part, dict) else None
        inner = items.get("properties") if isinstance(items, dict) else None
        if not isinstance(inner, dict):
            continue
        kinds = {key: value.get("type") for key, value in inner.items() if isinstance(value, dict)}
        number = next((key for key, kind in kinds.items() if kind in _NUMBERS), "")
        verdict = next((key for key, kind in kinds.items() if kind == "boolean"), "")
        reason = next((key for key, kind in kinds.items() if kind == "string"), "")
        if number and verdict and set(inner) <= {number, verdict, reason}:
            return str(name), number, verdict, reason
    return None


def drafted(material: str) -> list[dict[str, Any]]:
    """The claims of a draft, in their order."""
    return [entry for value in objects(material) for entry in entries(value, "claim", "quote")]


def judge(claims: Sequence[dict[str, Any]]) -> list[tuple[bool, str]]:
    """A verdict and its reason for each claim."""
    return [_judged(str(entry["claim"]), str(entry["quote"])) for entry in claims]


def _judged(claim: str, quote: str) -> tuple[bool, str]:
    row = quote.lstrip().startswith("|") or quote.count(",") + quote.count(";") + quote.count("\t") >= 2
    # The names of a row's columns stand above it: what is checked is its cells.
    said = _LABEL.sub(" ", claim) if row and claim.count(":") > 1 else claim
    there = {root(word) for word in spoken(quote)}
    figures = [word for word in spoken(said) if any(map(str.isdigit, word)) and word not in spoken(quote)]
    if figures:
        return False, f"the quotation does not hold {', '.join(figures[:MAX_NAMED])}"
    if bool(_NEGATED.search(claim)) != bool(_NEGATED.search(quote)):
        return False, "claim and quotation differ in a negation"
    wanted = content_roots(said)
    lacking = [word for word in spoken(said) if root(word) in wanted - there]
    if wanted and len(wanted & there) < MIN_CARRIED * len(wanted):
        return False, f"the quotation does not say {', '.join(dict.fromkeys(lacking[:MAX_NAMED]))}"
    return True, "the quotation holds the words of the claim"
