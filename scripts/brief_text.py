"""A verified brief as text for a terminal: its claims with their quotations and sources, and what was not kept."""

from typing import Any

MAX_DROPPED = 10
"""Dropped claims that are named; the rest are counted."""


def is_brief(value: Any) -> bool:
    """Whether an output is what the tool ``verify_brief`` lets through."""
    return isinstance(value, dict) and isinstance(value.get("claims"), list) and isinstance(value.get("counts"), dict)


def brief_text(value: dict[str, Any]) -> str:
    """Title, claims, counts, and what was dropped and why."""
    claims = [claim for claim in value["claims"] if isinstance(claim, dict)]
    if not claims:
        parts = [str(value.get("answer", ""))]
    else:
        parts = [str(value.get("title") or "Brief"), *(_claim(at, claim) for at, claim in enumerate(claims, 1))]
    parts += [f"not in these documents: {_line(part)}" for part in _list(value.get("unanswered"))]
    counts = value["counts"]
    verified, dropped = _count(counts, "verified"), _count(counts, "dropped")
    if verified or dropped:
        said = f"{verified} {'claim' if verified == 1 else 'claims'}, each with a quotation that stands in the documents word for word"
        if corrected := _count(counts, "corrected"):
            said += f" (of {corrected} the place was corrected)"
        parts.append(f"verified: {said if verified else 'no claim'}; dropped: {dropped}")
    named = [entry for entry in _list(value.get("dropped")) if isinstance(entry, dict)]
    lines = [f"dropped: {_line(entry.get('claim'))}: {_line(entry.get('reason'))}" for entry in named[:MAX_DROPPED]]
    if dropped > len(lines) and lines:
        lines.append(f"dropped: {dropped - len(lines)} more")
    return "\n\n".join([*parts, *(["\n".join(lines)] if lines else [])])


def _claim(number: int, claim: dict[str, Any]) -> str:
    said, quote = _line(claim.get("claim")), str(claim.get("quote", ""))
    mark = f"{number}. "
    indent = " " * len(mark)
    lines = [mark + said]
    if _letters(quote) != _letters(said):
        lines += [f"{indent}> {line}" for line in quote.split("\n")]
    return "\n".join([*lines, f"{indent}-- {claim.get('source', '')}"])


def _letters(text: str) -> str:
    """What is left without markup and white space: a claim that is its own quotation is shown once."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _line(value: Any) -> str:
    return " ".join(str(value or "").split())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(counts: dict[str, Any], name: str) -> int:
    value = counts.get(name, 0)
    return value if isinstance(value, int) else 0
