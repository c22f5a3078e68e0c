"""Supervisor: decompose, dispatch to specialists, follow up, synthesise, verify (orchestrator-workers, manager).

Use it where a goal falls into parts that different workers can do side by side, and one answer is wanted. Not where the
parts depend on each other's results (a plan), or where one agent with tools can do it all.

::

                 ┌─▶ worker ─┐
    goal ─▶ decompose ─▶ worker ─▶ results ─▶ synthesis ─▶ review ─▶ gate ─▶ output
                 ▲ └─▶ worker ─┘     │            ▲                    │
                 └──── follow-up ────┘            └──── correction ────┘

Decomposition is the team's (``subtasks``), a tool's (``split``) or an agent's (``planner``). Bounds: rounds, subtasks,
attempts, time, and the limits of every agent. On failure: a subtask is tried again, re-routed, or given up with a reason
that the synthesis and the result name (the run is partial then); a failed decomposition, synthesis or gate fails the
run, and so does its own budget where it gives out (unless ``on_breach`` says ``partial``), and a run of which every
subtask was given up (unless a call synthesises: it can say so itself). ``escalate``: the person does a subtask that was
given up, decomposes or writes where nobody else can, and has the last word on a draft that the gate does not let through.
Messages: none. History: 6 events a call of an inline worker, 9 a worker that is a workflow of its own; it continues as new
between rounds.
"""

import math

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.phases import PhaseClock
    from workflows.supervision.decomposition import Decomposition
    from workflows.supervision.dispatch import Dispatcher
    from workflows.supervision.lead import Lead, told_by_subtask
    from workflows.supervision.memory import Memory, remembered
    from workflows.supervision.subtasks import what_is_there
    from workflows.supervision.verification import Verification
    from workflows.teams.tree import SupervisorNode


@workflow.defn(name="supervisor")
class SupervisorWorkflow:
    """A supervisor and its workers."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Work on the goal to the end.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, SupervisorNode, _work)


async def _work(work: PatternWork[SupervisorNode]) -> JsonValue:
    clock = PhaseClock.of(work.frame, work.node)
    # ``seconds`` are those of the rounds: what comes after them has its own bounds.
    work.deadline = math.inf if clock.synthesis is None else clock.synthesis
    lead = Lead(work, work.node, clock)
    decomposition, dispatcher, verification = Decomposition(lead), Dispatcher(lead), Verification(lead)
    before = Memory.read(work.memory)
    done, work.missing, decomposition.thread = before.subtasks, before.missing, before.thread
    work.so_far = what_is_there(done)
    with told_by_subtask(work):
        for round_number in range(before.next_round, work.node.rounds + 1):
            subtasks = await decomposition.subtasks(round_number, done)
            if not subtasks:
                break
            done += subtasks
            await dispatcher.dispatch(subtasks)
            work.so_far = what_is_there(done)
            lead.check_budget(done)
            if work.is_long:
                work.continue_if_long(remembered(round_number + 1, done, work.missing, decomposition.thread))
        lead.check_any(done)
        return await verification.output(done)
