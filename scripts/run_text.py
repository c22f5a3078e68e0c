"""A run as text, as ``ostinato show`` prints it."""

from collections.abc import Sequence
from typing import Any

from scripts.decisions import decision_lines, log_lines
from scripts.effects import effect_lines
from scripts.lineage import lineage_lines
from scripts.results import MAX_NOTES, as_text, said_lines
from scripts.terminal import Output
from workflows.contracts import RunInput, RunResult
from workflows.stopped import RunSoFar


def print_run(
    value: dict[str, Any], given: RunInput, result: RunResult | None, told: RunResult | RunSoFar | None, output: Output
) -> None:
    """Print a run.

    Args:
        value: the run as JSON.
        given: what it was started with.
        result: what it has come to; absent while it runs.
        told: the same, or what it has come to so far; absent where no worker says.
        output: where to.
    """
    _print_head(value, output)
    _print_under_way(value, output)
    if result:
        _print_work(value, result, output)
    if told:
        _print_come_to(told, given, output)
    elif "session" not in value:
        output.note("no worker says how far it has come: start workers with `ostinato up` or `ostinato worker`")
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
        _print_message(message, output)


def _print_head(value: dict[str, Any], output: Output) -> None:
    output.text(f"run {value['run_id']}: {value['status']}", style="bold")
    output.text(f"team: {value['team']}, providers: {', '.join(sorted(set(value['providers'].values()))) or 'none'}")
    output.text(f"goal: {value['goal']}")
    if files := value["input"]:
        output.text(f"input: {files['files']} files, {files['bytes']} bytes, {files['skipped']} skipped")
    output.text(f"started: {value['started']}, ended: {value['ended'] or 'not yet'}, events: {value['events']}")
    for line in lineage_lines(value["lineage"]):
        output.text(line)


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


def _print_work(value: dict[str, Any], result: RunResult, output: Output) -> None:
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


def _print_come_to(told: RunResult | RunSoFar, given: RunInput, output: Output) -> None:
    replaced = given.rewind.values if given.rewind else ()
    for line in (*log_lines(told.log), *decision_lines(told.decisions, replaced), *effect_lines(told.done)):
        output.text(line)


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


def _print_message(message: dict[str, Any], output: Output) -> None:
    output.text()
    output.text(f"[{message['role']}{' ' + message['tool'] if 'tool' in message else ''}]", style="bold")
    output.text(message["text"])
    for call in message.get("tool_calls", ()):
        output.text(f"-> {call['tool']} {call['arguments']}")
