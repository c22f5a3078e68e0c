"""Hierarchy: a director, managers below it, workers below them (hierarchical teams, nested orchestrators).

Use it where a goal is too large for one planner: each tier splits its own part, and only summaries come back up. Not where
one planner can overlook the work (a supervisor, a third of the calls), and not to give agents titles.

::

                    ┌─▶ manager ─▶ ...              ┌─▶ worker ─┐
    goal ─▶ planner ├─▶ manager ─▶ its part ─▶ planner ─▶ worker ─▶ results ─▶ summary ─┐
                    └─▶ manager ─▶ ...              └─▶ worker ─┘                       │
               output ◀─ summary ◀─ summaries ◀─────────────────────────────────────────┘

Each manager is a hierarchy of its own, one tier less deep, in a child workflow. It is told its part and nothing of what is
above it; so are its workers. Bounds: ``max_depth`` tiers, hierarchies among the workers included (a deeper tree is refused,
nothing is cut), ``max_subtasks`` of each tier, attempts, and ``seconds``, of which each tier keeps a fifth for its summary.
On failure: as a supervisor's. What a worker cannot do its manager gives up, with a reason that the summary names; a manager
that fails is tried again or given up by the tier above; a failed planner or summary fails its tier, and all assignments
given up fail it too. ``escalate``: the person is asked on every tier. Messages: none. History: 9 events a manager.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.errors import ConfigurationInvalid
    from workflows.contracts import RunInput, RunResult
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.phases import PhaseClock
    from workflows.supervision.decomposition import Decomposition
    from workflows.supervision.dispatch import Dispatcher
    from workflows.supervision.lead import Lead, told_by_subtask
    from workflows.supervision.subtasks import what_is_there
    from workflows.supervision.verification import Verification
    from workflows.teams.kinds.hierarchy import tiers_in
    from workflows.teams.tree import HierarchyNode


@workflow.defn(name="hierarchy")
class HierarchyWorkflow:
    """One tier of a hierarchy, with all below it."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Split the task, pass the parts down, and send a summary up.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, HierarchyNode, _work)


async def _work(work: PatternWork[HierarchyNode]) -> JsonValue:
    node = work.node
    _check_depth(node)
    lead = Lead(
        work, node.top, PhaseClock.sharing(work.frame.started_at, work.deadline), node.place_of, tells_goal=False
    )
    with told_by_subtask(work):
        assignments = await Decomposition(lead).subtasks(1, ())
        await Dispatcher(lead).dispatch(assignments)
        work.so_far = what_is_there(assignments)
        lead.check_budget(assignments)
        lead.check_any(assignments)
        return await Verification(lead).output(assignments)


def _check_depth(node: HierarchyNode) -> None:
    """Refuse a tree that is too deep, also where nobody has checked it before.

    Raises:
        ConfigurationInvalid: it has more tiers than it may have.
    """
    deep = node.above + tiers_in(node.model_copy(update={"fallback": None}))
    if deep > node.max_depth:
        raise ConfigurationInvalid(
            f"the hierarchy {node.name!r} is {deep} tiers deep, more than max_depth={node.max_depth}",
            fix=f"take a tier out, or raise max_depth to {deep}",
        )
