"""Parts that a pattern's own budget did not pay, or not all of: with ``on_breach: fail`` the pattern fails with the first."""

from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from activities.errors import LimitExceeded
    from workflows.contracts import RunResult, RunStatus
    from workflows.failures import failure_of
    from workflows.frame import Frame
    from workflows.part_asks import PartFailed


def check_paid(frame: Frame, parts: Iterable[tuple[str, RunResult]]) -> None:
    """Refuse to go on without what this workflow's own budget did not pay, where that is to fail it. A part's own is not meant.

    Args:
        frame: the workflow's.
        parts: what each part came to in the end, and its name. One that is complete has done without what was not paid.

    Raises:
        PartFailed: with the failure of the first part that it did not pay, or that it did not pay all of one.
    """
    account, root = frame.account, frame.run.team.root
    if not account.breached or root.budget is None or root.budget.on_breach != "fail":
        return
    for name, result in parts:
        if result.status is RunStatus.FAILED and result.failure and result.failure.kind is FailureKind.LIMIT_EXCEEDED:
            raise PartFailed(result)
        if result.status is not RunStatus.COMPLETE and result.short == account.owner:
            error = LimitExceeded(
                f"the budget of {account.owner} did not pay all of {name}",
                fix="raise it, give it less to do, or let it end with what is there (on_breach: partial)",
            )
            failure = failure_of(error, agent="", step=f"{frame.path}/{name}")
            failed = {"status": RunStatus.FAILED, "output": None, "failure": failure}
            raise PartFailed(result.model_copy(update=failed))
