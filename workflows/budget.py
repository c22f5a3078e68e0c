"""Budgets as a tree: hard, hierarchical, and only the workflow that holds an account gives anything away.

The failure this prevents: many steps look at the same budget, each finds room, and together they overspend it. A call is
made only where its worst case fits every account above it, and that much is held until it is settled. Whoever does not
fit because of what others hold waits for them, in the order of asking; whoever would not fit even if they used nothing
is refused, or a person is asked. Each attempt of a call may be paid, so a call gets only as many attempts as fit; what
was sent out and never answered counts at its worst case. Nobody waits while holding, so nobody waits in a circle.
Accounts are plain values of a workflow: replay and crashes change nothing, and they cost no event.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import COUNTED, Amounts, Budget
    from activities.contracts.steps import Usage
    from activities.errors import LimitExceeded
    from workflows.failures import failure_of

NEARLY = 1e-9
"""Sums of prices are not exact."""
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


@dataclass(frozen=True)
class _Waiter:
    """Somebody who wants to hold something of an account."""

    account: "Account"
    each: Amounts
    times: int
    most: Amounts | None
    answer: "asyncio.Future[Reservation | None]"
    """The reservation; nothing where it would never fit as things are."""


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
        self.paused: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered while a person is asked on behalf of this account."""
        self.used = Amounts.of(used or Usage())
        self.held = Amounts()
        self.breached = False
        """Whether a call was refused because of this account."""
        self.chain: tuple[Account, ...] = (self, *(parent.chain if parent else ()))
        """Itself and all those above it."""
        # One queue for the whole tree of accounts: what is given back anywhere may let somebody else go on.
        self.queue: deque[_Waiter] = self.chain[-1].queue if parent else deque()

    @property
    def left(self) -> Budget:
        """What this account and those above it can still give, what is held by others not counted."""
        own = self.limit.minus(self.used + self.held)
        return own.narrowed(self.parent.left) if self.parent else own

    @property
    def unused(self) -> Budget:
        """What they could give if all that is held came back."""
        own = self.limit.minus(self.used)
        return own.narrowed(self.parent.unused) if self.parent else own

    async def reserve(
        self,
        each: Amounts,
        *,
        times: int = 1,
        what: str = "call",
        most: Amounts | None = None,
        until: float | None = None,
    ) -> Reservation:
        """Hold ``each`` as often as it fits, at most ``times``; wait where others hold what is needed.

        Args:
            each: the worst case of one call.
            times: how many attempts it may have.
            what: the call, for messages.
            most: hold so much instead, or what there is of it: at least half of what there would be if everybody who
                holds something gave it back, and at least ``each``.
            until: workflow time until which it waits; whoever has a deadline of its own needs none here.

        Raises:
            TimeoutError: it waited until then.
            LimitExceeded: not once, even if all that is held came back, and nobody allows more.
        """
        while True:
            waiter = _Waiter(self, each, times, most, asyncio.get_running_loop().create_future())
            self.queue.append(waiter)
            self._serve()
            if waiter.answer.done():  # as ever while there is enough: no timer is begun
                answer = waiter.answer.result()
            else:
                answer = await self._wait(waiter, until)
            if answer is not None:
                return answer
            await self._more(each, what)

    def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Give back what was held, and count what was used."""
        amounts, used = reservation.amounts, Amounts.of(usage)
        for account in self.chain:
            account.held -= amounts
            account.used += used
        self._serve()

    def count(self, usage: Usage) -> None:
        """Count against this account alone what was paid from those above it."""
        self.used += Amounts.of(usage)

    def allow(self, more: Amounts) -> None:
        """Raise the limit, where there is one."""
        self.limit = self.limit.plus(more)
        self._serve()

    def short_of(self, each: Amounts) -> str:
        """What of this account alone would not fit even if nothing were held; empty: all would."""
        return next((name for name, need, left in self._wanted(each, held=False) if need > left + NEARLY), "")

    def breach(self, owner: str) -> None:
        """Note that a nested workflow has ended because of the budget of that owner."""
        for account in self.chain:
            account.breached |= bool(owner) and account.owner == owner

    def tightest(self, wanted: Amounts, got: Amounts) -> str:
        """Whose limit makes that less was got than wanted; empty: it is not less."""
        short = next((name for name in COUNTED if getattr(got, name) < getattr(wanted, name)), "")
        if not short:
            return ""
        lefts = [(getattr(account.limit.minus(account.used), short), account.owner) for account in self.chain]
        return min(((left, owner) for left, owner in lefts if left is not None), default=(0, self.owner))[1]

    def exceeded(self, each: Amounts, short: str, what: str) -> LimitExceeded:
        """The error of a breach."""
        used, need, limit = (getattr(value, short) for value in (self.used, each, self.limit))
        return LimitExceeded(
            f"the next {what} of {self.owner} might exceed its limit on {short}: {used:g} used, {need:g} more of {limit:g}",
            fix=f"raise {short} of {self.owner}, or give it less to do",
        )

    async def _wait(self, waiter: _Waiter, until: float | None) -> Reservation | None:
        try:
            async with asyncio.timeout_at(until):
                return await waiter.answer
        except (asyncio.CancelledError, TimeoutError):
            self._leave(waiter)
            raise

    async def _more(self, each: Amounts, what: str) -> None:
        """Ask for more of what is short.

        Raises:
            LimitExceeded: there is no more.
        """
        for account in self.chain:
            short = account.short_of(each)
            if not short:
                continue
            with self.paused() if account.more else nullcontext():
                if account.more and await account.more(account, short):
                    continue
            account.breached = True
            raise account.exceeded(each, short, what)

    def _serve(self) -> None:
        """Let everybody go on who fits now, in the order of asking: nobody overtakes on an account that is short."""
        if not self.queue:
            return
        blocked: set[Account] = set()
        top, kept = self.chain[-1], []
        while self.queue and top not in blocked:
            waiter = self.queue.popleft()
            if waiter.answer.done():
                continue
            if not blocked.isdisjoint(waiter.account.chain):
                kept.append(waiter)
            elif any(account.short_of(waiter.each) for account in waiter.account.chain):
                waiter.answer.set_result(None)
            elif short := waiter.account.hold(waiter):
                blocked.add(short)
                kept.append(waiter)
        self.queue.extendleft(reversed(kept))

    def hold(self, waiter: _Waiter) -> "Account | None":
        """Hold what somebody wants; the account that has to be waited for where it does not fit now."""
        each, times = waiter.each, waiter.times
        if waiter.most:
            # Half of what there may be at most is enough to begin with: worst cases are seldom met.
            whole = self.unused.cut(waiter.most)
            for account in self.chain:
                if not account.has_half(whole, waiter.each):
                    return account
            each = self.left.cut(whole)
        for account in self.chain:
            times = min([times, *account.fits(each)])
            if times < 1:
                return account
        reservation = Reservation(each, times)
        amounts = reservation.amounts
        for account in self.chain:
            account.held += amounts
        waiter.answer.set_result(reservation)
        return None

    def has_half(self, whole: Amounts, least: Amounts) -> bool:
        """Whether half of the whole is there in this account, and not less than the least."""
        return all(
            max(need / 2, getattr(least, name)) <= left + NEARLY for name, need, left in self._wanted(whole, held=True)
        )

    def fits(self, each: Amounts) -> Iterator[int]:
        """How often it fits each bound of this account alone."""
        for _, need, left in self._wanted(each, held=True):
            yield max(0, int((left + NEARLY) // need))

    def _wanted(self, each: Amounts, *, held: bool) -> Iterator[tuple[str, float, float]]:
        """What is wanted of each thing that is bounded, and what is left of it. On every call's way, so no models are made."""
        for name in COUNTED:
            bound, need = getattr(self.limit, name), getattr(each, name)
            if bound is not None and need:
                yield name, need, bound - getattr(self.used, name) - (getattr(self.held, name) if held else 0)

    def _leave(self, waiter: _Waiter) -> None:
        """Stop waiting: what was given at the same moment goes back."""
        answer = waiter.answer
        if answer.done() and not answer.cancelled() and (reservation := answer.result()):
            self.settle(reservation, Usage())
            return
        answer.cancel()
        self._serve()


def usage_of_failed_call(error: ActivityError, worst: Amounts, attempts: int) -> Usage:
    """What a model call that gave no answer may have cost."""
    says = isinstance(error.cause, ApplicationError) and error.cause.details
    # Where the last attempt could not say it (its worker was lost, its time was over), all of them count.
    unsettled = failure_of(error, agent="", step="").unsettled_calls if says else attempts
    return Usage(model_calls=unsettled, unsettled_tokens=unsettled * worst.tokens, cost_usd=unsettled * worst.cost_usd)
