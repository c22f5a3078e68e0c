"""``ostinato show``: one run, as it is now."""

from typing import Annotated, Any

from cyclopts import Parameter
from temporalio.client import WorkflowExecutionDescription

from activities.contracts.messages import AssistantMessage, ThreadRef, ToolMessage
from activities.errors import ConfigurationInvalid
from activities.threads import Threads
from scripts.decisions import decision_objects
from scripts.effects import effect_objects
from scripts.handoffs import handoff_lines, handoff_objects
from scripts.lineage import lineage_object
from scripts.lookup import find_run, is_running
from scripts.network_events import event_lines, event_objects
from scripts.people import waiting_objects
from scripts.results import MAX_NOTES, is_offline, run_object, saved_paths
from scripts.run_text import print_run
from scripts.session import Session, open_existing, quiet
from scripts.state import NO_STATE, StateWanted, show_state
from scripts.talk import session_object
from scripts.terminal import COMPLETE, Json, Output
from workers.runs import read_input, read_result
from workers.sessions import SessionView, is_session, read_session
from workers.settings import load_settings
from workers.spent import with_spent
from workers.team_file import nearest
from workers.told import Told, told_by_all
from workflows.contracts import RunInput, RunResult
from workflows.stopped import RunSoFar


async def show(  # noqa: PLR0913 -- one parameter an option
    run: str,
    /,
    *,
    thread: Annotated[bool, Parameter(negative="")] = False,
    step: str = "",
    handoffs: Annotated[bool, Parameter(negative="")] = False,
    events: Annotated[bool, Parameter(negative="")] = False,
    wanted: Annotated[StateWanted, Parameter(name="*")] = NO_STATE,
    as_json: Json = False,
) -> int:
    """Show a run: its state, input, steps, usage and failure.

    Args:
        run: The run's id; with --state, RUN/PATH is a workflow nested in it.
        thread: Show the conversation behind its answer too.
        step: Show the conversation of this step, such as brief/s1-1; with --state, the state of what is nested there.
        handoffs: Show how each step came to its owner: taken or rejected, how long, how much, how complete.
        events: Show what the peers of its networks have told each other: who sent it, and who has worked on it.
        wanted: What of the run's state is shown in place of all this.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    async with open_existing(settings, output) as session:
        if wanted:
            await show_state(session, run, output, wanted, step=step)
            return COMPLETE
        handle, description = await find_run(session, run)
        given = await read_input(session.client, run)
        ended = not is_running(description)
        result = await with_spent(session.client, given, await read_result(handle)) if ended else None
        so_far = Told(None) if ended else await told_by_all(session.client, description)
        told = result or so_far.so_far
        value = {**_summary(session, description, given, result), **_come_to(told)}
        value["notes"] = [*value.get("notes", ()), *so_far.notes]
        value["lineage"] = await lineage_object(session, given)
        value["waiting"] = [] if ended else await waiting_objects(session.client, run)
        talked = await read_session(session.client, run) if is_session(description) else None
        if talked:
            value["session"] = session_object(talked)
        ref = None
        if thread or step:
            ref = _thread_of(run, result, step) if step else _last_thread(result, talked)
            value["thread"] = await _conversation(session, given.scope_id, ref)
        if handoffs:
            value["handoffs"] = handoff_objects(told.handoffs if told else ())
        if events:
            value["network_events"] = event_objects(told.events if told else ())
        output.object(value)
        print_run(value, given, result, told, output)
        for line in so_far.notes:
            output.note(line)
        for line in handoff_lines(told.handoffs) if told and handoffs else ():
            output.text(line)
        for line in event_lines(told.events) if told and events else ():
            output.text(line)
        if thread and ref is None and not talked:
            _say_where_threads_are(run, result, output)
    return COMPLETE


def _summary(
    session: Session, description: WorkflowExecutionDescription, given: RunInput, result: RunResult | None
) -> dict[str, Any]:
    state: dict[str, Any] = {"run_id": description.id, "workflow_id": description.id}
    if result:
        state = run_object(description.id, result, saved_paths(session.deployment.settings, description.id, result))
        state["stored_artifacts"] = [
            {"name": ref.name, "size_bytes": ref.size_bytes, "media_type": ref.media_type, "digest": ref.digest}
            for ref in result.artifacts
        ]
    snapshot = given.snapshot
    return {
        **state,
        "status": result.status.value if result else "running",
        "team": f"{given.team.team}@{given.team.version}",
        "goal": given.goal,
        "input": {"files": snapshot.files, "bytes": snapshot.size_bytes, "skipped": snapshot.skipped}
        if snapshot
        else None,
        "providers": {
            name: plan.models[0].model.partition(":")[0] for name, plan in given.plans.items() if plan.models
        },
        "offline": is_offline(given),
        "started": description.start_time.isoformat(),
        "ended": description.close_time.isoformat() if description.close_time else None,
        "events": description.history_length,
        "pending": [
            {"call": call.activity_type.name, "attempt": call.attempt, "failure": call.last_failure.message}
            for call in description.raw_description.pending_activities
        ],
        # A server that this command has started ends with it, and its UI too.
        "ui": "" if session.server.origin == "started" else session.ui_of(description.id),
    }


def _last_thread(result: RunResult | None, talked: SessionView | None) -> ThreadRef | None:
    if result and result.thread:
        return result.thread
    return talked.thread if talked else None


def _thread_of(run: str, result: RunResult | None, step: str) -> ThreadRef | None:
    if result is None:
        raise ConfigurationInvalid(
            f"the run has not ended: its step {step!r} can be shown when it has",
            fix=f"ostinato watch {run} shows its steps as they happen",
        )
    found = {report.step: report.thread for report in result.steps}
    if step not in found:
        raise ConfigurationInvalid(f"the run has no step {step!r}", fix=nearest(step, sorted(found)))
    if found[step] is None:
        talking = sorted(name for name, ref in found.items() if ref)
        raise ConfigurationInvalid(
            f"the step {step!r} has no conversation",
            fix=f"those that have one: {', '.join(talking[:MAX_NOTES]) or 'none'}",
        )
    return found[step]


def _say_where_threads_are(run: str, result: RunResult | None, output: Output) -> None:
    if result is None:
        output.note(f"the conversations can be shown when the run has ended; ostinato watch {run} shows its steps")
        return
    talking = [report.step for report in result.steps if report.thread]
    if not talking:
        output.note("no step of this run has a conversation")
        return
    more = f", and {len(talking) - MAX_NOTES} more" if len(talking) > MAX_NOTES else ""
    output.note(f"conversations by step: ostinato show {run} --step {talking[0]}")
    output.note(f"steps with one: {', '.join(talking[:MAX_NOTES])}{more}")


async def _conversation(session: Session, run_id: str, ref: ThreadRef | None) -> list[dict[str, Any]]:
    if ref is None:
        return []
    messages = []
    for message in await Threads(session.deployment.store).read(run_id, ref):
        entry: dict[str, Any] = {"role": message.role, "text": message.text}
        if isinstance(message, AssistantMessage):
            entry["tool_calls"] = [{"tool": call.tool, "arguments": call.arguments} for call in message.tool_calls]
        if isinstance(message, ToolMessage):
            entry |= {"tool": message.tool, "is_error": message.is_error}
        messages.append(entry)
    return messages


def _come_to(told: RunResult | RunSoFar | None) -> dict[str, Any]:
    """What was decided and done, also while it runs; nothing where no worker says so."""
    if told is None:
        return {}
    return {
        "decisions": decision_objects(told.decisions),
        "effects": effect_objects(told.done),
        "log": list(told.log),
    }
