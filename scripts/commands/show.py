"""``ostinato show``: one run, as it is now."""

from typing import Annotated, Any

from cyclopts import Parameter
from temporalio.client import WorkflowExecutionDescription

from activities.contracts.messages import AssistantMessage, ThreadRef, ToolMessage
from activities.threads import Threads
from scripts.lookup import find_run, is_running
from scripts.results import as_text, is_offline, run_object
from scripts.session import Session, open_existing, quiet
from scripts.terminal import COMPLETE, Json, Output
from workers.runs import read_input, read_result
from workers.settings import load_settings
from workflows.contracts import RunInput, RunResult


async def show(run: str, /, *, thread: Annotated[bool, Parameter(negative="")] = False, as_json: Json = False) -> int:
    """Show a run: its state, input, steps, usage and failure.

    Args:
        run: The run's id.
        thread: Show the conversation behind its answer too.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    async with open_existing(settings, output) as session:
        handle, description = await find_run(session, run)
        given = await read_input(session.client, run)
        result = None if is_running(description) else await read_result(handle)
        value = _summary(session, description, given, result)
        if thread:
            value["thread"] = await _conversation(session, run, result)
        output.object(value)
        _print(value, given, result, output)
    return COMPLETE


def _summary(
    session: Session, description: WorkflowExecutionDescription, given: RunInput, result: RunResult | None
) -> dict[str, Any]:
    state = (
        run_object(description.id, result, []) if result else {"run_id": description.id, "workflow_id": description.id}
    )
    snapshot = given.snapshot
    return {
        **state,
        "status": result.status.value if result else "running",
        "team": f"{given.team.team}@{given.team.version}",
        "goal": given.goal,
        "input": {"files": snapshot.files, "bytes": snapshot.size_bytes, "skipped": snapshot.skipped}
        if snapshot
        else None,
        "providers": {agent: queue.rsplit("-", 1)[-1] for agent, queue in given.queues.items()},
        "offline": is_offline(given),
        "started": description.start_time.isoformat(),
        "ended": description.close_time.isoformat() if description.close_time else None,
        "events": description.history_length,
        "pending": [
            {"call": call.activity_type.name, "attempt": call.attempt, "failure": call.last_failure.message}
            for call in description.raw_description.pending_activities
        ],
        "ui": session.ui_of(description.id),
    }


async def _conversation(session: Session, run_id: str, result: RunResult | None) -> list[dict[str, Any]]:
    ref: ThreadRef | None = result.thread if result else None
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


def _print(value: dict[str, Any], given: RunInput, result: RunResult | None, output: Output) -> None:
    output.text(f"run {value['run_id']}: {value['status']}", style="bold")
    output.text(f"team: {value['team']}, providers: {', '.join(value['providers'].values()) or 'none'}")
    output.text(f"goal: {value['goal']}")
    if files := value["input"]:
        output.text(f"input: {files['files']} files, {files['bytes']} bytes, {files['skipped']} skipped")
    output.text(f"started: {value['started']}, ended: {value['ended'] or 'not yet'}, events: {value['events']}")
    for call in value["pending"]:
        output.text(f"under way: {call['call']}, attempt {call['attempt']} {call['failure']}".rstrip())
    for step in value.get("steps", ()):
        output.text(
            f"step {step['step']} ({step['agent']}): {step['status']}, {step['attempts']} attempts, "
            f"{step['tokens']} tokens, {step['cost_usd']:.4f} USD, {step['milliseconds']} ms"
        )
    if failure := value.get("failure"):
        output.text(f"failure: {failure['kind']}: {failure['message']}")
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
