"""One row of the bench: what was measured on both sides, how they compare, and whether that meets the target."""

import statistics
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

Comparison = Literal["ratio", "difference", "value"]


class Row(BaseModel):
    """Medians over the rounds; ``lowest`` and ``highest`` are the spread of what is compared, round by round."""

    model_config = ConfigDict(frozen=True)

    group: str = ""
    """The part of the bench that it belongs to."""
    name: str
    unit: str
    ours: float
    plain: float | None
    """Absent where plain Temporal has nothing to compare with."""
    compared: Comparison
    """What ``value`` is: ours / plain, ours - plain, or a number of its own."""
    value: float
    lowest: float
    highest: float
    target: str
    """Empty: none, the row is for information."""
    met: bool | None


Label = tuple[str, str]
"""Name and unit of a row."""


def compare(label: Label, ours: Sequence[float], plain: Sequence[float], *, by: Comparison, target: str = "") -> Row:
    """A row of two sides that were measured in the same rounds."""
    pairs = list(zip(ours, plain, strict=True))
    values = [mine / floor if by == "ratio" else mine - floor for mine, floor in pairs]
    return _row(label, (statistics.median(ours), statistics.median(plain)), values, by, target)


def single(label: Label, value: float, *, by: Comparison = "value", target: str = "") -> Row:
    """A row that has no other side."""
    return _row(label, (value, None), [value], by, target)


def repeated(label: Label, values: Sequence[float], *, target: str = "") -> Row:
    """A row that has no other side and was measured several times."""
    return _row(label, (statistics.median(values), None), values, "value", target)


def pooled(label: Label, sides: tuple[float, float], values: Sequence[float]) -> Row:
    """A difference of two figures over all rounds together; ``values`` are the same of each round, for the spread."""
    row = _row(label, sides, values, "difference", "")
    return row.model_copy(update={"value": round(sides[0] - sides[1], 4)})


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent stay at or below, between two of them where none is it."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _row(label: Label, sides: tuple[float, float | None], values: Sequence[float], by: Comparison, target: str) -> Row:
    value = statistics.median(values)
    return Row(
        name=label[0],
        unit=label[1],
        ours=round(sides[0], 4),
        plain=None if sides[1] is None else round(sides[1], 4),
        compared=by,
        value=round(value, 4),
        lowest=round(min(values), 4),
        highest=round(max(values), 4),
        target=target,
        met=_met(value, target),
    )


def _met(value: float, target: str) -> bool | None:
    """Targets are ``<= n``, ``>= n`` or ``= n``; the last to a hundredth."""
    if not target:
        return None
    sign, number = target.split()
    bound = float(number)
    return {"<=": value <= bound, ">=": value >= bound, "=": abs(value - bound) <= 0.01}[sign]
