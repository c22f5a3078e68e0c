"""What may be used at most: a vector of what calls cost, and a budget that bounds it."""

from typing import Annotated

from pydantic import Field

from activities.contracts.base import CostUsd, Tokens, WireModel
from activities.contracts.steps import Usage


class Amounts(WireModel):
    """So much of each thing that a budget counts. Adds up."""

    tokens: Tokens = 0
    cost_usd: CostUsd = 0.0
    """US dollars."""
    model_calls: Annotated[int, Field(ge=0)] = 0
    tool_calls: Annotated[int, Field(ge=0)] = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(**{name: getattr(self, name) + getattr(other, name) for name in COUNTED})

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(**{name: max(0, getattr(self, name) - getattr(other, name)) for name in COUNTED})

    def times(self, count: int) -> "Amounts":
        """So many of it."""
        return Amounts(**{name: getattr(self, name) * count for name in COUNTED})

    @classmethod
    def of(cls, usage: Usage) -> "Amounts":
        """What a usage counts against a budget."""
        return cls(
            tokens=usage.tokens, cost_usd=usage.cost_usd, model_calls=usage.model_calls, tool_calls=usage.tool_calls
        )


COUNTED = tuple(Amounts.model_fields)


class Budget(WireModel):
    """At most so much of each; absent: no bound of its own."""

    tokens: Tokens | None = None
    """Input and output tokens of all calls; calls whose outcome is not known count at their worst case."""
    cost_usd: CostUsd | None = None
    """US dollars of all calls."""
    model_calls: Annotated[int, Field(ge=0)] | None = None
    tool_calls: Annotated[int, Field(ge=0)] | None = None

    def times(self, each: Amounts) -> int | None:
        """How often ``each`` fits; ``None``: as often as one likes."""
        fits = [
            int((bound + 1e-9) // need)
            for name in COUNTED
            if (bound := getattr(self, name)) is not None and (need := getattr(each, name))
        ]
        return min(fits, default=None)

    def minus(self, used: Amounts) -> "Budget":
        """What is left of it, nothing where more was used."""
        return Budget(
            **{
                name: None if (bound := getattr(self, name)) is None else max(0, bound - getattr(used, name))
                for name in COUNTED
            }
        )

    def plus(self, more: Amounts) -> "Budget":
        """The same with more of what it bounds."""
        return Budget(
            **{
                name: None if (bound := getattr(self, name)) is None else bound + getattr(more, name)
                for name in COUNTED
            }
        )

    def cut(self, amounts: Amounts) -> Amounts:
        """No more of the amounts than it bounds."""
        pairs = {name: (getattr(amounts, name), getattr(self, name)) for name in COUNTED}
        return Amounts(**{name: have if most is None else min(have, most) for name, (have, most) in pairs.items()})

    def narrowed(self, other: "Budget") -> "Budget":
        """The smaller of both bounds of each."""
        values = {name: (getattr(self, name), getattr(other, name)) for name in COUNTED}
        return Budget(
            **{name: min((bound for bound in pair if bound is not None), default=None) for name, pair in values.items()}
        )

    @classmethod
    def exactly(cls, amounts: Amounts) -> "Budget":
        """No more than these amounts."""
        return cls(**{name: getattr(amounts, name) for name in COUNTED})
