"""What happens where a node fails: its fallback stands in, or its pattern goes on without it, or it has failed."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from workflows.budget import Account
    from workflows.contracts import RunResult, RunStatus, Task
    from workflows.lacking import lacking
    from workflows.step_context import StepContext
    from workflows.teams.tree import (
        AgentNode,
        ConstantFallback,
        Node,
        NodeBase,
        PersonNode,
        SkipFallback,
        TierFallback,
        node_key,
        node_name,
        on_tier,
    )

MAX_REASONS = 16


def at_breach(node: Node, account: Account, end: float | None, failed: RunResult) -> RunResult:
    """A node whose own budget was short ends with what is there, where its budget says so.

    Args:
        node: the node.
        account: its budget's.
        end: when the time of its budget is over.
        failed: how it ended.
    """
    if failed.status is not RunStatus.FAILED or not failed.failure or failed.so_far is None:
        return failed
    kind, late = failed.failure.kind, end is not None and workflow.time() >= end
    breached = (account.breached and kind is FailureKind.LIMIT_EXCEEDED) or (
        late and kind is FailureKind.DEADLINE_EXCEEDED
    )
    if not breached or not node.budget or node.budget.on_breach != "partial":
        return failed
    return _partial(failed, failed.so_far, failed.failure.message)


def other_node(node: Node, failed: RunResult) -> Node | None:
    """The node that stands in for one that failed; ``None``: none is declared, or none may.

    After an effect, or what may have been one, nobody makes the attempt again, neither another agent nor another tier: only
    a person, who can look.
    """
    if _is_halted(failed):
        return None
    again = not failed.effects and not is_unknown(failed)
    match node.fallback:
        case TierFallback(tier=tier) if isinstance(node, AgentNode) and again:
            return on_tier(node, tier)
        case NodeBase() as other if isinstance(other, PersonNode) or again:
            return other
    return None


def is_unknown(result: RunResult) -> bool:
    """Whether nobody knows what a step has done: it is not made again, and nothing is gone on with until somebody looked."""
    failure = result.failure if result.status is RunStatus.FAILED else None
    return failure is not None and failure.kind is FailureKind.OUTCOME_UNKNOWN


def told_why(task: Task, node: Node, failed: RunResult) -> Task:
    """The task for whoever stands in, with what the node failed of."""
    why = failed.failure.message if failed.failure else "it gave no reason"
    return task.model_copy(
        update={"reasons": (*task.reasons, f"{node_name(node)} failed: {why}"[:1000])[-MAX_REASONS:]}
    )


def stands_in(step: StepContext, node: Node, failed: RunResult) -> RunResult:
    """The result that a constant or a skip makes of a failed one; the failed one where neither is declared, or neither may."""
    if failed.status is not RunStatus.FAILED or _is_halted(failed) or is_unknown(failed):
        return failed
    why, key = failed.failure.message if failed.failure else "it failed", node_key(node)
    match node.fallback:
        case ConstantFallback(value=value):
            return _noted(step, failed, value, f"a constant stands in for {key}: {why}")
        case SkipFallback():
            return _noted(step, failed, None, f"{key} was skipped: {why}")
        case _ if not node.critical:
            return _noted(step, failed, None, f"{key} is missing: {why}")
        case TierFallback() | NodeBase() if (
            failed.effects and failed.failure and not isinstance(node.fallback, PersonNode)
        ):
            message = f"{why} (it has had effects, so its fallback does not do it again)"[:1000]
            return failed.model_copy(update={"failure": failed.failure.model_copy(update={"message": message})})
    return failed


def _noted(step: StepContext, failed: RunResult, output: JsonValue, missing: str) -> RunResult:
    step.frame.decide(missing)
    # What its budget did not pay of it is not missed any more: this stands in for all of it.
    return _partial(failed, output, missing).model_copy(update={"owner": "", "short": ""})


def _partial(failed: RunResult, output: JsonValue, missing: str) -> RunResult:
    return failed.model_copy(
        update={
            "status": RunStatus.PARTIAL,
            "output": output,
            "so_far": None,
            "failure": None,
            **lacking(failed, missing[:1000]),
        }
    )


def _is_halted(failed: RunResult) -> bool:
    """Whether a gate ended the run: nothing more of it is to be done."""
    return failed.failure is not None and failed.failure.kind is FailureKind.HALTED
