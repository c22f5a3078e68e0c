"""Whatever the team and whatever its model does: no bound is exceeded, and nothing stays open.

``GENERATED_TEAMS`` is the number of teams, 60 where absent.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from activities.contracts.budgets import COUNTED, Amounts
from activities.errors import ConfigurationInvalid
from tests.conftest import Bench, Workers, new_run_id
from tests.support.generated_teams import SLOWEST, Adversary, for_run, teams
from workers.admission import RunOrder, admit
from workers.executions import executions_of
from workers.runs import read_result, start_run
from workflows.contracts import RunInput, RunResult, RunStatus
from workflows.teams.bounds import longest_seconds
from workflows.teams.tree import AgentNode, Node, TeamSpec, walk
from workflows.teams.worst_case import worst_case

NUMBER = int(os.environ.get("GENERATED_TEAMS", "60"))
AT_ONCE = 8
ONE_CALL = SLOWEST + 4.0
"""Seconds that a run may take beyond its deadline: the slowest answer, a cancellation by heartbeat, a loaded machine."""


@dataclass(frozen=True)
class Ended:
    """One run."""

    spec: dict[str, Any]
    run: RunInput
    name: str
    result: RunResult
    seconds: float
    open: tuple[str, ...]
    model: Adversary


def generated(number: int) -> list[dict[str, Any]]:
    """The same teams each time; larger numbers begin alike."""
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=number, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(teams())
    def gather(team: dict[str, Any]) -> None:
        found.append(team)

    gather()
    return found


@pytest.mark.timeout(120 + NUMBER)
async def test_no_bound_is_exceeded_whatever_the_team_and_its_model_do(workers: Workers) -> None:
    model, at_once = Adversary(), asyncio.Semaphore(AT_ONCE)
    specs = generated(NUMBER)
    async with workers(model) as bench:

        async def one(number: int, spec: dict[str, Any]) -> Ended | None:
            async with at_once:
                return await ended(bench, model, spec, f"run{number}")

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number, spec)) for number, spec in enumerate(specs)]
    runs = [run for task in tasks if (run := task.result())]
    problems = [f"{problem}\n    {run.name}: {run.spec}\n    {run.result}" for run in runs for problem in wrong(run)]
    if problems:
        pytest.fail("\n".join([f"{len(problems)} problems, the first:", *problems[:5]]))
    assert len(runs) > len(specs) * 0.7, "most of the teams can be admitted"
    assert {run.result.status for run in runs} == set(RunStatus), "all ways of ending were seen"


async def ended(bench: Bench, model: Adversary, spec: dict[str, Any], name: str) -> Ended | None:
    """A run that has ended; nothing where the team is refused."""
    client = bench.deployment.client
    try:
        team = TeamSpec.model_validate(for_run(spec, name))
        run = await admit(bench.deployment, team, RunOrder(goal="Do one and two.", run_id=new_run_id()))
    except ConfigurationInvalid:
        return None
    handle = await start_run(client, run)
    try:
        async with asyncio.timeout(60):
            result = await read_result(handle)
    except TimeoutError:
        pytest.fail(f"{handle.id} does not end: {spec}")
    described = await handle.describe()
    assert described.close_time
    open_ = []
    for workflow_id, run_id in await executions_of(client, handle.id):
        state = await client.get_workflow_handle(workflow_id, run_id=run_id).describe()
        if state.close_time is None:
            open_.append(workflow_id)
    seconds = (described.close_time - described.start_time).total_seconds()
    return Ended(spec, run, name, result, seconds, tuple(open_), model)


def wrong(run: Ended) -> Iterator[str]:
    """What does not hold of a run."""
    team, root, used = run.run.team, run.run.team.root, Amounts.of(run.result.usage)
    if run.open:
        yield f"still open: {run.open}"
    if run.result.status is RunStatus.FAILED and run.result.failure is None:
        yield "a failed run without a failure"
    if run.result.failure and run.result.failure.kind == "internal":
        yield "an internal failure"
    most = worst_case(team, run.run.plans, root)
    for name in COUNTED:
        if getattr(used, name) > getattr(most, name) + 1e-9:
            yield f"{name}: {getattr(used, name)} used, the worst case is {getattr(most, name)}"
    if used.model_calls < asked(run, root):
        yield f"{asked(run, root)} model calls were made, and {used.model_calls} counted"
    for node in walk(root):
        yield from over_budget(run, node)
    longest = longest_seconds(team, root, run.run.tool_seconds)
    if run.seconds > longest + ONE_CALL:
        yield f"it took {run.seconds:.1f} s, {longest:g} s at most by its bounds"


def over_budget(run: Ended, node: Node) -> Iterator[str]:
    """What was asked of the provider for a node against its budget."""
    repeated = any(
        part.most > 1 and node in walk(part.node) for other in walk(run.run.team.root) for part in other.parts()
    )
    if node.budget is None or repeated:
        return  # a worker may be run several times, each with the whole of its budget
    calls, tokens = asked(run, node), sum(run.model.tokens[run.name, name] for name in agents(node))
    if node.budget.model_calls is not None and calls > node.budget.model_calls:
        yield f"{calls} model calls for a budget of {node.budget.model_calls}: {node.kind}"
    if node.budget.tokens is not None and tokens > node.budget.tokens:
        yield f"{tokens} tokens for a budget of {node.budget.tokens}: {node.kind}"


def asked(run: Ended, node: Node) -> int:
    return sum(run.model.calls[run.name, name] for name in agents(node))


def agents(node: Node) -> set[str]:
    return {inner.agent for inner in walk(node) if isinstance(inner, AgentNode)}
