"""Network: peers on topics, without a coordinator (swarm, choreography, publish-subscribe, actors, event-driven agents).

Use it where who has to act next depends on what was found, and several may have to: each peer says what it hears of, and
none has to know the others. Not where the order is known (a pipeline, a plan), or where one has to see the whole to decide
what is done next (a supervisor): nobody here does.

::

    start ─▶ event ─▶ topics ─┬─▶ mailbox ─▶ peer ─┬─▶ events ─▶ topics ─▶ ...
                              ├─▶ mailbox ─▶ peer  ├─▶ goal event ─▶ output
                              └─▶ group ─▶ one     └─▶ ask ─▶ mailbox of a peer ─▶ answer ─▶ the same peer goes on

An event goes to one peer (``to``), to all that subscribe to its type, and of the subscribers of one group to one. It ends
when nothing is left to do, at its goal event (what is at work then is ended), or at a limit. Bounds: ``max_events``,
``max_hops``, ``max_asks``, ``max_parallel``, ``seconds``, and 2 MiB of events. A question that would close a circle of peers
that wait for each other is refused, and whoever asked goes on without its answer. On failure: a peer that failed on an event
and for whom nothing stands in (its node's ``fallback``, then ``escalate``) fails the network; one that is not critical, or was
skipped, sends nothing, and the result names it. At a limit the result is partial and says what was left, or the run fails
with ``limit_exceeded`` or ``deadline_exceeded`` (``at_limit``). Messages: none. History: what its steps take, none for an
event or a wait; continues as new when it is long and no step is under way.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult
    from workflows.networking.exchange import Exchange
    from workflows.networking.outcome import output_of
    from workflows.networking.peers import Peers
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.teams.tree import NetworkNode


@workflow.defn(name="network")
class NetworkWorkflow:
    """A network of peers."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Let the peers work until nothing is left to do.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, NetworkNode, _work)


async def _work(work: PatternWork[NetworkNode]) -> JsonValue:
    exchange = Exchange(work.node, work.memory)
    work.frame.events_now = lambda: exchange.memory.reports(work.frame.path)
    if work.memory is None:
        exchange.begin(work.goal, work.given, work.frame.path, workflow.time())
    try:
        await Peers(work, exchange).work()
        return await output_of(work, exchange)
    finally:
        if work.so_far is None:
            work.so_far = [event.payload for event in exchange.undelivered]
        exchange.close()
        work.frame.note_events(work.frame.events_now())
        work.frame.events_now = tuple
