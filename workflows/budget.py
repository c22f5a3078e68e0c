"""What a model call may cost at most, and how often it may be tried: limits are hard, retries included.

Each attempt of a call may be paid, so a call gets only as many attempts as fit what is left; where not one fits, it is
not made. What was sent out and never answered counts at its worst case.
"""

from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from activities.contracts.steps import Usage
    from activities.errors import LimitExceeded
    from workflows.failures import failure_of
    from workflows.policies import MODEL_ATTEMPTS
    from workflows.teams.agents import AgentLimits


@dataclass(frozen=True)
class WorstCase:
    """One attempt of one model call."""

    tokens: int
    """Prompt and longest answer."""
    cost_usd: float


def affordable_attempts(agent: str, limits: AgentLimits, usage: Usage, worst: WorstCase) -> int:
    """How many attempts of a call fit all limits, at most ``MODEL_ATTEMPTS``.

    Raises:
        LimitExceeded: not one.
    """
    attempts = MODEL_ATTEMPTS
    for what, used, each, limit in (
        ("model_calls", usage.model_calls, 1, limits.model_calls),
        ("tokens", usage.tokens, worst.tokens, limits.tokens),
        ("cost_usd", usage.cost_usd, worst.cost_usd, limits.cost_usd),
    ):
        if used + each > limit:
            raise LimitExceeded(
                f"the next model call of the agent {agent!r} might exceed its limit on {what}: {used:g} used, {each:g} more of {limit:g}",
                fix=f"raise limits.{what} of {agent!r}, or give it less to do",
            )
        if each > 0:
            attempts = min(attempts, int((limit - used) / each))
    return max(1, attempts)


def usage_of_failed_call(error: ActivityError, worst: WorstCase, attempts: int) -> Usage:
    """What a call that gave no answer may have cost."""
    failure = failure_of(error, agent="", step="")
    unsettled = {
        FailureKind.WORKER_LOST: attempts,
        FailureKind.CANCELLED: 1,
        FailureKind.DEADLINE_EXCEEDED: 1,
    }.get(failure.kind, failure.unsettled_calls)
    return Usage(model_calls=unsettled, unsettled_tokens=unsettled * worst.tokens, cost_usd=unsettled * worst.cost_usd)
