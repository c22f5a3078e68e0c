"""A tool call is paid as a model call is: each attempt from the account, and only as many attempts as fit.

The failure this prevents: a worker dies in a call, Temporal makes it again, and the budget says one where the tool was
called three times. Nothing is held while a person is asked, and what was never made costs nothing.
"""

from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.budgets import Amounts
    from activities.contracts.calls import ToolResponse
    from activities.contracts.steps import Usage
    from workflows.budget import Account
    from workflows.failures import failure_of
    from workflows.policies import TOOL_ATTEMPTS


async def paid(
    account: Account, call: Callable[[int], Awaitable[ToolResponse]], count: Callable[[Usage], None]
) -> ToolResponse:
    """Make a tool call that counts.

    Args:
        account: what pays for it.
        call: makes it, in at most so many attempts.
        count: told what was used, whatever is raised.

    Raises:
        LimitExceeded: it does not fit the budget.
        ActivityError: it failed for good.
    """
    held = await account.reserve(Amounts(tool_calls=1), times=TOOL_ATTEMPTS, what="tool call")
    used = held.times  # where nobody says how many there were
    try:
        answer = await call(held.times)
        used = answer.calls
        return answer
    except ActivityError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.details:
            used = failure_of(error, agent="", step="").unsettled_calls
        raise
    finally:
        usage = Usage(tool_calls=used)
        account.settle(held, usage)
        count(usage)
