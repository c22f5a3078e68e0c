"""Amounts of money as people write them in spreadsheets: read in the one way that they can mean, or refused.

A number that could mean two things is no number here: ``1,234`` is a thousand to some and one to others, ``12 34`` may be
two cells that ran together. What is refused costs a person a look; what is guessed costs money.
"""

import re
from decimal import Decimal
from typing import NamedTuple

MAX_AMOUNT = 64
"""Characters of an amount: a longer one is none."""
SIGNS = {"€": "EUR", "£": "GBP"}
"""Currency signs that stand for one currency."""
DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN"})
"""What ``$`` may stand for, where the line says which."""

_UNIT = r"[A-Z]{3}|[€£$]"
_SPACE = r"[ \u00a0\u202f]*"
_BARE = r"(?:0|[1-9][0-9]*)(?:[.,][0-9]{1,2})?"
# One mark between groups of three, and another one before the cents. Two groups or cents are needed to tell a
# point or a comma that groups from one that leads the cents; spaces and apostrophes only ever group.
_POINTS = r"[1-9][0-9]{0,2}(?:(?:\.[0-9]{3}){2,}|\.[0-9]{3}(?=,))(?:,[0-9]{1,2})?"
_COMMAS = r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3}){2,}|,[0-9]{3}(?=\.))(?:\.[0-9]{1,2})?"
_OTHERS = r"[1-9][0-9]{0,2}(?P<mark>[ '\u2019\u00a0\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?:[.,][0-9]{1,2})?"
_NUMBER = rf"(?P<number>{_BARE}|{_POINTS}|{_COMMAS}|{_OTHERS})"
_AMOUNT = re.compile(
    rf"(?P<before>{_UNIT})?{_SPACE}(?:(?P<minus>-)|(?P<open>\())?{_NUMBER}(?(open)\)){_SPACE}(?P<after>{_UNIT})?"
)
_CENTS = re.compile(r"[.,](?=[0-9]{1,2}$)")


class Amount(NamedTuple):
    """A number and the unit that was written beside it: a currency code, ``$``, or nothing."""

    value: Decimal
    unit: str = ""


def read_amount(cell: str) -> Amount | None:
    """What a cell says; ``None`` where it is no amount, or could be read in two ways."""
    text = cell.strip()
    found = _AMOUNT.fullmatch(text) if len(text) <= MAX_AMOUNT else None
    if not found or (found["before"] and found["after"]):
        return None
    whole, _, cents = _CENTS.sub("|", found["number"]).partition("|")
    value = Decimal(f"{re.sub('[^0-9]', '', whole)}.{cents or '0'}")
    unit = found["before"] or found["after"] or ""
    return Amount(-value if found["minus"] or found["open"] else value, SIGNS.get(unit, unit))


def currency_of(unit: str, cell: str, currency: str) -> tuple[str, str]:
    """The currency of a line, and why it has none.

    Args:
        unit: beside the amount.
        cell: of the currency column, in capitals.
        currency: of lines that name none.
    """
    if unit == "$":
        return (cell, "") if cell in DOLLARS else (cell, f"its amount is in $, which is not {cell or 'one currency'}")
    if unit and cell and unit != cell:
        return cell, f"its amount is in {unit}, and its currency is {cell}"
    return unit or cell or currency, ""
