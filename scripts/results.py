"""A run's result: as the one JSON object, as text for people, and as files in the home folder."""

import json
from pathlib import Path
from typing import Any

from activities.errors import redact
from scripts.terminal import COMPLETE, FAILED, PARTIAL, Output, safe
from workers.settings import Settings
from workflows.contracts import RunInput, RunResult, RunStatus
from workflows.steps import model_queue

EXIT_CODES = {RunStatus.COMPLETE: COMPLETE, RunStatus.PARTIAL: PARTIAL, RunStatus.FAILED: FAILED}
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
            }
            for step in result.steps
        ],
        "missing": list(result.missing),
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


def save_result(settings: Settings, run: RunInput, result: RunResult, output: Output) -> list[str]:
    """Write ``result.json``, and ``answer.md`` where there is an answer; their paths. A full disk costs no result."""
    folder = result_folder(settings, run.scope_id)
    paths = [folder / "result.json"]
    if result.output is not None:
        paths.append(folder / "answer.md")
    names = [str(path) for path in paths]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_text(json.dumps(run_object(run.scope_id, result, names), indent=1) + "\n", encoding="utf-8")
        if result.output is not None:
            heading = f"# {' '.join(run.goal.split())}\n\n"
            paths[1].write_text(safe(heading + as_text(result, run) + "\n"), encoding="utf-8")
    except OSError as error:
        output.note(f"the result could not be saved: {redact(str(error))}")
        return []
    return names


def print_result(run: RunInput, result: RunResult, artifacts: list[str], output: Output) -> None:
    """The result for people on stdout, its failure on stderr, or the one JSON object."""
    if result.output is not None:
        output.text(as_text(result, run))
        output.text()
    for sentence in result.missing:
        output.text(f"missing: {sentence}")
    usage = result.usage
    output.text(
        f"usage: {usage.model_calls} model calls, {usage.tool_calls} tool calls, "
        f"{usage.input_tokens} + {usage.output_tokens} tokens, {usage.cost_usd:.4f} USD, "
        f"{sum(step.milliseconds for step in result.steps)} ms"
    )
    for path in artifacts:
        output.text(f"saved: {_short(path)}")
    if result.failure:
        output.note(
            f"{'error' if result.status is RunStatus.FAILED else result.status.value}: {result.failure.message}"
        )
        if result.failure.fix:
            output.note(f"fix: {result.failure.fix}")
    output.object(run_object(run.scope_id, result, artifacts))


def as_text(result: RunResult, run: RunInput) -> str:
    """An output for people: an answer with its quotations where it has that shape, JSON otherwise."""
    label = f"({OFFLINE_LABEL})\n\n" if is_offline(run) else ""
    value = result.output
    if isinstance(value, str):
        return label + value
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
    return model_queue("offline") in run.queues.values()


def _short(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
