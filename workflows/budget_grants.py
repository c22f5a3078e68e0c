"""What a nested workflow is granted at its start, and what comes back with its result."""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Amounts, Budget
    from activities.contracts.steps import Usage
    from workflows.budget import Account, Reservation
    from workflows.contracts import RunInput
    from workflows.teams.tree import Node


@dataclass(frozen=True)
class BudgetGrant:
    """A part of an account, given away."""

    account: Account
    budget: Budget
    held: Reservation

    def settle(self, usage: Usage | None) -> None:
        """Take back what was not used; all of it counts as used where nobody knows."""
        held = self.held.amounts
        unknown = Usage(
            unsettled_tokens=held.tokens,
            cost_usd=held.cost_usd,
            model_calls=held.model_calls,
            tool_calls=held.tool_calls,
        )
        self.account.settle(self.held, unknown if usage is None else usage)


async def granted(account: Account, run: RunInput, node: Node) -> BudgetGrant:
    """Hold what a nested workflow may need, as far as it is there.

    Raises:
        LimitExceeded: not one call of it can be paid.
    """
    del run, node
    return BudgetGrant(account, account.left, await account.reserve(Amounts()))
