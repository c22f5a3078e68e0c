"""Supervisor: decompose, dispatch to specialists, follow up, synthesise, verify (orchestrator-workers, manager).

Use it where a goal falls into parts that different workers can do side by side, and one answer is wanted. Not where the
parts depend on each other's results (a plan), or where one agent with tools can do it all.

::

                 ┌─▶ worker ─┐
    goal ─▶ decompose ─▶ worker ─▶ results ─▶ synthesis ─▶ review ─▶ gate ─▶ output
                 ▲ └─▶ worker ─┘     │            ▲                    │
                 └──── follow-up ────┘            └──── correction ────┘

Decomposition is the team's (``subtasks``), a tool's (``split``) or an agent's (``planner``). Bounds: rounds, subtasks,
attempts, time, and the limits of every agent. On failure: a subtask is tried again, re-routed, or given up with a reason
that the synthesis and the result name (the run is partial then); a failed decomposition, synthesis or gate fails the
run, and so does its own budget where it gives out (unless ``on_breach`` says ``partial``), and a run of which every
subtask was given up (unless a call synthesises: it can say so itself). Messages: none. History: 6 events a call of an inline worker,
9 a worker that is a workflow of its own.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from activities.errors import ConfigurationInvalid, LimitExceeded, OstinatoError
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.failures import failure_of
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.phases import PhaseClock
    from workflows.results import together
    from workflows.supervision.decomposition import Decomposition, StepFailed
    from workflows.supervision.dispatch import Dispatcher, Subtask
    from workflows.supervision.verification import Verification
    from workflows.teams.tree import CallNode, SupervisorNode


@workflow.defn(name="supervisor")
class SupervisorWorkflow:
    """A supervisor and its workers."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Work on the goal to the end.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await to_its_end(run, _work)


async def _work(frame: Frame) -> RunResult:
    node = frame.run.team.root
    if not isinstance(node, SupervisorNode):
        raise ConfigurationInvalid(f"the workflow 'supervisor' is no {node.kind}", fix="start it as its kind says")
    goal, clock = frame.task.goal or frame.task.prompt, PhaseClock.of(frame, node)
    decomposition = Decomposition(frame, node, goal, clock)
    dispatcher = Dispatcher(frame, node, goal, clock)
    verification = Verification(frame, node, goal, clock)
    done: list[Subtask] = []
    failure, output = None, None
    try:
        for round_number in range(1, node.rounds + 1):
            subtasks = await decomposition.subtasks(round_number, done)
            if not subtasks:
                break
            done += subtasks
            await dispatcher.dispatch(subtasks)
            _check_budget(frame, node, done)
        if not isinstance(node.synthesis, CallNode):
            _check_any(done)  # a tool can say that there is nothing; an agent would make something up
        output = await verification.output(done, [*decomposition.missing, *_given_up(done)])
    except StepFailed as failed:
        failure = failed.result.failure
    except OstinatoError as error:
        failure = failure_of(error, agent=node.name, step=frame.path)
    steps = [*decomposition.results, *(result for subtask in done for result in subtask.tries), *verification.results]
    missing = [*decomposition.missing, *_given_up(done), *verification.missing]
    used = [*(subtask.tries[-1] for subtask in done if subtask.done_by), *verification.results]
    partial = missing or any(result.status is RunStatus.PARTIAL for result in used)
    status = RunStatus.FAILED if failure else RunStatus.PARTIAL if partial else RunStatus.COMPLETE
    thread = verification.results[-1].thread if verification.results else None
    there = (
        [dict(subtask.whole()) for subtask in done] if failure and any(subtask.done_by for subtask in done) else None
    )
    return together(steps, status=status, output=output, so_far=there, missing=missing, failure=failure, thread=thread)


def _given_up(subtasks: list[Subtask]) -> list[str]:
    return [line for subtask in subtasks if (line := subtask.missing())]


def _check_budget(frame: Frame, node: SupervisorNode, subtasks: list[Subtask]) -> None:
    """Refuse to go on where this node's own budget gave out, and is to fail then. A worker's own limits are not meant.

    Raises:
        StepFailed: with the failure of a subtask that the budget did not pay.
        LimitExceeded: it did not pay all of one.
    """
    owner = frame.account.owner
    if not frame.account.breached or node.budget is None or node.budget.on_breach != "fail":
        return
    for subtask in subtasks:
        last = subtask.tries[-1] if subtask.tries else None
        if last and last.failure and not subtask.done_by and last.failure.kind is FailureKind.LIMIT_EXCEEDED:
            raise StepFailed(last)
        if last and last.short == owner:
            raise LimitExceeded(
                f"the budget of {owner} did not pay all of the subtask {subtask.subtask_id}",
                fix="raise it, give it less to do, or let it end with what is there (on_breach: partial)",
            )


def _check_any(subtasks: list[Subtask]) -> None:
    """Refuse to synthesise from nothing.

    Raises:
        StepFailed: every subtask was given up; with the first one's last failure.
    """
    if subtasks and not any(subtask.done_by for subtask in subtasks):
        for subtask in subtasks:
            if subtask.tries:
                raise StepFailed(subtask.tries[-1])
        raise ConfigurationInvalid("no subtask was begun in time", fix="give the supervisor more seconds")
