"""Human tasks as text, for the Temporal UI and the terminal."""

import json
import re
from datetime import UTC, datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.people import HumanTaskView as View

SHOWN_BYTES = 4000
"""Of each part that details in the UI show; the server takes 20,000 bytes of all."""
SUMMARY_BYTES = 400
"""The longest summary that the server takes; a longer one would fail the workflow's task."""
ANYBODY = "anybody who is no agent of the run"


def details_of(view: View, *, standing: bool) -> str:
    """The task as Markdown for the Temporal UI: what is asked, or (``standing``) how it stands and how to decide."""
    if standing:
        who = ", ".join(view.people) or ANYBODY
        after = f"then holds: {view.default}" if view.default else "then the step fails"
        lines = [f"Waits for {_plain(who)} until {at(view.deadline)}; {after}."]
        if view.escalates_at is not None:
            lines.append(
                f"Escalated to {_plain(', '.join(view.escalates_to))}."
                if view.escalated
                else f"Escalates to {_plain(', '.join(view.escalates_to))} at {at(view.escalates_at)}."
            )
        lines += [f"Reminders: {view.reminders}."] if view.reminders else []
        lines += [f"Action `{view.action_hash}`, approvable until {at(view.expires_at or 0)}."] if view.action else []
        return "\n\n".join((*lines, f"Decide: `ostinato decide {view.task_id} --{'|--'.join(view.choices)}`"))
    parts = [_fenced(view.question), f"Asked by step `{view.step}` of run `{view.run_id}`."]
    if view.action:
        parts += [f"Proposed action: {_plain(view.action.tool)}", _fenced(view.action.arguments)]
    if view.context is not None:
        parts += ["To look at:", _fenced(json.dumps(view.context, ensure_ascii=False, indent=1))]
    if view.reasons:
        parts += ["Reasons:", _fenced("\n".join(view.reasons))]
    return "\n\n".join(parts)


def at(seconds: float) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def summary_of(view: View) -> str:
    """The task on one line."""
    return cut(f"{', '.join(view.people)[:60] or ANYBODY}: {' '.join(view.question.split())}"[:200], SUMMARY_BYTES)


def cut(text: str, size: int) -> str:
    """The start of a text, so many bytes at most."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def _fenced(text: str) -> str:
    """Text that Markdown leaves alone: what models and documents say must draw no link, image or heading."""
    shown = cut(text, SHOWN_BYTES)
    text = text if shown == text else f"{shown} … ({len(text):,} characters)"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|!])", r"\\\1", " ".join(text.split()))[:500]
