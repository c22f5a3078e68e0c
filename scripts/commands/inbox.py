"""``ostinato inbox``: what waits for people."""

import json
import time
from typing import Annotated, Any

from cyclopts import Parameter

from activities.contracts.people import HumanTaskView
from activities.schema_example import choices, example
from scripts.session import open_existing, quiet
from scripts.terminal import COMPLETE, Json, Output
from workers.inbox import default_person, is_for, open_tasks
from workers.settings import load_settings
from workflows.human_text import ANYBODY, at

SHOWN = 1500
"""Characters of a draft or of arguments; --json has all of it."""


async def inbox(
    *,
    everybody: Annotated[bool, Parameter(name="--all", negative="")] = False,
    person: str = "",
    limit: int = 50,
    as_json: Json = False,
) -> int:
    """List what waits for a decision, the oldest first, and how to decide it.

    Args:
        everybody: What waits for anybody, and not only for you.
        person: What waits for this person.
        limit: Tasks that are shown at most.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    who = "" if everybody else person or default_person(settings)
    async with open_existing(settings, output) as session:
        now = time.time()
        found = await open_tasks(session.client, now)
        mine = [view for view in found.tasks if not who or is_for(view, who)]
        for view in mine[:limit]:
            _print(view, now, output)
        if len(mine) > limit:
            output.note(f"and {len(mine) - limit} more, see --limit")
        if others := len(found.tasks) - len(mine):
            output.note(f"{others} more wait for other people, see --all")
        if found.unread:
            output.note(f"{found.unread} more cannot be read from here, or are too many")
        if not mine:
            output.text(f"nothing waits for {who or 'anybody'}")
        tasks = [task_object(view) for view in mine[:limit]]
        more = max(0, len(mine) - limit)
        output.object({"person": who, "tasks": tasks, "more": more, "unread": found.unread})
    return COMPLETE


def task_object(view: HumanTaskView) -> dict[str, Any]:
    """A task as JSON. Every key is always there."""
    return {name: value for name in HumanTaskView.model_fields for value in [_plain(getattr(view, name))]}


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return [str(inner) for inner in value] if isinstance(value, tuple) else value


def _print(view: HumanTaskView, now: float, output: Output) -> None:
    output.text(view.task_id, style="bold")
    output.text(f"  {_short(view.question)}")
    output.text(f"  run {view.run_id}, step {view.step}; asked {_span(now - view.opened_at)} ago")
    who = ", ".join(view.people) or ANYBODY
    after = f"then holds: {view.default}" if view.default else "then the step fails"
    output.text(f"  for {who}; until {at(view.deadline)} (in {_span(view.deadline - now)}), {after}")
    said = [f"{view.reminders} reminders"] if view.reminders else []
    if view.escalates_at is not None and view.escalates_to:
        to = ", ".join(view.escalates_to)
        said.append(f"escalated to {to}" if view.escalated else f"escalates to {to} at {at(view.escalates_at)}")
    if said:
        output.text(f"  {', '.join(said)}")
    if view.action:
        effect = f" (effect: {view.action.effect})" if view.action.effect else ""
        output.text(f"  action: {view.action.tool} {_short(view.action.arguments)}{effect}")
        output.text(f"  an approval holds until {at(view.expires_at or 0)}")
    for reason in view.reasons:
        output.text(f"  because: {reason}")
    if view.context is not None:
        output.text(f"  to look at: {_short(json.dumps(view.context, ensure_ascii=False))}")
    if view.answer_schema:
        shown = example(view.answer_schema) or json.dumps(view.answer_schema, ensure_ascii=False)
        output.text(f"  an answer is like: {'; '.join([_short(shown), *choices(view.answer_schema)])}")
    bound = f" --action {view.action_hash}" if view.action_hash else ""
    output.text(f"  ostinato decide {view.task_id} {'|'.join(f'--{choice}' for choice in view.choices)}{bound}")
    output.text()


def _short(text: str) -> str:
    text = text.replace("\n", "\n  ")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters, see --json)"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"
