"""A budget that asks: at a breach a person may allow more, a few times, and several steps at once ask once."""

import asyncio
import json
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.budgets import COUNTED, Amounts
    from activities.contracts.people import Choice, HumanDecision, HumanTask
    from activities.errors import OstinatoError
    from workflows.budget import Account
    from workflows.contracts import BudgetAsked, DecisionReport
    from workflows.failures import stop_if_requested
    from workflows.people import ask_person
    from workflows.step_context import StepContext
    from workflows.teams.bounds import MAX_ASKS
    from workflows.teams.budget_spec import BudgetSpec
    from workflows.teams.tree import Node, node_name

ANSWER: dict[str, JsonValue] = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        name: {"type": "number" if name == "cost_usd" else "integer", "exclusiveMinimum": 0} for name in COUNTED
    },
}
"""How much more: ``{"model_calls": 20}``."""


def account_of(step: StepContext, node: Node, *, inline: bool) -> Account:
    """What a node and its fallback draw on: its own budget where it has one, below that of the step.

    A nested workflow asks for more where it runs; here its budget only keeps count.
    """
    if node.budget is None:
        return step.funds
    asks = inline and node.budget.on_breach == "ask"
    more = BudgetQuestions(step, node.budget).more if asks else None
    return Account(f"the node {node_name(node)!r}", node.budget, parent=step.funds, more=more)


def _example(short: str, limit: float) -> str:
    """An answer as ``ostinato decide --answer`` takes it."""
    return json.dumps({short: int(limit) if float(limit).is_integer() else limit})


class BudgetQuestions:
    """Asks for one account. Whoever meets a breach while the question is open waits for the same answer."""

    def __init__(self, step: StepContext, spec: BudgetSpec, before: BudgetAsked | None = None) -> None:
        """``before``: what was said before a continue-as-new."""
        self._step, self._spec = step, spec
        self._initial = Amounts(**{name: getattr(spec, name) or 0 for name in COUNTED})
        self._open: asyncio.Task[bool] | None = None
        self._waiting = 0
        self.count = before.questions if before else 0
        """Times that people were asked; all that there are, where they said no."""
        self.allowed = before.allowed if before else Amounts()
        """What they have allowed on top."""

    async def more(self, account: Account, short: str) -> bool:
        """Whether a person has allowed more.

        Raises:
            CancelledError: the step's time is over, or the run was stopped.
        """
        if self._open is None:
            if self.count >= MAX_ASKS:
                return False
            self.count += 1
            self._open = asyncio.create_task(self._ask(account, short, self.count))
        task = self._open
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting -= 1
            if task.done() or not self._waiting:
                self._open = None if self._open is task else self._open
                if not task.done():  # nobody waits for the answer any more
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _ask(self, account: Account, short: str, number: int) -> bool:
        step, used, limit = self._step, getattr(account.used, short), getattr(account.limit, short)
        question = HumanTask(
            key=step.key(f"b{number}.ask"),
            question=f"The budget of {account.owner} is used up: {used:g} of {limit:g} {short}."
            f" May it use more? Approve as much again, or answer how much more, such as {_example(short, limit)}.",
            asking=self._spec.asking,
            choices=(Choice.APPROVE, Choice.ANSWER, Choice.REJECT),
            context={
                "used": account.used.model_dump(mode="json"),
                "limit": account.limit.model_dump(mode="json"),
                "short": short,
            },
            reasons=(f"the next call might exceed the limit on {short}",),
            answer_schema=ANSWER,
        )
        try:
            decision = await ask_person(step, question)
        except (OstinatoError, FailureError) as error:
            stop_if_requested()
            step.frame.decide(f"nobody allowed more {short} for {account.owner}: {error}")
            self.count = MAX_ASKS
            return False
        more = self._allowed(decision, short)
        step.frame.decide(
            f"{decision.by} {'allowed' if more else 'refused'} more {short} for {account.owner}: {decision.reason}"
        )
        step.frame.note(
            decisions=[
                DecisionReport(
                    step=step.path, tool="budget", verdict="proceed" if more else "block", by=decision.by,
                    reason=decision.reason,
                )
            ]
        )  # fmt: skip
        if more:
            account.allow(more)
            self.allowed += more
        else:
            self.count = MAX_ASKS  # a no is not asked for twice
        return bool(more)

    def _allowed(self, decision: HumanDecision, short: str) -> Amounts | None:
        if decision.choice is Choice.APPROVE:
            return Amounts(**{short: getattr(self._initial, short)})
        answer = decision.answer
        if decision.choice is not Choice.ANSWER or not isinstance(answer, dict):
            return None
        given = {name: value for name in COUNTED if isinstance(value := answer.get(name), int | float) and value > 0}
        return Amounts(**given) if given else None
