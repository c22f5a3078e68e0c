"""What a place of a pattern wants answered: people are asked for it, and whatever does not fit is a failure."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ContractViolated
    from activities.input_contracts import input_problems
    from activities.schema_example import example
    from workflows.contracts import RunResult, RunStatus
    from workflows.failures import failure_of
    from workflows.teams.tree import Part, PersonNode, node_name

N = TypeVar("N")


def answering(node: N, part: Part) -> N:
    """The node as it stands in this place: a person is asked for what the place wants answered."""
    if isinstance(node, PersonNode) and node.answer is None and part.answers is not None:
        return node.model_copy(update={"answer": part.answers})
    return node


def checked(part: Part, result: RunResult) -> RunResult:
    """The result, failed where it does not answer what its place wants. An agent's was looked at before."""
    if part.answers is None or result.status is RunStatus.FAILED or result.output is None:
        return result
    problems: Sequence[str] = input_problems(result.output, part.answers)
    if not problems:
        return result
    shown = example(part.answers)
    error = ContractViolated(
        f"the {part.node.kind} {node_name(part.node)!r} ({part.place}) does not answer what its place wants:"
        f" {problems[0]}",
        fix=f"let it return JSON such as {shown}" if shown else "let it return what the pattern's documentation says",
    )
    failure = failure_of(error, agent="", step=part.place)
    return result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": failure})


def both(part: Part, accept: Callable[[RunResult], RunResult]) -> Callable[[RunResult], RunResult]:
    """What a place makes of a result, and then whoever asked."""
    return lambda result: accept(checked(part, result))
