"""The rules that bring an expense line into its terminal state. Limits are the team's, in the team's currency."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import BaseModel

from activities.tools.expense_lines import ExpenseLine
from activities.tools.expense_report import Settled


class Rules(NamedTuple):
    """What the team says."""

    limits: Mapping[str, Decimal]
    """By category; ``any`` is that of all others."""
    currency: str


class Finding(BaseModel):
    """What the workers found of one line. Empty: no worker said it."""

    category: str = ""
    objection: str = ""
    """``none`` where a worker looked and found nothing."""
    reason: str | None = ""
    """``None``: there was one, and it named a number of its own."""


class Reason(NamedTuple):
    """Why a person should look at a line."""

    text: str
    """As it stands in the files."""
    kind: str
    """As a model may know it: without a number."""


def reasons(line: ExpenseLine, found: Finding, rules: Rules) -> Iterator[Reason]:
    """Everything that speaks against approving a line that can be processed."""
    yield from (Reason(flag, flag) for flag in line.flags)
    if line.same_as:
        yield Reason(f"the same date, person, merchant and amount as {line.same_as}", "the same as another line")
    category = found.category or "any expense"
    limit = rules.limits.get(found.category, rules.limits.get("any"))
    if line.currency != rules.currency:
        text = f"it is in {line.currency}, and limits are in {rules.currency}"
        yield Reason(text, "not in the currency of the limits")
    elif limit is not None and Decimal(line.amount) > limit:
        text = f"{line.amount} {line.currency} is over the limit of {limit} for {category}"
        yield Reason(text, f"over the limit for {category}")
    if found.objection not in {"", "none"}:
        yield Reason(f"{found.objection}: {found.reason or ''}".strip(": "), found.objection)


def settle(line: ExpenseLine, found: Finding, note: str, rules: Rules) -> Settled:
    """The line in its terminal state. It is approved only where a worker gave it a category, and one said ``none``."""
    if line.rejected:
        return _settled(line, "rejected", line.rejected)
    if why := [reason.text for reason in reasons(line, found, rules)]:
        return _settled(line, "suspicious", why, found.category, note)
    if found.category and found.objection == "none":
        return _settled(line, "approved", [], found.category)
    work = "judge" if found.category else "categorise"
    return _settled(line, "unprocessed", [f"no worker managed to {work} it"], found.category)


def _settled(
    line: ExpenseLine,
    state: Literal["approved", "suspicious", "rejected", "unprocessed"],
    why: list[str],
    category: str = "",
    note: str = "",
) -> Settled:
    fields = line.model_dump(include={"line", "date", "employee", "merchant", "description", "amount", "currency"})
    return Settled(**fields, state=state, category=category, reasons=why, note=note)
