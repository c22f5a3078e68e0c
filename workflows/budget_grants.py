"""What a nested workflow is granted at its start, and what comes back with its result."""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import COUNTED, Amounts, Budget
    from activities.contracts.steps import Usage
    from workflows.budget import Account, Reservation
    from workflows.contracts import Task
    from workflows.deadlines import after, too_late
    from workflows.step_context import StepContext
    from workflows.teams.tree import Node, node_name
    from workflows.teams.worst_case import cheapest, worst_case


@dataclass(frozen=True)
class BudgetGrant:
    """A part of an account, given away."""

    account: Account
    budget: Budget
    """What the nested workflow may use; no bound where the account has none."""
    payer: str
    """Whose budget bounds it, for messages; empty where it has all that it can use."""
    held: Reservation
    own: Account | None = None
    """The node's own budget, where a person may raise it: it keeps count, and bounds nothing here."""

    def settle(self, usage: Usage | None, *, short: str = "") -> None:
        """Take back what was not used; all of it counts as used where nobody knows.

        Args:
            usage: what the nested workflow used.
            short: whose budget it ended for, where it did for one.
        """
        held = self.held.amounts
        unknown = Usage(
            unsettled_tokens=held.tokens,
            cost_usd=held.cost_usd,
            model_calls=held.model_calls,
            tool_calls=held.tool_calls,
        )
        used = unknown if usage is None else usage
        self.account.settle(self.held, used)
        self.account.breach(short)
        if self.own:
            self.own.count(used)


async def granted(step: StepContext, node: Node, task: Task) -> BudgetGrant:
    """Hold what a nested workflow may need, as far as it is there, until it comes back with the rest.

    It gets its worst case, or at least half of all that there would be if nobody else held any of it: a child that began
    with little, because others held much that they did not use, would fail for nothing.

    Raises:
        LimitExceeded: not even its cheapest path can be paid.
        DeadlineExceeded: others held too much for too long.
    """
    run, account, own = step.run, step.funds, None
    if node.budget and node.budget.on_breach == "ask" and account.parent:
        account, own = account.parent, account  # it asks where it runs, and then uses more than this budget
    bounds = account.unused
    if all(getattr(bounds, name) is None for name in COUNTED):
        return BudgetGrant(account, bounds, "", await account.reserve(Amounts()), own)
    # What stands in for it is paid by whoever holds it.
    alone = node.model_copy(update={"fallback": None, "critical": True})
    most, least = (_bounded(amounts(run.team, run.plans, alone), bounds) for amounts in (worst_case, cheapest))
    least = Amounts(**{name: min(getattr(least, name), getattr(most, name)) for name in COUNTED})
    what = f"step of {node_name(node)!r}"
    until = after(workflow.time(), task.seconds)
    try:
        held = await account.reserve(least, most=most, what=what, until=until)
    except TimeoutError:
        raise too_late(node, task.seconds or 0) from None
    budget = Budget(
        **{name: None if getattr(bounds, name) is None else getattr(held.amounts, name) for name in COUNTED}
    )
    return BudgetGrant(account, budget, account.tightest(most, held.amounts), held, own)


def _bounded(amounts: Amounts, bounds: Budget) -> Amounts:
    """Only what is bounded is held."""
    return Amounts(**{name: getattr(amounts, name) for name in COUNTED if getattr(bounds, name) is not None})
