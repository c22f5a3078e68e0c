"""Refine: a writer and an editor take turns until the criteria hold (evaluator-optimizer, reflection, critique and revise).

Use it where quality can be told from a draft, and saying what is wrong is easier than writing it right. Not where a program
can check the answer (an agent with checks in its contract costs less), or where one draft is good enough.

::

    goal ─▶ writer ─▶ draft ─▶ editor ─▶ accepted ─▶ output
              ▲                  │ problems
              ├──────────────────┤
              └─ shift ◀─ stuck, or too many drafts        iterations ─▶ person ─▶ best so far, or failure

The problems go back on the writer's own conversation; after a shift (temperature, persona, tier) a new one begins with the
last draft and its problems. Bounds: ``iterations``, ``seconds``, and the limits of both. On failure: a writer or an editor
that failed for good, and for whom nobody of ``escalate`` answers, fails the run, unless the time was over. After the last
iteration ``escalate`` decides (approve, edit, answer; a no fails the run); without one, and where the time was over so that
nobody can be asked, the best draft is a partial result, or the run fails with ``limit_exceeded`` (``at_cap``). A draft whose
editor was left out (``critical: false``, ``skip``) is not judged: it ranks below all others, and nothing more is written, as
nobody said what to change. So it ends too where the writer was left out, or is stuck and has no shift left. A comparison that
fails counts only what is the same to the letter. Messages: none. History: what its steps take, 6 events a comparison from
the third draft on; continues as new between two iterations.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from activities.errors import LimitExceeded
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.refining import prompts
    from workflows.refining.drafts import Draft, Drafts
    from workflows.teams.tree import RefineNode


@workflow.defn(name="refine")
class RefineWorkflow:
    """A writer and an editor."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Write and judge until a draft is accepted.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, RefineNode, _work)


async def _work(work: PatternWork[RefineNode]) -> JsonValue:
    drafts, node = Drafts(work), work.node
    try:
        while len(drafts.made) < node.iterations and not work.is_late:
            draft = await drafts.next()
            if draft and draft.accepted:
                return draft.value
            last = len(drafts.made) == node.iterations
            if draft is None or not draft.judged or last or not await drafts.gets_on():
                break
            work.continue_if_long(drafts.memory)
    except PartFailed:
        if not work.is_late or not drafts.made:
            raise
    best = drafts.best
    if best is None:
        if work.is_late:
            raise work.too_late("there is no draft")
        return None  # the writer was left out
    return await _without_consent(work, best, len(drafts.made))


async def _without_consent(work: PatternWork[RefineNode], best: Draft, count: int) -> JsonValue:
    """What comes of drafts none of which was accepted."""
    said = f"no draft was accepted; the best of {count} is draft {best.number}, " + (
        f"with score {best.score:g}" if best.judged else "which was not judged"
    )
    ask = Ask(prompts.for_person(work.goal, count), best.value, reasons=(*best.problems[:10], said), draft=True)
    answer = await work.asked("cap", ask)
    if answer and answer.status is not RunStatus.FAILED:
        return answer.output
    if answer and answer.failure and answer.failure.kind is FailureKind.NOT_ALLOWED:
        raise PartFailed(answer)
    if answer and answer.failure:
        work.missing.append(f"nobody decided on the drafts: {answer.failure.message}"[:1000])
    if work.node.at_cap == "fail":
        raise LimitExceeded(
            f"{said}: {next(iter(best.problems), 'no reason was given')}"[:600],
            fix=f"raise iterations of {work.node.name!r}, mend its writer or its criteria, or let at_cap be best",
        )
    work.missing.append("; ".join([said, *best.problems])[:1000])
    work.frame.decide(said)
    return best.value
