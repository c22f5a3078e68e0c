"""Human task: a question that waits for a person, for as long as it takes (approval, human in the loop, human as a tool).

Use it through ``workflows.people.ask_person``, or as the step ``kind: person``. Not where a rule could decide: that is
the gate's.

::

    recorded? ─ yes ─▶ decision
        │ no
        ▼
    open ─▶ reminder ─▶ escalation ─▶ deadline ─▶ default, or failure
      └───────── update decide ─────────▶ decision ─▶ record

Bounds: ``Asking.seconds``, at most 100 reminders. On failure: ``deadline_exceeded`` where nobody decided and there is no
default. Messages: update ``decide`` (checked before it is accepted; the same update id gets the same answer), query
``task``. History: about 25 events, 5 more for each reminder. While it waits nothing of a worker is held but its cache.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.people import (
        BY_DEFAULT,
        HUMAN_TASK,
        Asking,
        Choice,
        DecideRequest,
        DecisionRecord,
        HumanDecision,
        HumanTask,
        HumanTaskView,
    )
    from activities.errors import DeadlineExceeded, to_application_error
    from workflows import steps
    from workflows.failures import failure_of
    from workflows.human_checks import check_decision
    from workflows.human_text import details_of
    from workflows.human_view import asked, decision_of, default_of, next_change, view_of
    from workflows.progress import record_failure

RECORD_SECONDS = 10.0
"""How long a run that is being stopped waits for the record of what a person has decided."""


@workflow.defn(name=HUMAN_TASK)
class HumanTaskWorkflow:
    """One question to people."""

    @workflow.init
    def __init__(self, task: HumanTask) -> None:
        self._task = task
        self._opened_at = workflow.info().workflow_start_time.timestamp()
        self._decision: HumanDecision | None = None

    @workflow.run
    async def run(self, task: HumanTask) -> HumanDecision:
        """Wait for a decision; the recorded one where the lineage has one that still holds.

        Raises:
            ApplicationError: ``deadline_exceeded``: nobody decided, and there is no default.
        """
        found = (await steps.find_decision(self._record())).decision
        if found:
            return found.model_copy(update={"from_record": True})
        await self._wait()
        decision = self._decision or default_of(task, self._view())
        if decision is None:
            raise self._nobody_decided()
        self._decision = decision
        if decision.by != BY_DEFAULT or decision.choice is not Choice.REJECT:
            # That nobody was there is no answer: a run that is resumed after it asks again.
            decision = await self._recorded(decision)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return decision

    @workflow.update(name="decide")
    async def decide(self, request: DecideRequest) -> HumanDecision:
        """Take a decision. It holds from here on, whatever happens to workers and servers."""
        self._decision = decision_of(self._task, self._view(), request, workflow.time())
        return self._decision

    @decide.validator
    def check(self, request: DecideRequest) -> None:
        """Refuse what cannot be taken; nothing of it enters history."""
        check_decision(self._task, self._view(), request, workflow.time())

    @workflow.query(name="task")
    def show(self) -> HumanTaskView:
        """What is asked, and how it stands."""
        return self._view()

    def _view(self) -> HumanTaskView:
        return view_of(self._task, workflow.info().workflow_id, self._opened_at, workflow.time(), self._decision)

    async def _wait(self) -> None:
        """Until somebody decides, or the deadline: reminders and the escalation change what the UI shows."""
        asking = self._task.asking or Asking()
        while self._decision is None:
            view, now = self._view(), workflow.time()
            workflow.set_current_details(details_of(view, standing=True))
            if now >= view.deadline:
                return
            patience = timedelta(seconds=max(0.001, next_change(view, asking, now) - now))
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self._decision is not None, timeout=patience)

    def _nobody_decided(self) -> BaseException:
        who = ", ".join((self._task.asking or Asking()).people) or "anybody"
        error = DeadlineExceeded(
            f"nobody decided in time ({who[:200]}): {' '.join(self._task.question.split())[:200]}",
            fix="give people more time (asking.seconds), a default, or somebody to escalate to; then resume the run",
        )
        record_failure(error.detail())
        return to_application_error(error)

    async def _recorded(self, decision: HumanDecision) -> HumanDecision:
        """What is on record: another run of the lineage may have asked the same, and was answered first."""
        record = asyncio.create_task(steps.record_decision(self._record(decision)))
        try:
            found = (await asyncio.shield(record)).decision
        except asyncio.CancelledError:
            # The run is stopped: a person's decision is kept for the one that goes on from here.
            with suppress(Exception):
                await asyncio.wait_for(asyncio.shield(record), RECORD_SECONDS)
            raise
        except Exception as error:
            detail = failure_of(error, agent="", step=self._task.key.path)
            workflow.logger.warning("a decision was not recorded: %s", detail.message)
            return decision
        return found or decision

    def _record(self, decision: HumanDecision | None = None) -> DecisionRecord:
        task = self._task
        return DecisionRecord(key=task.key, asked=asked(task), now=workflow.time(), decision=decision)
