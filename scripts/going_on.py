"""What ``resume``, ``rewind`` and ``fork`` share: a run is looked at, closed where it has to be, and gone on from."""

import json
import secrets
import shlex
import string
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import JsonValue

from activities.errors import ConfigurationInvalid
from scripts.attendance import Attendance
from scripts.effects import effect_lines, effect_objects
from scripts.lookup import find_run
from scripts.plan import Plan
from scripts.session import Session, check_keys, log_to_file, open_existing, pools_of
from scripts.terminal import USAGE, Output
from workers.admission import RunOrder, resolve
from workers.checkpoints import Origin, read_origin
from workers.embedding_plan import embeddings_of
from workers.rewinding import Order, Way, close_tree, find_way, go_on
from workers.runs import read_input
from workers.sessions import is_session
from workers.settings import load_settings
from workers.team_file import load_team
from workflows import steps
from workflows.contracts import RunInput, RunResult
from workflows.teams.tree import TeamSpec

Switch = Annotated[bool, Parameter(negative="")]
_DONE = {"resume": "resumed as", "rewind": "rewound:", "fork": "forked as"}


@dataclass(frozen=True)
class Options:
    """What a rewind and a fork may be asked for besides the checkpoint."""

    values: Annotated[tuple[str, ...], Parameter(name="--set", negative="", allow_leading_hyphen=True)] = ()
    """key=value puts a value in place of what was committed under that key; goal=TEXT changes the goal."""
    fresh: Switch = False
    """Make everything after the checkpoint anew, though it may be on record. What is done once stays done."""
    repeat_effects: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """A tool that is called once, and may do it again; may be given several times."""
    yes: Switch = False
    """Agree to what is listed: effects that were done after the checkpoint."""

    def order(self, kind: Literal["rewind", "fork"], checkpoint: str, new_id: str = "") -> Order:
        """What is wanted of the run."""
        return Order(
            kind,
            checkpoint=checkpoint,
            values=read_values(self.values),
            fresh=self.fresh,
            repeat_effects=self.repeat_effects,
            new_id=new_id,
        )


NOTHING_ELSE = Options()


async def carry_out(run_id: str, order: Order, output: Output, *, confirmed: bool = True) -> int:
    """Go on from a run and follow what goes on to its end; the exit code.

    Args:
        run_id: the run that is gone on from.
        order: what is wanted.
        output: where it is said.
        confirmed: whether effects that follow the checkpoint, and the end of an open run, are agreed to.
    """
    settings = load_settings()
    log_to_file(settings)
    async with open_existing(settings, output) as session, AsyncExitStack() as stack:
        _, description = await find_run(session, run_id)
        if is_session(description):
            raise ConfigurationInvalid(
                f"{run_id!r} is a session, and no run", fix=f"it goes on with `ostinato chat --id {run_id}`"
            )
        old = await read_input(session.client, run_id)
        pools = _pools(session, old, order)
        check_keys(settings, pools)
        attendance = Attendance(session, _plan_of(old), output, stack)
        await attendance.serve(pools)
        origin = await read_origin(session.client, run_id)
        if origin.is_open and order.kind == "resume":
            handle = session.client.get_workflow_handle(run_id, result_type=RunResult)
            return await attendance.go_on(old, handle, "under way already, attached to")
        way = find_way(origin, order)
        if not confirmed and (way.done_after or (origin.is_open and order.kind == "rewind")):
            return _ask(way, output)
        if order.kind == "rewind":
            await close_tree(session.client, run_id, origin.execution)
            if origin.is_open:
                origin = await read_origin(session.client, run_id)
                way = find_way(origin, order)
        elif order.kind == "resume":
            await close_tree(session.client, run_id, origin.execution)
        for line in effect_lines(way.done_after):
            output.note(f"stands: {line}")
        run, handle = await go_on(session.deployment, way)
        return await attendance.go_on(run, handle, _DONE[order.kind])


