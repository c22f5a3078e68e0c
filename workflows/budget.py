"""Budgets as a tree: hard, hierarchical, and only the workflow that holds an account gives anything away.

The failure this prevents: many steps look at the same budget, each finds room, and together they overspend it. A call is
made only where its worst case fits every account above it, and that much is held until it is settled. Whoever does not
fit because of what others hold waits for them; whoever would not fit even if they used nothing is refused. Each attempt
of a call may be paid, so a call gets only as many attempts as fit; what was sent out and never answered counts at its
worst case. Accounts are plain values of a workflow: replay and crashes change nothing, and they cost no event.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import COUNTED, Amounts, Budget
    from activities.contracts.failures import FailureKind
    from activities.contracts.steps import Usage
    from activities.errors import LimitExceeded
    from workflows.failures import failure_of

More = Callable[["Account", str], Awaitable[bool]]
"""Asks a person for a larger limit of an account; whether there is one now."""


@dataclass(frozen=True)
class Reservation:
    """So much that is held for one call, or for a nested workflow."""

    each: Amounts
    times: int

    @property
    def amounts(self) -> Amounts:
        """All of it."""
        return self.each.times(self.times)


class Account:
    """What one owner may use, and has used."""

    def __init__(
        self,
        owner: str,
        limit: Budget,
        *,
        parent: "Account | None" = None,
        used: Usage | None = None,
        more: More | None = None,
    ) -> None:
        """Open an account.

        Args:
            owner: for messages, such as ``the agent 'writer'``.
            limit: its bounds.
            parent: the account that it draws on too.
            used: what it used before a continue-as-new; its parent knows of it already.
            more: asks for a larger limit at a breach.
        """
        self.owner, self.limit, self.parent, self.more = owner, limit, parent, more
        self.used = Amounts.of(used or Usage())
        self.held = Amounts()

    @property
    def left(self) -> Budget:
        """What this account and those above it can still give, what is held by others not counted."""
        own = self.limit.minus(self.used + self.held)
        return own.narrowed(self.parent.left) if self.parent else own

    async def reserve(self, each: Amounts, *, times: int = 1, what: str = "call") -> Reservation:
        """Hold ``each`` as often as it fits, at most ``times``; wait where others hold what is needed.

        Raises:
            LimitExceeded: not once, even if all that is held came back.
        """
        while True:
            fits = self.left.times(each)
            if fits is None or fits >= 1:
                reservation = Reservation(each, times if fits is None else min(times, fits))
                for account in self._chain():
                    account.held += reservation.amounts
                return reservation
            for account in self._chain():
                short = account.short_of(each)
                if short and not (account.more and await account.more(account, short)):
                    raise account.exceeded(each, short, what)
            before = [account.held for account in self._chain()]
            await workflow.wait_condition(lambda: [account.held for account in self._chain()] != before)  # noqa: B023

    def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Give back what was held, and count what was used."""
        for account in self._chain():
            account.held -= reservation.amounts
            account.used += Amounts.of(usage)

    def short_of(self, each: Amounts) -> str:
        """What would not fit even if nothing were held; empty: all would."""
        left = self.limit.minus(self.used)
        for name in COUNTED:
            bound = getattr(left, name)
            if bound is not None and getattr(each, name) > bound + 1e-9:
                return name
        return ""

    def exceeded(self, each: Amounts, short: str, what: str) -> LimitExceeded:
        """The error of a breach."""
        used, need, limit = (getattr(value, short) for value in (self.used, each, self.limit))
        return LimitExceeded(
            f"the next {what} of {self.owner} might exceed its limit on {short}: {used:g} used, {need:g} more of {limit:g}",
            fix=f"raise {short} of {self.owner}, or give it less to do",
        )

    def _chain(self) -> Iterator["Account"]:
        account: Account | None = self
        while account:
            yield account
            account = account.parent


def usage_of_failed_call(error: ActivityError, worst: Amounts, attempts: int) -> Usage:
    """What a model call that gave no answer may have cost."""
    failure = failure_of(error, agent="", step="")
    unsettled = {
        FailureKind.WORKER_LOST: attempts,
        FailureKind.CANCELLED: 1,
        FailureKind.DEADLINE_EXCEEDED: 1,
    }.get(failure.kind, failure.unsettled_calls)
    return Usage(model_calls=unsettled, unsettled_tokens=unsettled * worst.tokens, cost_usd=unsettled * worst.cost_usd)
