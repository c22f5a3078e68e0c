"""Fan-out: independent branches side by side (scatter-gather, map-reduce, parallelisation: sectioning, voting, racing).

Use it where parts do not need each other's results: the same question to several agents, the same step for each item of a
list. Not where the parts are to be found first (a supervisor), depend on each other (a plan), or should hear each other (a
debate); and where code does the step, one call with the whole list is cheaper.

::

              ┌─▶ branch ─┐
    goal ─────┼─▶ branch ─┼─▶ enough answers ─▶ reduce ─▶ output
     or items └─▶ branch ─┘    (or all)  │
                                         └─▶ late ones are ended, and named

Bounds: ``max_branches`` items (a longer list is refused), ``max_parallel`` at work, ``branch_seconds`` for all branches and
``seconds`` for the whole; ``at_least`` answers are waited for. On failure: with ``at_least: all`` a branch that failed is
named as missing and the result is partial; where none answers the fan-out fails, though all may be left out. With fewer than all it fails as soon as
so many cannot come any more; once they are there the result is complete, and names who failed or was late. A late branch is
ended, no fallback stands in for it, and what it had used is counted; what it had done to the world stands. A reducer that fails
fails the run. ``escalate``: a branch that failed for good goes to a person, who holds no place of those at work (where not
all are waited for: only if too few are there), and so does a tied vote: a no fails it. A race that is resumed is a new race
for those that had not answered: they are begun again, effects included, and ended again. Messages: none. History: what its branches take; it does not continue as new, since its
400 branches fit.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult
    from workflows.fanning.branches import Branches
    from workflows.fanning.reduction import one_answer, together
    from workflows.fanning.slots import slots_of
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.teams.tree import FanOutNode


@workflow.defn(name="fan_out")
class FanOutWorkflow:
    """A fan-out and its branches."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Run the branches, and make one answer of theirs.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, FanOutNode, _work)


async def _work(work: PatternWork[FanOutNode]) -> JsonValue:
    branches = Branches(work, slots_of(work))
    outcome = await branches.run()
    lost = list(outcome.losses())
    if outcome.races and outcome.is_enough:
        work.unwanted += lost  # they were not waited for
    else:
        work.missing += lost
    work.frame.decide(f"{work.node.name}: {outcome.count}{''.join(f'; {line}' for line in lost)}")
    work.so_far = together(work, outcome) if outcome.answers else None
    branches.check_enough()
    return await one_answer(work, outcome)
