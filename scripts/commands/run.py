"""``ostinato run``: one team, one goal, one input, to the end."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from activities.errors import ConfigurationInvalid
from scripts.attendance import Attendance, find_input, note_differences, start
from scripts.lookup import is_running
from scripts.plan import Plan, make_plan, new_run_id, read_goal
from scripts.results import EXIT_CODES, print_result, save_result
from scripts.session import check_keys, join_running, log_to_file, open_session, pools_of, quiet, unserved
from scripts.terminal import COMPLETE, Json, Output
from workers.admission import RunOrder
from workers.registration import bind_store
from workers.runs import read_result
from workers.server import running_server
from workers.settings import Settings, load_settings
from workflows.contracts import RunResult


@dataclass(frozen=True)
class Options:
    """What is asked for besides the team."""

    goal: Annotated[str, Parameter(allow_leading_hyphen=True)]
    """The question or task, at most 16,000 characters; - reads it from standard input."""
    folder: Annotated[Path | None, Parameter(name="--input")] = None
    """The input folder or file. It is uploaded; workers read nothing else."""
    include: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """Glob pattern that picks files of the input, such as '*.md'; may be given several times."""
    provider: str = ""
    """The provider of the models, such as openai. The offline model where nobody says otherwise."""
    detach: Annotated[bool, Parameter(negative="")] = False
    """Leave the run to a deployment and return at once."""
    run_id: Annotated[str, Parameter(name="--id")] = ""
    """The run's id. A run of this id that is there already is followed, or its result printed."""


async def run(team: Path, /, *, options: Annotated[Options, Parameter(name="*")], as_json: Json = False) -> int:
    """Run a team on a goal and an input, and print the result.

    Args:
        team: The team file, such as scripts/teams/ask.yaml.
        options: What is asked for.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    order = RunOrder(
        goal=read_goal(options.goal),
        run_id=options.run_id,
        folder=options.folder,
        include=options.include,
        provider=options.provider,
    )
    plan = make_plan(settings, team, order)
    for warning in plan.warnings:
        output.note(f"note: {warning}")
    known = bool(order.run_id)
    plan = replace(plan, order=replace(order, run_id=order.run_id or new_run_id(plan.team)))
    if options.detach:
        return await _detach(settings, plan, output)
    if await running_server(settings) is None:
        check_keys(settings, pools_of(plan.queues))
    log_to_file(settings)
    async with open_session(settings, output) as session, AsyncExitStack() as stack:
        return await Attendance(session, plan, output, stack).attend(look=known)


async def _detach(settings: Settings, plan: Plan, output: Output) -> int:
    quiet()
    session = await join_running(settings)
    if session is None or await unserved(session.client, pools_of(plan.queues), lasting=True):
        raise ConfigurationInvalid(
            "--detach needs a deployment that goes on with the run, and none serves its pools",
            fix="start one with `ostinato up` in another terminal, or leave --detach away",
        )
    await bind_store(session.client, session.deployment.store)
    run_id = plan.order.run_id
    run = await find_input(session, run_id)
    if run is None:
        await start(session, plan)
    else:
        note_differences(plan, run, output)
        handle = session.client.get_workflow_handle(run_id, result_type=RunResult)
        if not is_running(await handle.describe()):
            result = await read_result(handle)
            print_result(run, result, await save_result(session.deployment, run, result, output), output)
            return EXIT_CODES[result.status]
    output.text(f"{'started' if run is None else 'there already:'} run {run_id}")
    output.text(f"attach: the same command with --id {run_id} and without --detach")
    if url := session.ui_of(run_id):
        output.text(f"watch it: {url}")
    output.object({"run_id": run_id, "workflow_id": run_id, "status": "running", "ui": session.ui_of(run_id)})
    return COMPLETE
