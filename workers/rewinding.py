"""One way back: a run goes on from what another run of its lineage has come to (resume, rewind, fork).

The old tree is closed, and a new one starts with the same records: every step whose request has not changed is answered
from its record, unpaid and within milliseconds. Temporal's reset is not used: it can neither change the input nor pass
children that were started after the reset point.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.effects import EffectOutcome, EffectReport
from activities.contracts.failures import FailureKind
from activities.contracts.profile import Effect
from activities.errors import ConfigurationInvalid
from activities.object_store import blob_path
from workers.admission import admit_again, check_goal, check_run_id
from workers.checkpoints import Checkpoint, Origin
from workers.deployment import Deployment
from workers.executions import executions_of
from workers.lineages import LineageRun, claimed, forget_rerun, note_rerun
from workers.runs import RunHandle, start_run
from workers.team_file import nearest
from workflows.compensation import GOES_ON
from workflows.contracts import RunInput, RunStatus
from workflows.rewinds import MAX_RENEWALS, Renewal, Rewind, is_within
from workflows.teams.tree import TeamSpec

GOAL = "goal"
"""The word for the run's goal where values are set."""
MAX_VALUES = 64
MAX_KEPT = 4000
"""Steps that are kept where others are made anew, in one lineage."""
MAX_VALUE = 64 * 1024
"""Characters of one value that is set."""
STOP_SECONDS = 30.0
"""A cancelled run ends when its calls have: they learn of it with their next heartbeat, within a second."""


@dataclass(frozen=True)
class Order:
    """What somebody wants of a run."""

    kind: Literal["resume", "rewind", "fork"]
    checkpoint: str = ""
    """Of a rewind and a fork."""
    values: dict[str, JsonValue] = field(default_factory=dict)
    """Key of the state to the value in place of what was committed; ``goal`` is the run's goal."""
    fresh: bool = False
    """What follows the checkpoint is made anew, though its request may be unchanged."""
    repeat_effects: tuple[str, ...] = ()
    """Tools ``once`` that may do again what they have done after the checkpoint."""
    team: TeamSpec | None = None
    """In place of the run's."""
    provider: str = ""
    new_id: str = ""
    """The workflow id of a fork."""


@dataclass(frozen=True)
class Way:
    """An order that can be carried out."""

    order: Order
    origin: Origin
    at: Checkpoint | None
    kept: tuple[Checkpoint, ...]
    done_after: tuple[EffectReport, ...]
    """Effects that stand, and that the run may come to once more, or not at all."""


def find_way(origin: Origin, order: Order) -> Way:
    """Check an order against what a run has come to. Nothing is changed.

    Raises:
        ConfigurationInvalid: the first thing that cannot work.
    """
    run = origin.run
    if order.kind == "resume":
        _check_can_resume(origin)
        if order.team is None:
            _check_can_pass(origin, order)
        at, kept = None, origin.checkpoints
    else:
        at = origin.find(order.checkpoint)
        kept = origin.kept(at)
    if order.new_id:
        check_run_id(order.new_id)
        if order.new_id == run.workflow_id:
            raise ConfigurationInvalid(
                f"a fork of {order.new_id!r} cannot have its id", fix="choose another --id, or rewind the run itself"
            )
    _check_values(order, at, kept)
    _check_tools(origin, order)
    return Way(order, origin, at, kept, origin.done_after(() if GOAL in order.values else kept))


async def go_on(deployment: Deployment, way: Way) -> tuple[RunInput, RunHandle]:
    """Start the run that goes on; of a rewind in the old one's place, which has ended (``close_tree``).

    Raises:
        ConfigurationInvalid: the team cannot be admitted any more, or another command was first.
    """
    origin, order = way.origin, way.order
    old, store = origin.run, deployment.store
    workflow_id = order.new_id or old.workflow_id
    if order.kind == "fork":
        return await _start(deployment, way, workflow_id)
    async with claimed(store, old.scope_id, workflow_id, origin.execution):
        now = (await deployment.client.get_workflow_handle(workflow_id).describe()).run_id
        if now != origin.execution:
            raise ConfigurationInvalid(
                f"the run {workflow_id!r} went on meanwhile", fix=f"look at it again: ostinato show {workflow_id}"
            )
        return await _start(deployment, way, workflow_id)


