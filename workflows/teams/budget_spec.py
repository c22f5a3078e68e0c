"""A budget as a team writes it."""

from typing import Literal

from activities.contracts.budgets import Budget
from activities.contracts.people import Asking


class BudgetSpec(Budget):
    """What a node and everything below it may use at most."""

    on_breach: Literal["fail", "partial", "ask"] = "fail"
    """Where the next call does not fit: fail, end with what is there, or ask a person for more."""
    asking: Asking | None = None
    """Who is asked; the team's ``people`` where absent."""
