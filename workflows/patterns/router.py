"""Router: one classification, one destination (routing, triage, intent dispatch, switch).

Use it where inputs are of kinds that different parts of the team handle, and each goes to exactly one of them. Not where
several have to work on the same input (a fan-out or a supervisor), or where one agent with all tools does as well.

::

    input ─▶ rules ──────────────────────────────┬─▶ destination ─▶ output
               │ none holds                      │   destination
               └─▶ classifier ─ sure ────────────┤   destination
                       └─ not sure ─▶ default, ──┘
                                      or a person

Bounds: at most one call of the classifier and one run of one destination, within ``seconds``. On failure: a classifier
that fails, or answers with a label that there is not, counts as not sure, and the default or the person of ``escalate``
decides; with neither the router fails, as does a destination that fails and that nothing stands in for (its node's
``fallback``, then the person). A destination that is left out leaves no output. Messages: none. History: what the
classifier and the destination take; rules cost nothing.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.routing.label import label_of
    from workflows.teams.tree import RouterNode


@workflow.defn(name="router")
class RouterWorkflow:
    """A router and the destination that it finds."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Find the label, and run what belongs to it.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, RouterNode, _work)


async def _work(work: PatternWork[RouterNode]) -> JsonValue:
    label = await label_of(work)
    if work.is_late:
        raise work.too_late(f"its destination {label!r} was not begun")
    ask = Ask(given=work.given, inputs={"label": label}, key=label)
    return await work.answer(f"routes.{label}.node", f"to-{label}", ask)
