"""Who may decide a human task, and how. Run by the update's validator: what is refused here leaves no trace in history."""

import json
import re
import shlex
import unicodedata
from enum import StrEnum
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import MAX_TEXT
    from activities.contracts.failures import FailureDetail, FailureKind, Origin
    from activities.contracts.people import BY_DEFAULT, Asking, Choice, DecideRequest, HumanTask, HumanTaskView
    from activities.errors import ConfigurationInvalid
    from activities.lookalikes import lookalike
    from activities.outputs import read_output
    from activities.schema_example import example

MAX_NAME = 100
_IDENTITY = re.compile(r"\d+@\S+|[\w-]+/[\w-]+@\d+")
"""What workers (``pid@host``) and agents (``team/agent@version``) are called."""


class Refused(StrEnum):
    """Why a decision is not taken: the ``type`` of the error that the update is rejected with."""

    NO_PERSON = "no_person"
    """An agent of the run, a worker, or no name at all."""
    WRONG_PERSON = "wrong_person"
    LOOK_ALIKE = "look_alike"
    """A name that is written like that of somebody who may decide, with other characters."""
    LATE = "too_late"
    DECIDED = "already_decided"
    OTHER_ACTION = "action_changed"
    NOT_OFFERED = "choice_not_offered"
    UNFIT = "decision_unfit"
    """What comes with the choice is missing, too much, or not what was asked for."""


def check_decision(task: HumanTask, view: HumanTaskView, request: DecideRequest, now: float) -> None:
    """Refuse a decision that cannot be taken.

    Args:
        task: what is asked.
        view: how it stands.
        request: the decision.
        now: seconds since 1970.

    Raises:
        ApplicationError: its type is a ``Refused``, its details hold what to do.
    """
    if view.decision:
        said = f"{view.decision.by} decided already: {view.decision.choice}"
        _refuse(Refused.DECIDED, said, "ostinato show says how the run went on")
    if now >= view.deadline:
        _refuse(Refused.LATE, "the deadline of this decision has passed", "ostinato show says how the run went on")
    _check_person(task, view, request.by)
    if request.choice not in view.choices:
        offered = ", ".join(view.choices)
        _refuse(Refused.NOT_OFFERED, f"{request.choice} is not offered here", f"choose among: {offered}")
    if request.action is not None and request.action != view.action_hash:
        _refuse(
            Refused.OTHER_ACTION,
            "the action is not the one that was looked at",
            "look at it again with ostinato inbox, and decide on what it shows",
        )
    _check_content(task, request)


def canonical(name: str, known: tuple[str, ...]) -> str:
    """A person's name as the team writes it; as it was given where it is none of these."""
    folded = fold(name)
    return next((person for person in known if fold(person) == folded), " ".join(name.split()))


def fold(name: str) -> str:
    """What two spellings of one name have in common: case, width and spaces do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_asking(asking: Asking, choices: tuple[Choice, ...], task: HumanTask | None = None) -> None:
    """Refuse a way of asking that cannot work.

    Raises:
        ConfigurationInvalid: what cannot.
    """
    for name in (*asking.people, *asking.escalate_to):
        if not _is_name(name):
            raise ConfigurationInvalid(f"{name[:120]!r} cannot be asked: it is no person's name", fix="correct people")
    if asking.escalate_to and asking.escalate_seconds is None:
        raise ConfigurationInvalid("escalate_to is given without escalate_seconds", fix="add escalate_seconds")
    if asking.default in {Choice.ANSWER, Choice.EDIT} and asking.default in choices and asking.default_answer is None:
        raise ConfigurationInvalid(f"the default {asking.default} has no default_answer", fix="add default_answer")
    if task and task.answer_schema and task.action is None and asking.default_answer is not None:
        _, problems = read_output(json.dumps(asking.default_answer), task.answer_schema)
        if problems:
            raise ConfigurationInvalid(
                f"the default_answer does not fit what is asked for: {problems[0]}", fix="correct default_answer"
            )


def _check_person(task: HumanTask, view: HumanTaskView, by: str) -> None:
    agents = {name for identity in task.agents for name in (identity, identity.partition("/")[2].partition("@")[0])}
    agents = {fold(name) for name in agents if name}
    if not _is_name(by) or fold(by) in agents:
        _refuse(
            Refused.NO_PERSON,
            f"{by[:MAX_NAME]!r} cannot decide: it is no person's name, or that of an agent of the run",
            "have a person decide, under a name that no agent of the team has",
        )
    known = {fold(name): name for name in view.people}
    if fold(by) in known:
        return
    later = view.escalates_to if not view.escalated else ()
    if like := lookalike(fold(by), [*known, *map(fold, later), *agents]):
        _refuse(
            Refused.LOOK_ALIKE,
            f"{by!r} looks like {known.get(like, like)!r} and is written with other characters",
            "type the name anew",
        )
    if not known:
        return
    waits = " (later)" if fold(by) in map(fold, later) else ""
    _refuse(
        Refused.WRONG_PERSON,
        f"{by!r} may not decide this{waits}",
        f"have one of these decide: {', '.join(view.people)[:300]}",
    )


def _is_name(name: str) -> bool:
    shown = fold(name)
    return (
        0 < len(shown) <= MAX_NAME
        and name.isprintable()
        and shown != BY_DEFAULT
        and not _IDENTITY.fullmatch(shown.removesuffix("/run"))
    )


def _check_content(task: HumanTask, request: DecideRequest) -> None:
    edits_action = request.choice is Choice.EDIT and task.action is not None
    wants_answer = request.choice is Choice.ANSWER or (request.choice is Choice.EDIT and task.action is None)
    if edits_action != (request.arguments is not None):
        _unfit(
            f"{request.choice} {'needs the arguments to use' if edits_action else 'takes no arguments'}",
            "give arguments, as JSON, with edit of an action only",
        )
    if wants_answer != (request.answer is not None):
        _unfit(
            f"{request.choice} {'needs an answer' if wants_answer else 'takes no answer'}",
            "give an answer with answer, or with edit of an output, and not otherwise",
        )
    if request.arguments is not None:
        value, problems = read_output(request.arguments, {"type": "object"})
        if problems or not isinstance(value, dict):
            _unfit(f"the arguments are no JSON object: {problems[0] if problems else ''}"[:600], "correct them")
    if request.answer is not None:
        text = json.dumps(request.answer)
        if len(text) > MAX_TEXT:
            _unfit(f"the answer has {len(text):,} characters; at most {MAX_TEXT:,} are taken", "shorten it")
        _, problems = read_output(text, task.answer_schema or {})
        if problems:
            _unfit(f"the answer does not fit what is asked for: {'; '.join(problems)}"[:600], _like(task, request))


def _like(task: HumanTask, request: DecideRequest) -> str:
    """How an answer looks that fits: whoever has to give it may never have read a schema."""
    said = request.answer if isinstance(request.answer, str) else ""
    shown = example(task.answer_schema or {}, said)
    return f"give it as JSON, such as --{request.choice} {shlex.quote(shown)}" if shown else "correct it"


def _unfit(message: str, fix: str) -> NoReturn:
    _refuse(Refused.UNFIT, message, fix)


def _refuse(refused: Refused, message: str, fix: str) -> NoReturn:
    detail = FailureDetail(
        kind=FailureKind.REQUEST_REJECTED, origin=Origin.OPERATOR, retryable=False, message=message[:1000], fix=fix
    )
    # Who reads it over HTTP sees the message alone without decoding the details.
    raise ApplicationError(f"{message}; {fix}", detail, type=refused.value, non_retryable=True)
