"""Small plans for tests, and models that play their parts. Tasks and goals name their case (``tests.support.cases``)."""

from collections.abc import Callable
from typing import Any

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest, HumanDecision
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench
from tests.support.cases import Cases, Play, agents
from tests.support.people import until_asked
from tests.support.scripted import says, says_json
from workers.runs import read_result
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec

PERSON = {"kind": "person", "name": "chief", "asking": {"people": ["nora"], "seconds": 60}}
FIND, WRITE = {"kind": "agent", "agent": "finder"}, {"kind": "agent", "agent": "writer"}
JUDGE, BOSS = {"kind": "agent", "agent": "judge"}, {"kind": "agent", "agent": "boss"}


def task(case: str, name: str, *after: str, executor: str = "find", **fields: Any) -> dict[str, Any]:
    return {"task_id": name, "executor": executor, "task": f"[{case}] do {name}", "after": list(after), **fields}


def team(*tasks: dict[str, Any], around: Callable[[Any], Any] | None = None, more: Any = None, **plan: Any) -> TeamSpec:
    root = {
        "kind": "plan",
        "name": "work",
        "executors": {"find": {"node": FIND, "description": "Finds."}, "write": {"node": WRITE}},
        **({"tasks": list(tasks)} if tasks else {"planner": BOSS}),
        **plan,
    }
    known = {**agents("finder", "writer", "judge", "boss", "editor"), **(more or {})}
    whole = {"team": "t", "agents": known, "root": around(root) if around else root}
    return TeamSpec.model_validate(whole, extra="forbid")


def doing(*broken: str, met: Callable[[str], bool] = lambda _: True, plans: tuple[Any, ...] = ()) -> Play:
    """Executors that say what they did, unless the task's name is among ``broken``; a judge; a planner."""
    made = iter(plans)

    def script(name: str, call: ProviderCall) -> ProviderAnswer:
        said = call.messages[-1].text
        if name == "judge":
            return says_json({"met": met(said), "reason": "it is what it is"})
        if name == "boss":
            plan = next(made)
            return says(plan) if isinstance(plan, str) else says_json({"tasks": plan})
        if any(f" do {one}" in said.partition("\n")[0] for one in broken) and name == "finder":
            raise AuthenticationFailed("no key", fix="set one")
        return says(f"{name} did {(said.partition('do ')[2].split() or ['all'])[0]}")

    return script


def failed_of(result: RunResult) -> FailureKind | None:
    return result.failure.kind if result.failure else None


def paths(result: RunResult) -> list[str]:
    return sorted(step.step.removeprefix("work/") for step in result.steps)


def told(cases: Cases, case: str, what: str) -> str:
    """The prompt of the step that did this task, the last one."""
    return [c.messages[-1].text for _, c in cases.calls[case] if f"[{case}] do {what}" in c.messages[-1].text][-1]


async def run_asked(bench: Bench, case: str, spec: TeamSpec, answer: Any = None) -> RunResult:
    """Run a plan to its end; the person that it asks gives this answer."""
    handle = await bench.start(spec, f"[{case}] The goal.")
    if answer is not None:
        (asked,) = await until_asked(bench.deployment.client, handle.id)
        decision = DecideRequest(by="nora", choice=Choice.ANSWER, answer=answer)
        update = bench.deployment.client.get_workflow_handle(asked.task_id)
        await update.execute_update("decide", decision, result_type=HumanDecision)
    return await read_result(handle)
