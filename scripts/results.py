"""A run's result: as the one JSON object, as text for people, and as files in the home folder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activities.errors import redact
from scripts.artifact_files import FOLDER, save_artifacts, write_below
from scripts.brief_text import brief_text, is_brief
from scripts.effects import effect_lines, effect_objects
from scripts.terminal import COMPLETE, FAILED, PARTIAL, Output, safe
from workers.deployment import Deployment
from workers.settings import Settings
from workflows.contracts import RunInput, RunResult, RunStatus
from workflows.steps import model_queue

EXIT_CODES = {RunStatus.COMPLETE: COMPLETE, RunStatus.PARTIAL: PARTIAL, RunStatus.FAILED: FAILED}
MAX_NOTES = 20
"""Lines about files, saved or not, before the rest is counted."""
OFFLINE_LABEL = "offline model: extractive, no language model"


def run_object(run_id: str, result: RunResult, artifacts: list[str]) -> dict[str, Any]:
    """The object of ``run --json``. Every key is always there: wire models leave defaults out, so it is spelt out."""
    usage = result.usage
    value: dict[str, Any] = {
        "run_id": run_id,
        "workflow_id": run_id,
        "status": result.status.value,
        "output": result.output,
        "artifacts": artifacts,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": usage.cost_usd,
            "model_calls": usage.model_calls,
            "tool_calls": usage.tool_calls,
        },
        "steps": [
            {
                "agent": step.agent,
                "step": step.step,
                "status": step.status.value,
                "attempts": step.attempts,
                "tokens": step.tokens,
                "cost_usd": step.cost_usd,
                "milliseconds": step.milliseconds,
                "model": step.model,
                "task": step.task,
                "reason": step.reason,
            }
            for step in result.steps
        ],
        "agents": [
            {"agent": agent.agent, "steps": agent.steps, "tokens": agent.tokens, "cost_usd": agent.cost_usd}
            for agent in result.agents
        ],
        "effects": effect_objects(result.done),
        "missing": list(result.missing),
        "notes": list(result.notes),
    }
    if failure := result.failure:
        value["failure"] = {
            "kind": failure.kind.value,
            "origin": failure.origin.value,
            "retryable": failure.retryable,
            "message": failure.message,
            "fix": failure.fix,
            "agent": failure.agent,
            "step": failure.step,
        }
    return value


def result_folder(settings: Settings, run_id: str) -> Path:
    """Where a run's result is saved."""
    return settings.home.absolute() / "runs" / run_id


async def save_result(deployment: Deployment, run: RunInput, result: RunResult, output: Output) -> list[str]:
    """Write the run's files, ``answer.md`` where there is an answer, and ``result.json``; their paths.

    What cannot be written is said, and costs neither the result nor the other files.
    """
    runs = result_folder(deployment.settings, run.workflow_id).parent
    files, problems = await save_artifacts(deployment.store, run.scope_id, result.artifacts, runs, run.workflow_id)
    names = ["result.json"] if result.output is None else ["result.json", "answer.md"]
    paths = [*(str(runs / run.workflow_id / name) for name in names), *files]
    try:
        value = json.dumps(run_object(run.workflow_id, result, paths), indent=1) + "\n"
        write_below(runs, f"{run.workflow_id}/result.json", value.encode())
        if result.output is not None:
            heading = f"# {' '.join(run.goal.split())}\n\n"
            write_below(
                runs,
                f"{run.workflow_id}/answer.md",
                safe(heading + as_text(result, run) + "\n").encode("utf-8", "replace"),
            )
    except OSError as error:
        problems.append(f"the result could not be saved: {redact(str(error))}")
        paths = files
    for problem in problems[:MAX_NOTES]:
        output.note(problem)
    if len(problems) > MAX_NOTES:
        output.note(f"and {len(problems) - MAX_NOTES} more files are not saved")
    return paths


def saved_paths(settings: Settings, run_id: str, result: RunResult) -> list[str]:
    """What of a run's result stands on this disk."""
    folder = result_folder(settings, run_id)
    names = ["result.json", "answer.md", *(f"{FOLDER}/{ref.name}" for ref in result.artifacts)]
    return [str(folder / name) for name in names if (folder / name).is_file()]


def print_result(run: RunInput, result: RunResult, artifacts: list[str], output: Output) -> None:
    """The result for people on stdout, its failure on stderr, or the one JSON object."""
    if result.output is not None:
        output.text(as_text(result, run))
        output.text()
    for line in said_lines(result):
        output.text(line)
    for line in effect_lines(result.done):
        output.text(line)
    usage = result.usage
    output.text(
        f"usage: {usage.model_calls} model calls, {usage.tool_calls} tool calls, "
        f"{usage.input_tokens} + {usage.output_tokens} tokens, {usage.cost_usd:.4f} USD, "
        f"{sum(step.milliseconds for step in result.steps)} ms"
    )
    for agent in result.agents if len(result.agents) > 1 else ():
        name = agent.agent.partition("/")[2].partition("@")[0] or agent.agent
        steps = "1 step" if agent.steps == 1 else f"{agent.steps} steps"
        output.text(f"  {name}: {steps}, {agent.tokens} tokens, {agent.cost_usd:.4f} USD")
    for path in artifacts[:MAX_NOTES]:
        output.text(f"saved: {_short(path)}")
    if len(artifacts) > MAX_NOTES:
        output.text(f"saved: {len(artifacts) - MAX_NOTES} more files beside them")
    if result.failure:
        output.note(
            f"{'error' if result.status is RunStatus.FAILED else result.status.value}: {result.failure.message}"
        )
        if result.failure.fix:
            output.note(f"fix: {result.failure.fix}")
    output.object(run_object(run.workflow_id, result, artifacts))


def said_lines(result: RunResult) -> Iterator[str]:
    """What the result lacks, and what is worth knowing of it, a line each."""
    yield from (f"missing: {sentence}" for sentence in result.missing)
    yield from (f"note: {sentence}" for sentence in result.notes)


def as_text(result: RunResult, run: RunInput) -> str:
    """An output for people: an answer with its quotations where it has that shape, JSON otherwise."""
    label = f"({OFFLINE_LABEL})\n\n" if is_offline(run) else ""
    value = result.output
    if isinstance(value, str):
        return label + value
    if isinstance(value, dict) and is_brief(value):
        return label + brief_text(value)
    if not isinstance(value, dict) or not isinstance(value.get("answer"), str):
        return label + json.dumps(value, indent=2, ensure_ascii=False)
    parts = [str(value["answer"])]
    quotes = value.get("quotes")
    for quote in quotes if isinstance(quotes, list) else []:
        if isinstance(quote, dict):
            lines = str(quote.get("quote", "")).split("\n")
            parts.append("\n".join([*(f"> {line}" for line in lines), f"> -- {quote.get('source', '')}"]))
    return label + "\n\n".join(parts)


def is_offline(run: RunInput) -> bool:
    """Whether the offline model did it, or a part of it."""
    return any(route.queue == model_queue("offline") for plan in run.plans.values() for route in plan.models)


def _short(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
