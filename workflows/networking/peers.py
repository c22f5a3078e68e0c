"""Peers at work: each on one event, some side by side, until nothing is left to do.

The failure this prevents: peers that wait for each other for ever, and work that nobody waits for any more. Only steps are
under way; whoever waits for an answer waits as data, and takes nobody's place.
"""

import asyncio
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from workflows.contracts import RunResult, RunStatus
    from workflows.failures import stop_if_requested
    from workflows.networking import prompts
    from workflows.networking.exchange import Exchange
    from workflows.networking.memory import Turn
    from workflows.networking.topics import slug
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.teams.tree import AgentNode, NetworkNode


class Peers:
    """The peers of one network."""

    def __init__(self, work: PatternWork[NetworkNode], exchange: Exchange) -> None:
        self._work, self._exchange = work, exchange
        self._at_work: dict[str, asyncio.Task[RunResult]] = {}
        self._turns: dict[str, Turn] = {}
        self._begun = False

    async def work(self) -> None:
        """Work on events until none is left, the goal event comes, or a limit is reached. Nothing is under way then.

        Raises:
            PartFailed: a peer failed that the network cannot do without.
            ContinueAsNewError: the history is long; let it pass.
            CancelledError: the run was stopped.
        """
        try:
            while self._exchange.goal is None:
                stop_if_requested()
                self._begin()
                if not self._at_work:
                    break
                await workflow.wait(self._at_work.values(), return_when=asyncio.FIRST_COMPLETED)
                for peer in [peer for peer, task in self._at_work.items() if task.done()]:
                    self._note(peer, self._at_work.pop(peer).result())
        finally:
            await self._leave()

    def _begin(self) -> None:
        """Let free peers begin, as many as may be at work."""
        if self._work.is_late or self._work.frame.halted:
            return
        ready = self._exchange.ready(self._at_work)
        if self._begun and self._work.is_long:  # it drains; every execution does something before it is left behind
            if ready and not self._at_work:
                self._work.continue_if_long(self._exchange.memory.model_dump(mode="json"))
            return
        for peer, turn in ready:
            if len(self._at_work) >= self._work.node.max_parallel:
                return
            if not self._exchange.may_begin(turn):  # the one before it was the last
                continue
            self._turns[peer], self._begun = self._exchange.take(peer), True
            self._at_work[peer] = asyncio.ensure_future(self._run(peer, self._turns[peer]))

    async def _run(self, peer: str, turn: Turn) -> RunResult:
        return await self._work.run(f"peers.{peer}.node", _step(peer, turn, self._exchange), self._ask(peer, turn))

    def _ask(self, peer: str, turn: Turn) -> Ask:
        node, event, told = self._work.node, self._exchange.event(turn), turn.told
        spec, prompt, given = node.peers[peer], "", event.payload
        left = node.max_asks - turn.number + 1
        remembers = told is not None and turn.thread is not None and isinstance(spec.node, AgentNode)
        if told and remembers:
            prompt, given = prompts.for_answer(told, left), told.answer
        else:
            prompt = prompts.for_event(self._work.goal, node, peer, event, is_question=turn.letter.is_question)
            prompt = prompts.with_answer(prompt, told, left) if told else prompt
        inputs: dict[str, JsonValue] = {
            "event": event.told(),
            "payload": event.payload,
            "answer": told.answer if told else None,
        }
        ask = Ask(prompt, given, inputs, key=spec.node.key or peer)
        return replace(ask, thread=turn.thread) if remembers else ask

    def _note(self, peer: str, result: RunResult) -> None:
        turn, exchange, work = self._turns.pop(peer), self._exchange, self._work
        if result.status is RunStatus.FAILED:
            if work.is_late and result.failure and result.failure.kind is FailureKind.DEADLINE_EXCEEDED:
                exchange.give_back(peer, turn)
                return
            exchange.leave(peer, turn)
            raise PartFailed(result)
        step, now, output = work.frame.step(_step(peer, turn, exchange)).path, workflow.time(), result.output
        turn = turn.model_copy(update={"thread": result.thread, "told": None})
        if isinstance(output, dict) and output.get("ask") and turn.number <= work.node.max_asks:
            if refused := exchange.asked(peer, turn, output, step=step, now=now):
                work.frame.decide(f"a question of {peer} was not asked: {refused}")
        else:
            if isinstance(output, dict) and output.get("ask"):
                work.frame.decide(f"a question of {peer} was not asked: max_asks={work.node.max_asks} is reached")
            exchange.ended(peer, turn, output, step=step, now=now)

    async def _leave(self) -> None:
        """End what is still under way: it has no use any more. What it has used is in the results."""
        for peer, task in self._at_work.items():
            self._exchange.leave(peer, self._turns[peer])
            about = self._exchange.event(self._turns[peer])
            self._work.frame.decide(f"{peer} was ended in its work on {about.event_type} {about.event_id}")
            task.cancel()
        await asyncio.gather(*self._at_work.values(), return_exceptions=True)
        self._at_work.clear()


def _step(peer: str, turn: Turn, exchange: Exchange) -> str:
    """The name of a turn's step: the peer's, then the event's."""
    name = f"{peer}/{slug(exchange.event(turn).event_id)}"
    return name if turn.number == 1 else f"{name}.{turn.number}"