def _pools(session: Session, old: RunInput, order: Order) -> list[str]:
    """What serves the old run, to close it, and the new one."""
    settings, provider = session.deployment.settings, order.provider or old.provider
    team, profiles = resolve(session.deployment, order.team or old.team, provider)
    models = [choice for profile in profiles.values() for choice in profile.models]
    compared = embeddings_of(team, profiles, settings, provider or settings.provider).routes.values()
    return pools_of([*(steps.model_queue(choice.provider) for choice in models), *(route.queue for route in compared)])


def _plan_of(run: RunInput) -> Plan:
    return Plan(
        run.team, RunOrder(goal=run.goal, run_id=run.workflow_id), {}, run.snapshot.digest if run.snapshot else ""
    )


def _ask(way: Way, output: Output) -> int:
    """Say what would happen, and change nothing."""
    order, run_id = way.order, way.origin.run.workflow_id
    for line in effect_lines(way.done_after):
        output.text(line)
    count = len(way.done_after)
    done = "1 effect was" if count == 1 else f"{count} effects were"
    message = f"{done} done after the checkpoint {order.checkpoint}, and nothing but a failure of the run undoes them"
    if not count:
        message = f"the run {run_id!r} has not ended, and this would stop it first"
    again = shlex.join(_words(order, run_id))
    output.note(f"error: {message}")
    output.note(f"fix: look at them, and then run `{again}`")
    output.object({"error": message, "fix": again, "effects": effect_objects(way.done_after)})
    return USAGE


def _words(order: Order, run_id: str) -> list[str]:
    """The command that says yes."""
    words = ["ostinato", order.kind, run_id, "--to" if order.kind == "rewind" else "--from", order.checkpoint]
    for key, value in order.values.items():
        words += ["--set", f"{key}={value if isinstance(value, str) and not _is_json(value) else json.dumps(value)}"]
    words += ["--id", order.new_id] if order.new_id else []
    words += ["--fresh"] if order.fresh else []
    for tool in order.repeat_effects:
        words += ["--repeat-effects", tool]
    return [*words, "--yes"]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def read_values(settings: tuple[str, ...]) -> dict[str, JsonValue]:
    """``key=value`` each; a value is JSON where it is JSON, and text otherwise.

    Raises:
        ConfigurationInvalid: no ``=``, or a key twice.
    """
    values: dict[str, JsonValue] = {}
    for setting in settings:
        key, found, text = setting.partition("=")
        if not found or not key.strip() or key.strip() in values:
            what = "sets a key twice" if found and key.strip() in values else "is no key=value"
            raise ConfigurationInvalid(f"--set {setting[:100]!r} {what}", fix="write --set key=value, once a key")
        try:
            values[key.strip()] = json.loads(text)
        except (ValueError, RecursionError):
            values[key.strip()] = text
    if "goal" in values and not isinstance(values["goal"], str):
        values["goal"] = next(s.partition("=")[2] for s in settings if s.partition("=")[0].strip() == "goal")
    return values


def read_team(team: Path | None) -> TeamSpec | None:
    """The team file, where one is given."""
    return load_team(team) if team else None


def fork_id(run_id: str) -> str:
    """An id for a fork: that of its run and four letters."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(4))
    return f"{run_id[:90]}-fork-{letters}"


def origin_object(origin: Origin) -> list[dict[str, Any]]:
    """The checkpoints of a run as JSON, the start first."""
    start: dict[str, Any] = {"checkpoint": "0", "workflow": "", "version": 0, "key": None, "step": None, "owner": None}
    rows = [{**start, "digest": None, "size_bytes": 0, "committed_at": None}]
    rows += [
        {
            "checkpoint": checkpoint.name,
            "workflow": checkpoint.workflow,
            "version": checkpoint.commit.version,
            "key": checkpoint.commit.key,
            "step": checkpoint.commit.step,
            "owner": checkpoint.commit.owner,
            "digest": checkpoint.commit.digest,
            "size_bytes": checkpoint.commit.size_bytes,
            "committed_at": checkpoint.commit.committed_at,
        }
        for checkpoint in origin.checkpoints
    ]
    return rows
