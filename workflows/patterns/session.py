"""Session: one agent that people send messages to, across days and restarts (chat, conversational agent, assistant).

Use it where a person goes on asking. Not where the work is known in advance: a run has a result, a session has replies.

::

    send(message) ─▶ queue ─▶ agent loop on the thread ─▶ reply     one after the other, in order of arrival
                      ▲              │
                      └── the next ◀─┘ the last good version of the thread

Bounds: ``SessionSettings`` for the whole, the agent's limits for each message. On failure: the reply says so, and the
next message goes on from the last good version of the conversation; the workflow itself fails only where the session
cannot begin, is stopped, or is halted by a policy. Then the effects of the message under way are compensated; what was
answered stands. Messages: update ``send`` (its id is the message's id; answered once, and the same id gets the same answer
over every continue-as-new), signal ``end``. History: 4 events and a timer's 2 for a message, 6 a model or tool call;
continues as new between messages when long, and only when nobody waits for an answer.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.compensation import keep_standing
    from workflows.contracts import AgentState, RunResult, RunStatus, Task
    from workflows.failures import failure_of, stop_if_requested
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.nodes import run_node
    from workflows.progress import Board, Row
    from workflows.session_book import SessionBook, Waiting
    from workflows.session_checks import check_known, check_new
    from workflows.sessions import SessionInput, SessionMessage, SessionReply, message_path
    from workflows.step_context import StepContext
    from workflows.teams.tree import AgentNode, node_name

MAX_UPDATES = 1000
"""Messages of one execution before it continues as new: half of the updates that the server takes."""


@workflow.defn(name="session")
class SessionWorkflow:
    """A session with one agent."""

    @workflow.init
    def __init__(self, run: SessionInput) -> None:
        self._book = SessionBook(run, workflow.time())
        self._board = Board()
        self._agent = node_name(run.team.root)
        self._updates = 0

    @workflow.run
    async def run(self, run: SessionInput) -> RunResult:
        """Answer messages until somebody ends the session, nobody says anything, or a limit is reached.

        Raises:
            ApplicationError: the session could not begin; the type is the failure's kind.
        """
        # No ``finally``: what is evicted from a worker's memory, or continues as new, has nothing to tell anybody.
        try:
            result = await to_its_end(run, self._answer_all)
        except (Exception, asyncio.CancelledError) as error:
            why = f"it failed: {error.message}" if isinstance(error, ApplicationError) else "the session was stopped"
            await self._let_go(self._book.halted or why)
            raise
        await self._let_go(self._book.ended)
        return result

    @workflow.update(name="send")
    async def send(self, message: SessionMessage) -> SessionReply:
        """Take a message up and answer it when its turn comes; again what was answered, where the id was there before."""
        book, message_id = self._book, _message_id()
        self._updates += 1
        if message_id not in book.answered and all(waiting.message_id != message_id for waiting in book.queue):
            book.queue.append(Waiting(message_id, message.text))
        await workflow.wait_condition(lambda: message_id in book.answered)
        return book.answered[message_id]

    @send.validator
    def check(self, message: SessionMessage) -> None:
        """Refuse what cannot be answered; nothing of it enters history."""
        message_id = _message_id()
        if not check_known(self._book, message_id, message.text):
            check_new(self._book, message.text, turning_over=self._is_long(2))

    @workflow.signal(name="end")
    def end(self) -> None:
        """Take no more messages; those that wait are answered, then the session ends."""
        self._book.ended = self._book.ended or "somebody ended it"

    async def _let_go(self, why: str) -> None:
        """Whoever waits for an answer gets one, however the session ends."""
        self._book.ended = self._book.ended or why
        self._book.dismiss(why)
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _answer_all(self, frame: Frame) -> RunResult:
        book, agent, run = self._book, self._agent, frame.run
        assert isinstance(run, SessionInput)  # noqa: S101 -- what was given to ``run``, with its tools listed
        book.run = run
        if run.session:
            before = AgentState(usage=run.session.usage, turns=run.session.number)
            self._board.show(Row(path="earlier messages", agent=agent, status="answered", state=before))
        while not frame.halted and (book.queue or not book.ended):
            if book.queue:
                await self._answer(frame, book.queue[0])
                stop_if_requested()  # it may have been answered in spite of it
                await self._continue_when_long(frame)
            else:
                await self._wait()
        return book.result()

    async def _wait(self) -> None:
        book = self._book
        try:
            patience = timedelta(seconds=max(0.001, book.ends_at - workflow.time()))
            await workflow.wait_condition(lambda: bool(book.queue or book.ended), timeout=patience)
        except TimeoutError:
            book.close_when_over(workflow.time())

    async def _answer(self, frame: Frame, waiting: Waiting) -> None:
        book = self._book
        path = message_path(self._agent, book.number + 1)
        task = Task(prompt=waiting.text, thread=book.thread)
        own = replace(Frame.of(book.run_of_message()), board=self._board, run_judge=frame.run_judge)
        try:
            result = await run_node(StepContext(own, path), AgentNode(agent=self._agent), task)
        except Exception as error:
            stop_if_requested()
            result = RunResult(status=RunStatus.FAILED, failure=failure_of(error, agent=self._agent, step=path))
        finally:
            if workflow.in_workflow():  # not thrown away by a worker
                frame.note(decisions=own.decisions, done=own.done)
                frame.unlisted += own.unlisted
        book.active_at = workflow.time()
        book.settle(waiting, result, self._agent)
        if own.halted:
            book.halted = f"it was halted: {own.halted.message}"
            book.ended = book.halted
            frame.halt(own.halted)
        else:
            book.unlisted_effects += keep_standing(frame)
        book.close_when_over(workflow.time())

    async def _continue_when_long(self, frame: Frame) -> None:
        """Continue as new where the history is long and nobody waits for an answer: an update ends where it began."""
        book = self._book
        if not self._is_long(1) or book.queue or book.ended:
            return
        await workflow.wait_condition(workflow.all_handlers_finished)
        if book.queue or book.ended:
            return
        state = book.state()
        # ``state`` says to everything else that this is no beginning.
        held = {"decisions": tuple(frame.decisions), "unlisted": dict(frame.unlisted), "done": tuple(frame.done)}
        again = {"session": state, "state": AgentState(thread=state.thread, usage=state.usage, **held)}
        workflow.continue_as_new(book.run.model_copy(update=again))

    def _is_long(self, times: int) -> bool:
        """Whether the history is so many times as long as it should be."""
        info = workflow.info()
        most = times * self._book.run.max_history_events
        return (
            info.get_current_history_length() > most
            or self._updates >= MAX_UPDATES * (1 + times) // 2
            or (times == 1 and info.is_continue_as_new_suggested())
        )


def _message_id() -> str:
    info = workflow.current_update_info()
    return info.id if info else ""
