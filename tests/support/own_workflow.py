"""Workflows of one's own for tests."""

import asyncio

from pydantic import JsonValue
from temporalio import workflow

from workflows.own import RunInput, RunResult, StepFailed, Steps, to_its_end


@workflow.defn(name="tested_pattern")
class TestedPattern:
    """Does what its arguments say."""

    __test__ = False

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        return await to_its_end(run, self._work)

    async def _work(self, steps: Steps) -> JsonValue:
        match steps.arguments.get("do"):
            case "all":
                note = await steps.call_model("a", "Say something.", given={"on": steps.goal})
                more = await steps.call_model("a", "And more?", thread=note.thread)
                echoed = await steps.call_tool("echo", {"text": "$goal"})
                return [(await steps.run_node("b", given=more.output)).output, echoed.output]
            case "side by side":
                made = await asyncio.gather(*(steps.run_node("a", f"part {n}") for n in range(3)))
                return [result.output for result in made]
            case "one fails":
                await asyncio.gather(steps.run_node("b"), steps.call_tool("explode", {"what": "it"}))
            case "catch":
                try:
                    await steps.call_tool("explode", {"what": "it"})
                except StepFailed as failed:
                    return str(failed)
            case "for ever":
                while True:
                    await steps.run_node("a")
            case "wait":
                await asyncio.sleep(3600)
            case "slip":
                return dict(steps.arguments)["nothing"]
            case "nowhere":
                await steps.run_node("aa")
        return None
