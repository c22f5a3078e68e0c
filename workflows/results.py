"""Puts results together: usage by agent, artifacts with unique names, what is missing."""

from collections.abc import Iterable, Sequence
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.artifacts import ArtifactRef
    from activities.contracts.budgets import Amounts
    from activities.contracts.effects import MAX_LISTED_EFFECTS, EffectReport
    from activities.contracts.failures import FailureDetail
    from activities.contracts.grants import Verdict
    from activities.contracts.steps import Usage
    from workflows.contracts import MAX_LOG, AgentUsage, DecisionReport, RunResult, RunStatus, StepReport
    from workflows.frame import MAX_NOTES, Frame
    from workflows.keeping import is_plain_effect, kept, unlisted_decisions
    from workflows.lacking import as_told, lacking, listed

OUTCOME = ("status", "output", "so_far", "thread", "owner", "short", "failure")
"""The fields that say what a result comes to; all others add up."""
MAX_STEPS, MAX_AGENTS, MAX_ARTIFACTS = 2000, 200, 1000
_BLOCKED = frozenset({Verdict.BLOCK, Verdict.HALT})


def of_steps(steps: Iterable[StepReport], **fields: Any) -> RunResult:
    """A result made of these steps; ``fields`` are the others of ``RunResult``, cut to their bounds."""
    steps = tuple(steps)
    fields.setdefault("agents", by_agent(steps))
    fields |= listed(fields.get("missing", ()), fields.get("unlisted", 0))
    fields["artifacts"] = unique(fields.get("artifacts", ()))
    return RunResult(steps=steps[-MAX_STEPS:], **fields)


def together(results: Iterable[RunResult], **fields: Any) -> RunResult:
    """The sum of results: their steps, usage, artifacts and what they miss; ``fields`` on top."""
    results = tuple(results)
    missing = [line for result in results for line in result.missing] + list(fields.pop("missing", ()))
    return of_steps(
        (step for result in results for step in result.steps),
        usage=sum((result.usage for result in results), Usage()),
        artifacts=[artifact for result in results for artifact in result.artifacts],
        effects=sum(result.effects for result in results),
        agents=merged(agent for result in results for agent in result.agents),  # steps may have been cut
        missing=missing,
        unlisted=sum(result.unlisted for result in results),
        **fields,
    )


def cut_short(frame: Frame, failure: FailureDetail) -> RunResult:
    """What a workflow has come to that is ended before it has a result. Its account knows what it has used."""
    result = together(frame.results, status=RunStatus.FAILED, failure=failure)
    left = frame.account.used - Amounts.of(sum((one.usage for one in frame.beside), result.usage))
    rest = Usage(
        unsettled_tokens=left.tokens, cost_usd=left.cost_usd, model_calls=left.model_calls, tool_calls=left.tool_calls
    )
    return result.model_copy(update={"usage": result.usage + rest})


def of_the_run(frame: Frame, result: RunResult) -> RunResult:
    """What a workflow returns: with all that its frame holds. The root's says too how the input was read."""
    run = frame.run
    done, unlisted = _listed(frame.done)
    notes = unlisted_decisions(frame.unlisted)
    whole = with_beside(frame, result).model_copy(
        update={
            "state": tuple(frame.state.commits),
            "handoffs": tuple(frame.handoffs),
            "decisions": tuple(frame.decisions),
            "log": tuple(frame.log[-MAX_LOG:]),
            "events": tuple(frame.events),
            "done": done,
            "short": run.task.payer if run.task and frame.grant and frame.grant.breached else "",
            **lacking(result, *unlisted),
            "notes": (*result.notes, *frame.notes, *notes)[-MAX_NOTES:],
        }
    )
    if run.task is not None:
        return whole
    return whole.model_copy(
        update={
            "missing": as_told((*run.missing, *whole.missing), whole.unlisted),
            "notes": (*run.notes, *whole.notes, *changed_by_monitors(whole.decisions))[-MAX_NOTES:],
        }
    )


def changed_by_monitors(decisions: Iterable[DecisionReport]) -> tuple[str, ...]:
    """A sentence on the actions that monitors, or whom they asked, have blocked or edited; none where they let all pass.

    Whoever reads an output has to know that it is not all that there was to say.
    """
    said: dict[tuple[str, str], set[Verdict]] = {}
    for one in decisions:
        if one.monitor:
            said.setdefault((one.step, one.ordinal), set()).add(one.verdict)
    blocked = sum(not verdicts.isdisjoint(_BLOCKED) for verdicts in said.values())
    edited = sum(Verdict.EDIT in verdicts and verdicts.isdisjoint(_BLOCKED) for verdicts in said.values())
    told = [f"{count:,} {word}" for count, word in ((blocked, "blocked"), (edited, "edited")) if count]
    return (f"actions changed by monitors: {', '.join(told)}; `ostinato show` lists them",) if told else ()


def with_beside(frame: Frame, result: RunResult) -> RunResult:
    """The result with what was done beside the workflow's steps: its steps and what they used."""
    if not frame.beside:
        return result
    total = together([result, *frame.beside], status=result.status)
    return result.model_copy(update={name: getattr(total, name) for name in ("steps", "usage", "agents")})


def _listed(done: Sequence[EffectReport]) -> tuple[tuple[EffectReport, ...], tuple[str, ...]]:
    """As many effects as are listed, and a sentence on the others."""
    told, rest = kept(done, MAX_LISTED_EFFECTS, is_plain_effect)
    return tuple(told), (f"{len(rest):,} more effects were made than are listed",) if rest else ()


def by_agent(steps: Iterable[StepReport]) -> tuple[AgentUsage, ...]:
    """Usage by agent, the dearest first."""
    return merged(AgentUsage(agent=s.agent, steps=1, tokens=s.tokens, cost_usd=s.cost_usd) for s in steps)


def merged(parts: Iterable[AgentUsage]) -> tuple[AgentUsage, ...]:
    """The same agent's parts added up, the dearest first."""
    found: dict[str, AgentUsage] = {}
    for part in parts:
        have = found.get(part.agent, AgentUsage(agent=part.agent, steps=0))
        found[part.agent] = AgentUsage(
            agent=part.agent,
            steps=have.steps + part.steps,
            tokens=have.tokens + part.tokens,
            cost_usd=have.cost_usd + part.cost_usd,
        )
    return tuple(sorted(found.values(), key=lambda a: (-a.cost_usd, -a.tokens, a.agent))[:MAX_AGENTS])


def unique(artifacts: Iterable[ArtifactRef]) -> tuple[ArtifactRef, ...]:
    """One file a name: the last that was written."""
    return tuple({artifact.name: artifact for artifact in artifacts}.values())[-MAX_ARTIFACTS:]
