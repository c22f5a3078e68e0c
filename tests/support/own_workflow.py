"""Workflows of one's own for tests."""

import asyncio
from typing import cast

from pydantic import JsonValue
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.similarity import Similarity
    from workflows.alike import groups
    from workflows.similarity import compare

from workflows.own import RunInput, RunResult, StepFailed, Steps, to_its_end


@workflow.defn(name="tested_pattern")
class TestedPattern:
    """Does what its arguments say."""

    __test__ = False

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        return await to_its_end(run, self._work)

    async def _work(self, steps: Steps) -> JsonValue:
        return await DEEDS[str(steps.arguments["do"])](steps)


async def _relay(steps: Steps) -> JsonValue:
    return (await steps.run_node("a")).output


async def _all(steps: Steps) -> JsonValue:
    note = await steps.call_model("a", "Say something.", given={"on": steps.goal})
    more = await steps.call_model("a", "And more?", thread=note.thread)
    echoed = await steps.call_tool("echo", {"text": "$goal"})
    return [(await steps.run_node("b", given=more.output)).output, echoed.output]


async def _side_by_side(steps: Steps) -> JsonValue:
    made = await asyncio.gather(*(steps.run_node("a", f"part {n}") for n in range(3)))
    return [result.output for result in made]


async def _one_fails(steps: Steps) -> JsonValue:
    await asyncio.gather(steps.run_node("b"), steps.call_tool("explode", {"what": "it"}))
    return None


async def _catch(steps: Steps) -> JsonValue:
    try:
        await steps.call_tool("explode", {"what": "it"})
    except StepFailed as failed:
        return str(failed)
    return None


async def _for_ever(steps: Steps) -> JsonValue:
    while True:
        await steps.run_node("a")


async def _wait(steps: Steps) -> JsonValue:
    await asyncio.sleep(3600)
    return steps.goal


async def _slip(steps: Steps) -> JsonValue:
    return dict(steps.arguments)["nothing"]


async def _nowhere(steps: Steps) -> JsonValue:
    return (await steps.run_node("aa")).output


async def _swallow(steps: Steps) -> JsonValue:
    while True:
        try:
            await steps.run_node("a")
        except Exception:
            continue


async def _swallow_all(steps: Steps) -> JsonValue:
    while True:
        try:
            await steps.run_node("no such node")
        except (Exception, asyncio.CancelledError):
            continue


async def _result(steps: Steps) -> JsonValue:
    return await steps.call_tool("echo", {"text": "x"})  # type: ignore[return-value] # what it is about


async def _tuple(steps: Steps) -> JsonValue:
    return {"pair": [(steps.goal, 1)]}  # type: ignore[list-item] # what it is about


async def _nan(steps: Steps) -> JsonValue:
    return [steps.steps_left, float("nan")]


async def _compare(steps: Steps) -> JsonValue:
    similarity = Similarity.model_validate(steps.arguments["similarity"])
    values = list(cast("list[JsonValue]", steps.arguments["values"]))
    seconds = cast("float | None", steps.arguments.get("within"))
    end = None if seconds is None else workflow.time() + seconds
    compared = await compare(steps.frame.step(), similarity, values, end=end)
    steps._work.results.append(compared.result)
    if again := steps.arguments.get("again"):
        compared = await compare(steps.frame.step(), similarity, list(cast("list[JsonValue]", again)), number=2)
        steps._work.results.append(compared.result)
    failure = compared.result.failure
    return {
        "cosines": [list[JsonValue](row) for row in compared.cosines],
        "groups": [list[JsonValue](group) for group in groups(compared.cosines, similarity.threshold)],
        "failure": failure.kind.value if failure else "",
    }


DEEDS = {
    "relay": _relay,
    "compare": _compare,
    "swallow": _swallow,
    "swallow all": _swallow_all,
    "result": _result,
    "tuple": _tuple,
    "nan": _nan,
    "all": _all,
    "side by side": _side_by_side,
    "one fails": _one_fails,
    "catch": _catch,
    "for ever": _for_ever,
    "wait": _wait,
    "slip": _slip,
    "nowhere": _nowhere,
}
