"""``ostinato chat``: a session with one agent, line by line, message by message, across days and restarts."""

import asyncio
import io
import re
import sys
import threading
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from activities.errors import ConfigurationInvalid
from scripts.plan import Plan, make_plan, new_run_id
from scripts.results import EXIT_CODES
from scripts.session import check_keys, log_to_file, open_existing, open_session, pools_of
from scripts.talk import Talk
from scripts.terminal import COMPLETE, FAILED, PARTIAL, USAGE, Output, fix_of
from workers.admission import RunOrder, check_run_id
from workers.server import running_server
from workers.sessions import session_goal, team_of
from workers.settings import Settings, load_settings
from workers.team_file import load_team
from workflows.sessions import MAX_MESSAGES, SessionSettings

MAX_LINE = 200_000
"""Characters that are read of one line; what is longer is no message of any session."""
WORDS = "/end ends the session, /quit leaves it as it is, /help says this; // begins a message with /"
_SEVERITY = (COMPLETE, PARTIAL, FAILED, USAGE)

_Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
_Amount = Annotated[float, Parameter(validator=validators.Number(gt=0))]


@dataclass(frozen=True)
class Options:
    """What is asked for besides the team."""

    agent: str = ""
    """The agent to talk to; the team's root where that is an agent, or else its first."""
    folder: Annotated[Path | None, Parameter(name="--input")] = None
    """The input folder or file of a new session. It is uploaded; workers read nothing else."""
    include: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """Glob pattern that picks files of the input, such as '*.md'; may be given several times."""
    provider: str = ""
    """The provider of the models, such as openai. The offline model where nobody says otherwise."""
    session_id: Annotated[str, Parameter(name="--id")] = ""
    """The session's id. A session of this id that is there already goes on, and needs no team."""
    message: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Send this one message, print the answer, and leave."""
    message_id: str = ""
    """The message's id: the same id again prints the same answer, and costs nothing."""
    idle_days: _Amount = 30.0
    """A new session ends when nobody has said anything for so long."""
    max_messages: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=MAX_MESSAGES))] = 1000
    """Messages of a new session."""
    max_tokens: _Count = 10_000_000
    """Tokens of all messages of a new session."""
    max_cost_usd: _Amount = 50.0
    """US dollars of all messages of a new session."""


NOTHING_ASKED = Options()


async def chat(
    team: Path | None = None,
    /,
    *,
    options: Annotated[Options, Parameter(name="*")] = NOTHING_ASKED,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object per reply.")] = False,
) -> int:
    """Talk to an agent of a team; each line is a message. /end ends the session, /quit and Ctrl-C leave it, /help.

    Args:
        team: The team file, such as scripts/teams/ask.yaml; needed for a new session only.
        options: What is asked for.
        as_json: Print one JSON object for each answer.
    """
    output, settings = Output(as_json=as_json), load_settings()
    if options.message_id and options.message is None:
        raise ConfigurationInvalid("a message id needs its message", fix="give --message too")
    plan = _plan(settings, team, options)
    if plan and await running_server(settings) is None:
        check_keys(settings, pools_of(plan.queues))
    log_to_file(settings)
    opened = open_session(settings, output) if plan else open_existing(settings, output)
    limits = SessionSettings(
        idle_seconds=min(options.idle_days, 3650) * 86_400,
        messages=options.max_messages,
        tokens=options.max_tokens,
        cost_usd=options.max_cost_usd,
    )
    async with opened as session, AsyncExitStack() as stack:
        talk = Talk(session, plan.order.run_id if plan else options.session_id, output, stack)
        try:
            await talk.begin(plan, limits, look=bool(options.session_id))
            if options.message is not None:
                return EXIT_CODES[(await talk.say(options.message, options.message_id)).status]
            code = await _lines(talk, output)
        except asyncio.CancelledError:
            talk.leave(interrupted=True)
            raise
        if session.server.origin == "started":
            output.note("the server and its UI end with this command; `ostinato up` keeps them, with all sessions")
        return code


def _plan(settings: Settings, team: Path | None, options: Options) -> Plan | None:
    """A new session, checked in whole; None where one that is there goes on."""
    if options.session_id:
        check_run_id(options.session_id)
    if team is None:
        if not options.session_id:
            raise ConfigurationInvalid(
                "there is nobody to talk to", fix="name a team file, or a session that is there with --id"
            )
        return None
    spec = team_of(load_team(team), options.agent)
    order = RunOrder(
        goal=session_goal(spec),
        run_id=options.session_id or new_run_id(spec),
        folder=options.folder,
        include=options.include,
        provider=options.provider,
    )
    return make_plan(settings, spec, order)


async def _lines(talk: Talk, output: Output) -> int:
    """Every line a message; the gravest exit code of all replies. On a terminal a refusal is only said."""
    terminal, code = sys.stdin.isatty(), COMPLETE
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    while (line := await _read_line("> " if terminal and not output.as_json else "")) is not None:
        text = line.strip()
        if not text:
            continue
        if text == "/end":
            await talk.end()
            return code
        if text == "/quit":
            break
        if _is_word(text):
            if text == "/help":
                output.note(WORDS)
            else:
                output.error(f"there is no {text.split()[0][:40]}, and nothing was sent", WORDS)
                code = max(code, USAGE, key=_SEVERITY.index)
            continue
        try:
            reply = await talk.say(text[1:] if text.startswith("//") else text)
        except ConfigurationInvalid as refused:
            output.error(str(refused), fix_of(refused))
            code = max(code, USAGE, key=_SEVERITY.index)
        else:
            code = max(code, EXIT_CODES[reply.status], key=_SEVERITY.index)
    talk.leave()
    return COMPLETE if terminal else code


def _is_word(text: str) -> bool:
    """Whether a line is meant for this command: a slash and one name, and no path such as /etc/hosts."""
    return re.fullmatch(r"/[A-Za-z?][\w-]*", text.split(maxsplit=1)[0]) is not None


async def _read_line(prompt: str) -> str | None:
    """The next line; None at the end. Read by a thread, so that Ctrl-C and everything else go on meanwhile."""
    loop = asyncio.get_running_loop()
    got: asyncio.Future[str | None] = loop.create_future()

    def deliver(line: str | None) -> None:
        if not got.done():
            got.set_result(line)

    def read() -> None:
        line = _next_line(prompt)
        with suppress(RuntimeError):  # the command has ended meanwhile
            loop.call_soon_threadsafe(deliver, line)

    # Not the loop's executor: that would be waited for at the end.
    threading.Thread(target=read, daemon=True).start()
    return await got


def _next_line(prompt: str) -> str | None:
    if prompt:
        print(prompt, end="", flush=True)
    try:
        line = sys.stdin.readline(MAX_LINE)
        end = line
        while end and not end.endswith("\n"):  # the rest of a line that is far too long
            end = sys.stdin.readline(MAX_LINE)
    except (OSError, ValueError):
        return None
    return line or None
