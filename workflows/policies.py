"""Retry policies and timeouts. The only place for such numbers; each with its derivation."""

from datetime import timedelta

from temporalio.common import RetryPolicy

HEARTBEAT_TIMEOUT = timedelta(seconds=2)
"""How long a lost worker goes unnoticed. With the sticky timeout below a run goes on within 4 s of a SIGKILL.
Beats come at a third of it, so two may be lost."""

STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a workflow task waits for the worker that has the workflow in memory, before any other may take it."""

WORKFLOW_TASK_TIMEOUT = timedelta(seconds=3)
"""How long a workflow task that a lost worker has taken is waited for. The default of 10 s would break the 4 s promise; a
replay of the longest history that we allow (4,000 events) takes well under a second."""

EXECUTION_MARGIN = timedelta(minutes=15)
"""How much longer than by its own limits a run may take before the server ends it: the longest call under way at the
deadline is cancelled within seconds, so this bounds only what our own code cannot, such as a payload that was lost."""

MODEL_START_TO_CLOSE = timedelta(seconds=190)
"""One attempt: 180 s of HTTP (long answers of reasoning models), and 10 s to name its timeout and write the record."""
MODEL_ATTEMPTS = 6
ATTEMPTS_BEFORE_FALLBACK = 3
"""Attempts where the chain has a next model: 0.2 + 1 s of back-off, or a Retry-After of up to 5 s each, are enough to
wait for this one (``activities.model_call`` gives up at once where it asks for more)."""
MODEL_SCHEDULE_TO_CLOSE = timedelta(seconds=1300)
"""6 attempts * 190 s + back-off (0.2 + 1 + 5 + 25 + 30 s, or Retry-After) = 1201 s, rounded up.
Waiting in the task queue for a free worker counts too."""
MODEL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=5,
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=MODEL_ATTEMPTS,
    non_retryable_error_types=["PayloadsTooLarge"],
)
"""A lost worker is retried at once (200 ms), an overloaded provider not for long (0.2, 1, 5, 25, 30 s)."""

EMBED_START_TO_CLOSE = timedelta(seconds=70)
"""One attempt: 60 s of HTTP, though vectors usually take less than one, and 10 s to name its timeout and write the record."""
EMBED_ATTEMPTS = 4
EMBED_SCHEDULE_TO_CLOSE = timedelta(seconds=300)
"""4 attempts * 70 s + back-off (0.2 + 1 + 5 s) = 286.2 s, rounded up; less where the pattern has less time left."""

TOOL_ATTEMPTS = 4
TOOL_GRACE_SECONDS = 15.0
"""Reading the snapshot, and writing the record, around the tool's own timeout."""
TOOL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=5,
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=TOOL_ATTEMPTS,
    non_retryable_error_types=["PayloadsTooLarge"],
)


def tool_start_to_close(timeout_seconds: float) -> timedelta:
    """One attempt of a tool call."""
    return timedelta(seconds=timeout_seconds + TOOL_GRACE_SECONDS)


def tool_schedule_to_close(timeout_seconds: float) -> timedelta:
    """All attempts and their back-off (0.2 + 1 + 5 s), and as much again in the queue."""
    return 2 * (TOOL_ATTEMPTS * tool_start_to_close(timeout_seconds) + timedelta(seconds=7))


DECISION_START_TO_CLOSE = timedelta(seconds=25)
"""Reading or writing one record: up to two operations of the store at 10 s each, and their margin."""
DECISION_SCHEDULE_TO_CLOSE = timedelta(days=1)
"""A person may decide while no tools worker is there: the record waits for one, as the run does."""
DECISION_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=5,
    maximum_interval=timedelta(seconds=60),
    maximum_attempts=1500,  # a day at 60 s each
    non_retryable_error_types=["PayloadsTooLarge"],
)
DECISION_MARGIN = EXECUTION_MARGIN + 2 * DECISION_SCHEDULE_TO_CLOSE
"""How much longer than its deadline a human task may take: it looks for a record first, and writes one at the end."""
ENDING_MARGIN = timedelta(minutes=5)
"""What a workflow keeps of its execution timeout to go on with a decision that comes at the last moment."""
