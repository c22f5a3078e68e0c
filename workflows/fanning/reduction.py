"""One answer of all: by a reducer's node, or by a pure function; a person breaks a tie where one is named."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunResult, RunStatus
    from workflows.fanning import prompts
    from workflows.fanning.outcome import Outcome
    from workflows.fanning.reducers import Reduced, collected, reduced
    from workflows.pattern_work import Ask, PartFailed, PatternWork
    from workflows.teams.kinds.fan_out import REDUCER
    from workflows.teams.references import declared
    from workflows.teams.tree import FanOutNode

VOTE = "vote.1"
"""The step in which a person breaks a tie. No branch is called so: a name has no dot."""


async def one_answer(work: PatternWork[FanOutNode], outcome: Outcome) -> JsonValue:
    """What is made of the answers.

    Raises:
        PartFailed: the reducer failed.
        CancelledError: the run was stopped.
    """
    node = work.node
    if node.reducer:
        result = await _by_node(work, outcome)
        if result.status is RunStatus.COMPLETE or result.output is not None:
            return result.output
        return together(work, outcome)  # it was left out
    made = reduced(node.reduce, outcome.answers, by=node.by, places=_places(node, outcome), first=outcome.first)
    if made.tied and (winner := await _decided(work, made)) is not None:
        return {**made.output, "winner": winner.output} if isinstance(made.output, dict) else made.output
    for remark in made.remarks:
        work.frame.decide(f"{node.name}: {remark}")
    work.missing += [f"branch {name}: {why}" for name, why in made.unused.items()]
    return made.output


def together(work: PatternWork[FanOutNode], outcome: Outcome) -> JsonValue:
    """The answers as they are."""
    return collected(outcome.answers, _places(work.node, outcome))


async def _by_node(work: PatternWork[FanOutNode], outcome: Outcome) -> RunResult:
    results: list[JsonValue] = [dict(answer.shown()) for answer in outcome.answers]
    missing = [*work.missing, *work.unwanted]
    part = work.parts[REDUCER]
    offered: dict[str, JsonValue] = {"results": results, "missing": list[JsonValue](missing)}
    inputs = {name: offered[name] for name in declared(part.node) if name in offered}
    prompt = prompts.for_reducer(work.goal, missing)
    result = await work.run(REDUCER, REDUCER, Ask(prompt=prompt, given=results, inputs=inputs, key=part.key))
    if result.status is RunStatus.FAILED:
        raise PartFailed(result)
    return result


async def _decided(work: PatternWork[FanOutNode], made: Reduced) -> RunResult | None:
    """What a person says of a tie; nothing where nobody is asked, or says no: then the first stands."""
    prompt = f"{work.goal}\n\nThe vote is tied. Which one is it?"
    ask = Ask(prompt=prompt, given=made.output, key="winner", reasons=made.remarks)
    return await work.decided(VOTE, ask, {"enum": list(made.tied)})


def _places(node: FanOutNode, outcome: Outcome) -> int | None:
    return None if node.each is None else len(outcome.slots)
