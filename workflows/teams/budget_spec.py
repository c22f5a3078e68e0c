"""A budget as a team writes it."""

from typing import Annotated, Literal

from pydantic import Field

from activities.contracts.budgets import Budget
from activities.contracts.people import Asking


class BudgetSpec(Budget):
    """What a node and everything below it may use at most."""

    seconds: Annotated[float, Field(gt=0, le=30 * 86_400)] | None = None
    """From its start to the end of all below it, its fallback included."""
    on_breach: Literal["fail", "partial", "ask"] = "fail"
    """Where the next call does not fit: fail, end with what is there, or ask a person for more. Time is not asked for:
    at its end ``ask`` fails."""
    asking: Asking | None = None
    """Who is asked; the team's ``people`` where absent."""
