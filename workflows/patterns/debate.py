"""Debate: independent answers, rounds of arguments, votes, a judge (multi-agent debate, LLM council, majority vote).

Use it where a question can be answered in more than one way, and a wrong answer costs more than several. Not where one agent
is mostly right already, where documents settle it (a check costs less), or for parts of one job (a supervisor).

::

             ┌─▶ debater ─┐              ┌── all votes and reasons ──┐
    question ┼─▶ debater ─┼─▶ votes ─▶ agreed? ── no ─▶ next round ──┘
             └─▶ debater ─┘              │ yes, or no round left
                                         └─▶ too far apart? ─ yes ─▶ person ─▶ judge ─▶ output
                                                   └──────── no ─────────────────┘

In the first round nobody is shown anything of the others. The output is ``{answer, position, agreement, votes, minority,
rounds, decided_by}``: the judge's answer (the position itself without a judge), the position that holds, the share of the votes
cast for the strongest one, the last round's votes, those against the position with their reasons (they are in the run's state
too, as ``minority``), each round in short, and ``agreement``, ``votes`` (the most of them; between as many the surer ones) or
``person``, or ``fallback`` where something stood in for a person who said nothing.

Bounds: ``rounds``, ``seconds``, and the limits of every debater. On failure: a debater that failed abstains in that round, and
the result is partial and names it; its fallback may vote in its place. Where all abstain of themselves, or all fail, no further
round is held. Where all abstain, fewer than ``quorum`` vote, or more than ``max_disagreement`` are against the strongest
position, ``escalate`` decides; without a decision the debate fails: as its debaters did where all failed, with ``contract_violated``
where nobody has a position, else with ``limit_exceeded``; a person's no fails it with ``not_allowed``. Where its time runs out
before a later round has ended, the votes of the one before it count, and the result is partial. Where nobody knows what a
debater has done, ``escalate`` is asked for its vote; without one the debate fails with ``outcome_unknown``. A failed judge
goes to ``escalate``, and fails the debate without an answer. A comparison of positions that fails counts only what is the
same to the letter, and the result notes it. Messages: none. History: what its steps take, 6 events a round in which free texts
differ; continues as new between two rounds.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult
    from workflows.debating import prompts
    from workflows.debating.outcome import Outcome, decide, keep_minority, so_far
    from workflows.debating.rounds import Rounds
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.teams.tree import DebateNode


@workflow.defn(name="debate")
class DebateWorkflow:
    """Debaters and a judge."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Let them vote, argue and vote again, and make one answer of it.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, DebateNode, _work)


async def _work(work: PatternWork[DebateNode]) -> JsonValue:
    rounds, node = Rounds(work), work.node
    work.so_far = so_far(rounds)
    while not rounds.are_over and not work.is_late:
        await rounds.next()
        work.so_far = so_far(rounds)
        if not rounds.are_over:
            work.continue_if_long(rounds.memory)
    outcome = await decide(work, rounds)
    keep_minority(work, outcome.minority(rounds))
    work.so_far = outcome.output(rounds)
    if node.judge is None:
        return work.so_far
    answer = await work.answer("judge", "judge", _for_judge(work, rounds, outcome))
    return outcome.output(rounds, answer)


def _for_judge(work: PatternWork[DebateNode], rounds: Rounds, outcome: Outcome) -> Ask:
    last, minority = rounds.held[-1], outcome.minority(rounds)
    inputs: dict[str, JsonValue] = {
        "input": work.given,
        "votes": prompts.as_values(last.votes),
        "rounds": [held.shown() for held in rounds.held],
        "position": outcome.position,
        "minority": prompts.as_values(minority),
    }
    prompt = prompts.for_judge(work.goal, last, outcome.position, minority, outcome.told)
    aim = prompts.for_judges(work.goal, outcome.position)
    material = {name: inputs[name] for name in ("input", "position", "votes", "minority")}
    return Ask(prompt, work.given, inputs, goal=aim, material=material)
