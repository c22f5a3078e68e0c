"""One answer of all: by a reducer's node, or by a pure function; a person breaks a tie where one is named."""

import json

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import MAX_TEXT
    from activities.contracts.grants import Verdict
    from workflows.contracts import RunResult, RunStatus
    from workflows.cutting import cut
    from workflows.fanning import prompts
    from workflows.fanning.outcome import Outcome
    from workflows.fanning.reducers import Reduced, collected, reduced
    from workflows.needs import as_text
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.teams.kinds.fan_out import REDUCER
    from workflows.teams.references import declared
    from workflows.teams.tree import FanOutNode

MAX_TALLY = MAX_TEXT // 8
"""Characters of the votes that a person is shown."""
VOTE = "vote.1"
"""The step in which a person breaks a tie. No branch is called so: a name has no dot."""


async def one_answer(work: PatternWork[FanOutNode], outcome: Outcome) -> JsonValue:
    """What is made of the answers.

    Raises:
        PartFailed: the reducer failed, or whoever was asked to break a tie did not.
        CancelledError: the run was stopped.
    """
    node = work.node
    if node.reducer:
        result = await _by_node(work, outcome)
        if result.status is RunStatus.COMPLETE or result.output is not None:
            return result.output
        return together(work, outcome)  # it was left out
    made = reduced(node.reduce, outcome.answers, by=node.by, places=_places(node, outcome), first=outcome.first)
    if made.tied and (decided := await _decided(work, made)) is not None:
        return decided
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


async def _decided(work: PatternWork[FanOutNode], made: Reduced) -> JsonValue:
    """The vote as a person decides a tie; nothing where nobody is asked, or may be left out: then the first stands.

    Raises:
        PartFailed: the person said no, or nothing in time.
    """
    tally = cut(json.dumps(made.output, ensure_ascii=False), MAX_TALLY, "the tally")
    prompt = (
        f"{work.goal}\n\nThe vote is tied: {tally}\n\nWhich one is it? The input is the first in the order of branches."
    )
    ask = Ask(prompt=prompt, given=made.tied[0], draft=True, key="winner", reasons=made.remarks)
    said = await work.asked(VOTE, ask, {"enum": list(made.tied)})
    if said is None or not isinstance(made.output, dict):
        return None
    if said.status is RunStatus.FAILED:
        raise PartFailed(said)
    who = _who(work, said)
    work.frame.decide(f"{work.node.name}: the vote was tied, and {who} decided for {as_text(said.output)[:200]}")
    return {**made.output, "winner": said.output, "tied": False, "decided_by": who}


def _who(work: PatternWork[FanOutNode], said: RunResult) -> str:
    """The person who decided; ``fallback`` where something stands in for one."""
    name = work.node.escalate.name if work.node.escalate else ""
    own = (one.by for one in said.decisions if one.tool == name and one.verdict is not Verdict.BLOCK)
    return "fallback" if said.owner else next(own, "fallback")


def _places(node: FanOutNode, outcome: Outcome) -> int | None:
    return None if node.each is None else len(outcome.slots)