async def close_tree(client: Client, workflow_id: str, execution: str) -> None:
    """Stop a run, so that it can be started again: it and all that is nested in it has ended then.

    Its effects are not compensated: the run goes on.

    Raises:
        ConfigurationInvalid: it does not end in time.
    """
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await _cancelled(client, workflow_id, execution)
            for nested_id, run_id in await executions_of(client, workflow_id, execution):
                await _closed(client, nested_id, run_id)
    except TimeoutError:
        raise ConfigurationInvalid(
            f"the run {workflow_id!r} did not end within {STOP_SECONDS:.0f} s: it makes nothing new, and ends with its call under"
            " way, or when it has undone its effects; nothing has gone on from it",
            fix=f"wait for its end (ostinato watch {workflow_id}) and give the same command again; ostinato stop"
            f" {workflow_id} --force ends it at once",
        ) from None


async def _cancelled(client: Client, workflow_id: str, execution: str) -> None:
    handle = client.get_workflow_handle(workflow_id, run_id=execution)
    if (await handle.describe()).close_time is None:
        try:
            await handle.cancel(reason=GOES_ON)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                raise
        await _closed(client, workflow_id, execution)


async def _closed(client: Client, workflow_id: str, run_id: str) -> None:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    while True:
        try:
            if (await handle.describe()).close_time is not None:
                return
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return
            raise
        await asyncio.sleep(0.05)


async def _start(deployment: Deployment, way: Way, workflow_id: str) -> tuple[RunInput, RunHandle]:
    origin, order, store = way.origin, way.order, deployment.store
    old = origin.run
    if old.snapshot and await store.read(blob_path(old.scope_id, old.snapshot.digest), scope_id=old.scope_id) is None:
        raise ConfigurationInvalid(
            f"the input of the run {old.workflow_id!r} is not in the object store any more",
            fix="restore the object store, or start a new run with the input",
        )
    goal = order.values.get(GOAL, old.goal)
    run = await admit_again(deployment, old.model_copy(update={GOAL: goal}), team=order.team, provider=order.provider)
    checkpoint = (way.at.name if way.at else "0") if order.kind != "resume" else ""
    noted = LineageRun(
        number=0,
        workflow_id=workflow_id,
        kind=order.kind,
        from_run=old.workflow_id,
        from_execution=origin.execution,
        checkpoint=checkpoint,
    )
    noted = await note_rerun(store, old.scope_id, noted)
    rewind = Rewind(
        kind=order.kind,
        run_id=old.workflow_id,
        number=noted.number,
        execution=origin.execution,
        checkpoint=checkpoint,
        renewals=_renewals(way, noted.number),
        values=_values(way),
        failed=_failed(way),
        earlier=() if order.kind == "fork" else origin.standing,
    )
    run_id = None if workflow_id == old.scope_id else workflow_id
    run = run.model_copy(update={"rewind": rewind, "run_id": run_id})
    try:
        return run, await start_run(deployment.client, run, place="new" if order.kind == "fork" else "again")
    except WorkflowAlreadyStartedError as error:
        await forget_rerun(store, old.scope_id, noted)
        raise ConfigurationInvalid(
            f"a run {workflow_id!r} is there already",
            fix="choose another --id" if order.kind == "fork" else "try again when it has ended",
        ) from error
    except BaseException:
        await forget_rerun(store, old.scope_id, noted)
        raise


def _renewals(way: Way, number: int) -> tuple[Renewal, ...]:
    order, old = way.order, way.origin.run.rewind
    renewals = old.renewals if old else ()
    if not order.fresh and not order.repeat_effects:
        return renewals
    if len(renewals) >= MAX_RENEWALS:
        raise ConfigurationInvalid(
            f"the lineage had its records renewed {MAX_RENEWALS} times already", fix="start a new run"
        )
    paths = {checkpoint.commit.step for checkpoint in way.kept}
    kept = tuple(sorted(path for path in paths if not is_within(path.rpartition("/")[0], paths)))
    if len(kept) + sum(len(renewal.kept) for renewal in renewals) > MAX_KEPT:
        raise ConfigurationInvalid(
            f"more than {MAX_KEPT:,} steps would have to be told apart", fix="leave --fresh away, or start a new run"
        )
    renewal = Renewal(generation=number, kept=kept, fresh=order.fresh, repeat_effects=order.repeat_effects)
    return (*renewals, renewal)


