"""What happens where a node fails: its fallback stands in, or its pattern goes on without it, or it has failed."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunResult, RunStatus
    from workflows.step_context import StepContext
    from workflows.teams.tree import ConstantFallback, Node, SkipFallback, node_key


def stands_in(step: StepContext, node: Node, failed: RunResult) -> RunResult:
    """The result that a constant or a skip makes of a failed one; the failed one where neither is declared."""
    why = failed.failure.message if failed.failure else "it failed"
    match node.fallback:
        case ConstantFallback(value=value):
            return _partial(step, failed, value, f"a constant stands in for {node_key(node)}: {why}")
        case SkipFallback():
            return _partial(step, failed, None, f"{node_key(node)} was skipped: {why}")
        case _ if not node.critical:
            return _partial(step, failed, None, f"{node_key(node)} is missing: {why}")
    return failed


def _partial(step: StepContext, failed: RunResult, output: JsonValue, missing: str) -> RunResult:
    step.frame.decide(missing)
    return failed.model_copy(
        update={
            "status": RunStatus.PARTIAL,
            "output": output,
            "failure": None,
            "missing": (*failed.missing, missing[:1000])[-100:],
        }
    )
