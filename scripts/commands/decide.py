"""``ostinato decide``: a person's decision on what waits for one."""

import difflib
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue, ValidationError

from activities.contracts.people import Choice, DecideRequest, HumanDecision, HumanTaskView
from activities.errors import ConfigurationInvalid
from activities.outputs import read_output
from scripts.session import Session, log_to_file, open_existing, serve_here, unserved
from scripts.terminal import COMPLETE, Json, Output
from workers.inbox import TaskStatus, default_person, open_tasks, read_task, unknown
from workers.inbox import decide as send
from workers.settings import load_settings


@dataclass(frozen=True)
class Said:
    """What is decided: one of the four."""

    approve: Annotated[bool, Parameter(negative="")] = False
    """Yes."""
    reject: Annotated[bool, Parameter(negative="")] = False
    """No."""
    edit: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Yes, with these arguments of the action (JSON), or this output."""
    answer: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """The answer, text or JSON."""
    reason: Annotated[str, Parameter(allow_leading_hyphen=True)] = ""
    """Why; whoever asked gets to read it."""
    action: str | None = None
    """The hash of the action that you looked at, as the inbox shows it: another one is refused."""
    by: Annotated[str, Parameter(name="--as")] = ""
    """Who decides; OSTINATO_USER, or who is logged in, where absent. Asserted, not authenticated."""


async def decide(
    task: str, /, *, said: Annotated[Said | None, Parameter(name="*")] = None, as_json: Json = False
) -> int:
    """Decide what waits for a person. The same decision sent again counts once.

    Args:
        task: The task's id, as the inbox shows it.
        said: The decision.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    said = said or Said()
    choice = _choice(said)
    by = said.by or default_person(settings)
    log_to_file(settings)
    async with open_existing(settings, output) as session, AsyncExitStack() as stack:
        status = await _find(session, task)
        missing = await unserved(session.client, ["workflows", "tools"])
        if "workflows" in missing and not status.closed:
            # A worker has to check the decision and take it. What the run does next is left to whoever serves it.
            await serve_here(stack, session.deployment, ["workflows"])
        decision = await send(session.client, task, _request(status.view, said, choice, by))
        _print(status.view, decision, output)
        if missing and not status.closed:
            run = status.view.run_id
            output.note(f"no worker serves the run {run}: `ostinato up`, or its own command with --id {run}, goes on")
        output.object({"task_id": task, "run_id": status.view.run_id, **_object(decision), "served": not missing})
    return COMPLETE


def _choice(said: Said) -> Choice:
    given = {
        Choice.APPROVE: said.approve,
        Choice.REJECT: said.reject,
        Choice.EDIT: said.edit is not None,
        Choice.ANSWER: said.answer is not None,
    }
    chosen = [choice for choice, is_given in given.items() if is_given]
    if len(chosen) != 1:
        raise ConfigurationInvalid(
            "a decision is one of --approve, --reject, --edit and --answer",
            fix="give one of them; `ostinato inbox` shows what is offered",
        )
    return chosen[0]


async def _find(session: Session, task_id: str) -> TaskStatus:
    """The task as it stands.

    Raises:
        ConfigurationInvalid: there is none; the fix names those that may be meant.
    """
    try:
        return await read_task(session.client, task_id, time.time())
    except ConfigurationInvalid as error:
        found = (await open_tasks(session.client, time.time())).tasks
        of_run = [view.task_id for view in found if view.run_id == task_id]
        near = of_run or difflib.get_close_matches(task_id, [view.task_id for view in found], n=1)
        if near:
            raise unknown(task_id, near) from error
        raise


def _request(view: HumanTaskView, said: Said, choice: Choice, by: str) -> DecideRequest:
    edits_action = choice is Choice.EDIT and view.action is not None
    given = said.edit if choice is Choice.EDIT else said.answer
    try:
        return DecideRequest(
            by=by,
            choice=choice,
            arguments=given if edits_action else None,
            answer=None if given is None or edits_action else _value(given, view),
            reason=said.reason,
            action=said.action,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigurationInvalid(
            f"the decision's {where} cannot be used: {first['msg']}", fix="correct it"
        ) from error


def _value(text: str, view: HumanTaskView) -> JsonValue:
    """What was meant: the text as JSON, or the text, whichever fits; JSON where both do."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    schema = view.answer_schema
    if schema is None or not read_output(text, schema)[1]:
        return value
    return value if read_output(json.dumps(text), schema)[1] else text


def _object(decision: HumanDecision) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = decision.model_dump(mode="json")
    return {name: fields.get(name) for name in HumanDecision.model_fields if name not in {"task_id", "from_record"}}


def _print(view: HumanTaskView, decision: HumanDecision, output: Output) -> None:
    what = f"{view.action.tool} {decision.arguments or view.action.arguments}" if view.action else view.question
    output.text(f"{decision.choice} by {decision.by}: {' '.join(what.split())[:500]}")
