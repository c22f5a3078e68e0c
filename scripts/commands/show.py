"""``ostinato show``: one run, as it is now."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from temporalio.client import WorkflowExecutionDescription

from activities.contracts.messages import AssistantMessage, ThreadRef, ToolMessage
from activities.errors import ConfigurationInvalid
from activities.threads import Threads
from scripts.decisions import decision_lines, decision_objects
from scripts.effects import effect_lines
from scripts.handoffs import handoff_lines, handoff_objects
from scripts.lineage import lineage_lines, lineage_object
from scripts.lookup import find_run, is_running
from scripts.network_events import event_lines, event_objects
from scripts.people import waiting_objects
from scripts.results import MAX_NOTES, as_text, is_offline, run_object, said_lines, saved_paths
from scripts.session import Session, open_existing, quiet
from scripts.state import NO_STATE, StateWanted, show_state
from scripts.talk import session_object
from scripts.terminal import COMPLETE, Json, Output
from workers.runs import read_input, read_result
from workers.sessions import SessionView, is_session, read_session
from workers.settings import load_settings
from workers.spent import with_spent
from workers.team_file import nearest
from workflows.contracts import RunInput, RunResult


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
        value = _summary(session, description, given, result)
        value["lineage"] = await lineage_object(session, given)
        value["waiting"] = [] if ended else await waiting_objects(session.client, run)
        talked = await read_session(session.client, run) if is_session(description) else None
        if talked:
            value["session"] = session_object(talked)
        ref = None
        if thread or step:
            ref = _thread_of(run, result, step) if step else _last_thread(result, talked)
            value["thread"] = await _conversation(session, given.scope_id, ref)
        reports = result.handoffs if result else ()
        if handoffs:
            value["handoffs"] = handoff_objects(reports)
        sent = result.events if result else ()
        if events:
            value["network_events"] = event_objects(sent)
        output.object(value)
        _print(value, given, result, output)
        for line in handoff_lines(reports) if handoffs else ():
            output.text(line)
        for line in event_lines(sent) if events else ():
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
        state["decisions"] = decision_objects(result.decisions)
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


def _print_files(value: dict[str, Any], output: Output) -> None:
    stored: Sequence[dict[str, Any]] = value.get("stored_artifacts", ())
    for ref in stored[:MAX_NOTES]:
        output.text(f"file {ref['name']}: {ref['size_bytes']:,} bytes, {ref['media_type']}")
    if len(stored) > MAX_NOTES:
        output.text(f"and {len(stored) - MAX_NOTES} more files")
    if value.get("status") != "running" and stored and not value["artifacts"]:
        output.text(
            f"they are not on this disk: `ostinato run TEAM --goal TEXT --id {value['run_id']}` writes them and runs nothing again"
        )


def _print_under_way(value: dict[str, Any], output: Output) -> None:
    if talked := value.get("session"):
        output.text(
            f"session with {talked['agent']}: {talked['messages']} messages, {talked['waiting']} waiting, "
            f"{talked['tokens']} tokens, {talked['cost_usd']:.4f} USD"
        )
    for task in value["waiting"]:
        who = ", ".join(task["people"]) or "a person"
        output.text(f"waits for {who}: {task['question']}")
        output.text(f"decide: ostinato decide {task['task_id']} {task['choices']}")
    for call in value["pending"]:
        output.text(f"under way: {call['call']}, attempt {call['attempt']} {call['failure']}".rstrip())


def _print_work(value: dict[str, Any], given: RunInput, result: RunResult, output: Output) -> None:
    for line in said_lines(result):
        output.text(line)
    usage = result.usage
    output.text(
        f"usage: {usage.model_calls} model calls, {usage.tool_calls} tool calls, "
        f"{usage.tokens} tokens, {usage.cost_usd:.4f} USD"
    )
    for step in value.get("steps", ()):
        output.text(
            f"step {step['step']} ({step['agent']}): {step['status']}, {step['attempts']} attempts, "
            f"{step['tokens']} tokens, {step['cost_usd']:.4f} USD, {step['milliseconds']} ms"
            + (f": {step['reason']}" if step["reason"] else "")
        )
    replaced = given.rewind.values if given.rewind else ()
    for line in (*decision_lines(result.decisions, replaced), *effect_lines(result.done)):
        output.text(line)


def _print(value: dict[str, Any], given: RunInput, result: RunResult | None, output: Output) -> None:
    output.text(f"run {value['run_id']}: {value['status']}", style="bold")
    output.text(f"team: {value['team']}, providers: {', '.join(sorted(set(value['providers'].values()))) or 'none'}")
    output.text(f"goal: {value['goal']}")
    if files := value["input"]:
        output.text(f"input: {files['files']} files, {files['bytes']} bytes, {files['skipped']} skipped")
    output.text(f"started: {value['started']}, ended: {value['ended'] or 'not yet'}, events: {value['events']}")
    for line in lineage_lines(value["lineage"]):
        output.text(line)
    _print_under_way(value, output)
    if result:
        _print_work(value, given, result, output)
    _print_files(value, output)
    if failure := value.get("failure"):
        output.text(f"failure: {failure['kind']}: {failure['message']}")
        if failure["fix"]:
            output.text(f"fix: {failure['fix']}")
    if value["ui"]:
        output.text(f"watch it: {value['ui']}")
    if result and result.output is not None:
        output.text()
        output.text(as_text(result, given))
    for message in value.get("thread", ()):
        output.text()
        output.text(f"[{message['role']}{' ' + message['tool'] if 'tool' in message else ''}]", style="bold")
        output.text(message["text"])
        for call in message.get("tool_calls", ()):
            output.text(f"-> {call['tool']} {call['arguments']}")