def _values(way: Way) -> dict[str, JsonValue]:
    """Path of a step to the value that it commits: what was set before for the steps that are kept, and what is set now."""
    old = way.origin.run.rewind
    kept = {checkpoint.commit.step for checkpoint in way.kept}
    known = dict(old.values) if old else {}
    before = known if way.order.kind == "resume" else {path: value for path, value in known.items() if path in kept}
    now = {_committed(way.kept, way.at, key).commit.step: value for key, value in _set(way.order).items()}
    if len(before | now) > MAX_VALUES:
        raise ConfigurationInvalid(f"at most {MAX_VALUES} values of a run are set", fix="set fewer")
    return before | now


def _failed(way: Way) -> tuple[str, ...]:
    """The steps that failed: what their tools could not do is tried again."""
    result = way.origin.result
    steps = [step.step for step in result.steps if step.status is RunStatus.FAILED] if result else []
    return tuple(dict.fromkeys(steps))[:2000]


def _set(order: Order) -> dict[str, JsonValue]:
    return {key: value for key, value in order.values.items() if key != GOAL}


def _committed(kept: tuple[Checkpoint, ...], at: Checkpoint | None, key: str) -> Checkpoint:
    """The newest version of a key: in the checkpoint's own workflow, or else in the root.

    Raises:
        ConfigurationInvalid: there is none.
    """
    for workflow in (at.workflow if at else "", ""):
        for checkpoint in reversed(kept):
            if checkpoint.workflow == workflow and checkpoint.commit.key == key:
                return checkpoint
    keys = [*dict.fromkeys(checkpoint.commit.key for checkpoint in kept), GOAL]
    raise ConfigurationInvalid(
        f"nothing is committed under {key!r} at this checkpoint, so it cannot be set", fix=nearest(key, keys)
    )


def _check_can_resume(origin: Origin) -> None:
    run_id, result = origin.run.workflow_id, origin.result
    if origin.is_open or result is None:
        raise ConfigurationInvalid(
            f"the run {run_id!r} has not ended", fix=f"watch it with `ostinato watch {run_id}`, or stop it first"
        )
    if result.status is RunStatus.COMPLETE:
        raise ConfigurationInvalid(
            f"the run {run_id!r} is complete: there is nothing to resume",
            fix=f"ostinato rewind {run_id} --to CHECKPOINT goes back into it; ostinato checkpoints {run_id} lists them",
        )


def _check_can_pass(origin: Origin, order: Order) -> None:
    """Refuse to come to an effect again of which nobody knows, and to undo everything once more there."""
    failure = origin.result.failure if origin.result else None
    if failure is None or failure.kind not in {FailureKind.OUTCOME_UNKNOWN, FailureKind.TOOL_FAILED}:
        return
    for report in origin.done:
        if report.outcome is not EffectOutcome.UNKNOWN or report.effect is not Effect.ONCE or report.earlier:
            continue
        if report.step == failure.step and report.tool not in order.repeat_effects:
            run_id = origin.run.workflow_id
            raise ConfigurationInvalid(
                f"the run {run_id!r} ended at the tool {report.tool!r} in {report.step}, and whether its effect happened is"
                " not known: it would end there again",
                fix="look at the system that the tool acts on; where it did not happen:"
                f" ostinato resume {run_id} --repeat-effects {report.tool}",
            )


def _check_values(order: Order, at: Checkpoint | None, kept: tuple[Checkpoint, ...]) -> None:
    for key, value in order.values.items():
        if len(json.dumps(value)) > MAX_VALUE:
            raise ConfigurationInvalid(
                f"the value of {key!r} has more than {MAX_VALUE:,} characters", fix="put material into the input folder"
            )
        if key != GOAL:
            _committed(kept, at, key)
    if GOAL in order.values:
        if not isinstance(order.values[GOAL], str):
            raise ConfigurationInvalid("the goal is a text", fix="write --set goal='what is asked'")
        check_goal(str(order.values[GOAL]))


def _check_tools(origin: Origin, order: Order) -> None:
    once = sorted({tool for plan in origin.run.plans.values() for tool in plan.once})
    once = sorted({*once, *(report.tool for report in origin.done if report.effect is Effect.ONCE)})
    for tool in order.repeat_effects:
        if tool not in once:
            raise ConfigurationInvalid(
                f"{tool!r} is no tool of this run that is called once",
                fix=nearest(tool, once) if once else "leave --repeat-effects away: the run has none",
            )
