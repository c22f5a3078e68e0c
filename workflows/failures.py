"""Unwraps what Temporal raises into our failure details, and wraps a failed run for Temporal."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutType,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.contracts.failures import FailureDetail, FailureKind, Origin
    from activities.errors import OstinatoError, redact
    from workflows.contracts import RunResult, RunStatus


def failure_of(error: BaseException, *, agent: str, step: str) -> FailureDetail:
    """What went wrong, whoever raised it; ``INTERNAL`` where it is none of ours."""
    return _detail(error).model_copy(update={"agent": agent, "step": step})


def failed_run(result: RunResult) -> ApplicationError:
    """The error that ends a run as failed in Temporal's eyes too, with the whole result in its details."""
    failure = result.failure
    if failure is None:
        raise ValueError("a failed run needs its failure")
    return ApplicationError(failure.message, result, type=failure.kind.value, non_retryable=True)


def result_of(error: ChildWorkflowError, *, path: str) -> RunResult:
    """What a nested workflow that failed had come to: the result in its failure's details, or the failure alone."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.details:
        with suppress(ValidationError):
            return RunResult.model_validate(cause.details[0])
    return RunResult(status=RunStatus.FAILED, failure=failure_of(error, agent="", step=path))


def stop_if_requested() -> None:
    """End the run as cancelled where somebody asked for it, whatever the calls under way made of that.

    Raises:
        CancelledError: a cancellation was requested.
    """
    if workflow.cancellation_reason() is not None:
        raise CancelledError("the run was stopped")


def _detail(error: BaseException) -> FailureDetail:
    if isinstance(error, OstinatoError):
        return error.detail()
    if is_cancelled_exception(error):
        return FailureDetail(
            kind=FailureKind.CANCELLED, origin=Origin.OPERATOR, retryable=False, message="the run was stopped"
        )
    cause = error.cause if isinstance(error, (ActivityError, ChildWorkflowError)) else error
    if isinstance(cause, TerminatedError):
        return FailureDetail(
            kind=FailureKind.CANCELLED, origin=Origin.OPERATOR, retryable=False, message="it was terminated"
        )
    if isinstance(cause, ApplicationError):
        return _of_application_error(cause)
    if isinstance(cause, TemporalTimeoutError):
        return _of_timeout(cause)
    return FailureDetail(
        kind=FailureKind.INTERNAL,
        origin=Origin.PLATFORM,
        retryable=False,
        message=redact(f"{type(cause).__name__}: {cause}"),
    )


def _of_application_error(error: ApplicationError) -> FailureDetail:
    try:
        return FailureDetail.model_validate(error.details[0])
    except (IndexError, ValidationError):
        return FailureDetail(
            kind=FailureKind.INTERNAL, origin=Origin.PLATFORM, retryable=False, message=redact(error.message)
        )


def _of_timeout(error: TemporalTimeoutError) -> FailureDetail:
    if error.type is TimeoutType.HEARTBEAT:
        return FailureDetail(
            kind=FailureKind.WORKER_LOST,
            origin=Origin.PLATFORM,
            retryable=False,
            message="every worker that took this call was lost before it ended",
            fix="look at the workers' logs: they are killed, run out of memory, or block their event loop",
        )
    return FailureDetail(
        kind=FailureKind.DEADLINE_EXCEEDED,
        origin=Origin.PLATFORM,
        retryable=False,
        message=f"no worker ended this call in time ({error.type.name.lower() if error.type else 'timeout'})",
        fix="check that a worker of the pool runs and keeps up: ostinato doctor",
    )
