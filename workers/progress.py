"""What happened in a workflow, read from its history alone: calls with their place in the tree, and nested workflows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext

from activities.contracts.effects import MAX_PREVIEW, EffectOutcome
from activities.contracts.messages import ThreadRef
from activities.contracts.people import HUMAN_TASK, HumanDecision, HumanTask
from activities.contracts.steps import StepKey, Usage
from workflows.contracts import RunInput

Kind = Literal["model", "tool", "call", "workflow"]
_KINDS: dict[str, Kind] = {"model.call": "model", "tool.call": "tool"}
_Read = TypeVar("_Read", bound=BaseModel)
_TOLD = {
    "ask": "needs a person's yes",
    "blocked": "not allowed",
    "halt": "not allowed",
    "not_done": "not done",
    "timed_out": "failed, out of time",
}
_list = TypeAdapter(list[JsonValue])


@dataclass(frozen=True)
class Progress:
    """One thing that happened in a run."""

    what: str
    """The one-line summary of the call, such as ``researcher: turn 2``; a workflow's type."""
    state: str
    """``started``, ``retrying`` (an attempt failed, another follows), ``retried`` (as ``retrying``, learnt at the end),
    ``done`` or ``failed``."""
    detail: str = ""
    """What went wrong, where something did."""
    path: str = ""
    """Where in the tree."""
    step: str = ""
    """The call's ordinal in its step, such as ``t3.c0``; empty for a workflow."""
    kind: Kind = "call"
    tool: str = ""
    """The tool, where it is the call of one."""
    at: float = 0.0
    """Server time, seconds since 1970."""
    milliseconds: int = 0
    """From its start to its end, waits and retries included."""
    tokens: int = 0
    cost_usd: float = 0.0
    usage: Usage = field(default_factory=Usage)
    """What an ended call used, as its agent counts it."""
    thread: ThreadRef | None = None
    """The conversation after a call of a model."""
    is_answer: bool = False
    """It ends its step, as far as can be told before the step's result is known."""
    is_refused: bool = False
    """A check found fault with the answer: another turn follows, or the step fails."""
    workflow_id: str = ""
    activity_id: str = ""
    attempt: int = 0
    arguments: str = ""
    """The start of what a tool was called with, as JSON."""
    said: str = ""
    """The start of what it answered."""
    request_id: str = ""
    """What it was given as the name of its effect, where it has one."""
    error: str = ""
    """The kind of error that a tool answered with: its call ended well, and yet nothing came of it."""

    @property
    def told(self) -> str:
        """The state as people are told it."""
        return _TOLD.get(self.error, "failed") if self.error and self.state == "done" else self.state


@dataclass(frozen=True)
class Child:
    """A nested workflow that has begun."""

    workflow_id: str
    run_id: str


class _Tool(BaseModel):
    tool: str = ""
    arguments: str = ""


class _Request(BaseModel):
    """What of a call's request is of interest."""

    key: StepKey
    call: _Tool = _Tool()
    purpose: str = "answer"
    check: bool = False


class _Decision(BaseModel):
    """What of the gate's word on a call is of interest."""

    verdict: str = ""
    reason: str = ""


class _Response(BaseModel):
    """What of a call's response is of interest."""

    usage: Usage = Usage()
    thread: ThreadRef | None = None
    text: str = ""
    tool_calls: list[JsonValue] = []
    problems: list[JsonValue] = []
    error: str | None = None
    arguments: str = ""
    request_id: str = ""
    kept_for: str = ""
    calls: int = 1
    decision: _Decision | None = None

    @property
    def not_made(self) -> "_Decision | None":
        """The gate's word, where nothing was done and there is no answer either."""
        return self.decision if self.decision and self.decision.verdict in {"ask", "halt"} else None


class HistoryReader:
    """Reads one workflow's events in their order, over all its executions."""

    def __init__(self, client: Client, workflow_id: str) -> None:
        context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
        self._converter = client.data_converter.with_context(context)
        self._id = workflow_id
        self._path = workflow_id.replace("~", "/").partition("/")[2]  # human tasks have ``~`` in their ids
        self._type = "workflow"
        self._begun = 0.0
        self._open: dict[int, Progress] = {}
        self._checks: set[int] = set()
        """Those of the calls under way that check an answer."""
        self._refused: dict[str, str] = {}
        """Path to the newest of its turns whose answer a check found fault with."""
        self.children: list[Child] = []
        """Nested workflows that have begun; whoever follows them takes them out."""

    def call_of(self, activity_id: str) -> Progress | None:
        """The call under way that the server knows by this id."""
        return next((call for call in self._open.values() if call.activity_id == activity_id), None)

    async def read(self, event: HistoryEvent) -> Progress | None:
        """What an event tells; most tell nothing."""
        if self._type == HUMAN_TASK and "_ACTIVITY_" in EventType.Name(event.event_type):
            return None  # records: nothing that anybody waits for
        progress = await self._read(event)
        if progress is None:
            return None
        return replace(progress, at=_seconds(event), workflow_id=self._id, path=progress.path or self._path)

    async def _read(self, event: HistoryEvent) -> Progress | None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                return await self._start(event)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                return await self._schedule(event)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                # Written when the call ends: the server keeps retries out of history.
                begun = event.activity_task_started_event_attributes
                call = self._open.get(begun.scheduled_event_id)
                if call is None or begun.attempt == 1:
                    return None
                detail = f"attempt {begun.attempt - 1}: {await self.message_of(begun.last_failure)}"
                return replace(call, state="retried", detail=detail, attempt=begun.attempt, is_answer=False)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                return await self._complete(event)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                failed = event.activity_task_failed_event_attributes
                return self._end(event, failed.scheduled_event_id, await self.message_of(failed.failure))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                late = event.activity_task_timed_out_event_attributes
                return self._end(event, late.scheduled_event_id, await self.message_of(late.failure))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
                stopped = event.activity_task_canceled_event_attributes
                return self._end(event, stopped.scheduled_event_id, "stopped")
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                execution = event.child_workflow_execution_started_event_attributes.workflow_execution
                self.children.append(Child(execution.workflow_id, execution.run_id))
                return None
            case _:
                return await self._close(event)

    async def _start(self, event: HistoryEvent) -> Progress | None:
        self._open.clear()
        self._checks.clear()
        if self._begun:
            return None  # it continued as new
        started = event.workflow_execution_started_event_attributes
        self._begun, self._type = _seconds(event), started.workflow_type.name
        if not self._path:
            run = await self._decode(started.input.payloads, RunInput)
            self._path = run.own_path if run else started.workflow_type.name
        waits = await self._decode(started.input.payloads, HumanTask) if self._type == HUMAN_TASK else None
        return Progress(self._type, "started", _waits_for(waits, self._id) if waits else "", kind="workflow")

    async def _schedule(self, event: HistoryEvent) -> Progress:
        scheduled = event.activity_task_scheduled_event_attributes
        kind = _KINDS.get(scheduled.activity_type.name, "call")
        request = await self._decode(scheduled.input.payloads, _Request) if kind != "call" else None
        call = Progress(
            await self._summary(event.user_metadata.summary) or scheduled.activity_type.name,
            "started",
            path=request.key.path if request else self._path,
            step=request.key.step if request else scheduled.activity_id,
            kind=kind,
            tool=request.call.tool if request else "",
            arguments=request.call.arguments[:MAX_PREVIEW] if request else "",
            is_answer=request is not None
            and (request.key.step == "t1" if kind == "tool" else request.purpose == "answer"),
            activity_id=scheduled.activity_id,
            at=_seconds(event),
        )
        self._open[event.event_id] = call
        if request is not None and request.check:
            self._checks.add(event.event_id)
        return replace(call, is_answer=False)

    async def _complete(self, event: HistoryEvent) -> Progress:
        completed = event.activity_task_completed_event_attributes
        call = self._open.get(completed.scheduled_event_id)
        is_check = completed.scheduled_event_id in self._checks
        ended = self._end(event, completed.scheduled_event_id)
        known = call is not None and call.kind != "call"
        response = await self._decode(completed.result.payloads, _Response) if known else None
        if response is None:
            return ended
        kept = f"the run {response.kept_for} goes on from it" if response.kept_for else ""
        kept = response.not_made.reason if response.not_made else kept
        ended = replace(ended, detail=f"answered with an error: {response.error}" if response.error else kept)
        if is_check:
            return self._checked(ended, response)
        return replace(
            ended,
            tokens=response.usage.tokens,
            cost_usd=response.usage.cost_usd,
            usage=response.usage if ended.kind == "model" else Usage(tool_calls=response.calls),
            thread=response.thread,
            said=response.text[:MAX_PREVIEW],
            request_id=response.request_id,
            error=response.error
            or (response.not_made.verdict if response.not_made else EffectOutcome.KEPT.value if kept else ""),
            arguments=response.arguments or ended.arguments,
            is_answer=bool(call and call.is_answer)
            and not (response.tool_calls or response.problems or response.error),
        )

    def _checked(self, ended: Progress, response: _Response) -> Progress:
        """A check that has ended. All checks of a turn are made, and the answer stands where none finds fault."""
        turn = ended.step.partition(".")[0]
        if response.error or not _is_empty_list(response.text):
            self._refused[ended.path] = turn
            return replace(ended, is_refused=True)
        refused = self._refused.get(ended.path) == turn
        return replace(ended, is_answer=not refused, is_refused=refused)

    def _end(self, event: HistoryEvent, scheduled: int, problem: str = "") -> Progress:
        call = self._open.pop(scheduled, Progress("call", "started", at=_seconds(event)))
        self._checks.discard(scheduled)
        spent = round((_seconds(event) - call.at) * 1000)
        state = "failed" if problem else "done"
        return replace(call, state=state, detail=problem, milliseconds=spent, is_answer=False)

    async def _close(self, event: HistoryEvent) -> Progress | None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
                state, detail = "done", ""
                if self._type == HUMAN_TASK:
                    result = event.workflow_execution_completed_event_attributes.result
                    said = await self._decode(result.payloads, HumanDecision)
                    detail = f"{said.choice} by {said.by}" if said else ""
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
                failure = event.workflow_execution_failed_event_attributes.failure
                state, detail = "failed", await self.message_of(failure)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
                state, detail = "failed", "its time was over"
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED | EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
                state, detail = "failed", "stopped"
            case _:
                return None
        spent = round((_seconds(event) - self._begun) * 1000)
        return Progress(self._type, state, detail, kind="workflow", milliseconds=spent)

    async def message_of(self, failure: Failure) -> str:
        """What a failure says; where failures are coded, it is decoded."""
        if failure.HasField("encoded_attributes"):
            try:
                error = await self._converter.decode_failure(failure)
            except Exception:  # a codec of the deployment, of which nothing is known
                return failure.message
            return str(getattr(error, "message", error))
        return failure.message

    async def _summary(self, summary: Payload) -> str:
        """The call's one-line summary; empty where it cannot be read from here."""
        try:
            if summary.metadata.get("encoding") == b"json/plain":
                return str(json.loads(summary.data))
            return str((await self._converter.decode([summary], [str]))[0]) if summary.metadata else ""
        except Exception:  # as above
            return ""

    async def _decode(self, payloads: Sequence[Payload], kind: type[_Read]) -> _Read | None:
        """The first payload; None where it cannot be read from here: no codec, a blob that is gone, another version."""
        try:
            decoded: list[Any] = await self._converter.decode(payloads[:1], [kind])
            return kind.model_validate(decoded[0])
        except Exception:  # as above
            return None


def is_end(progress: Progress) -> bool:
    """Whether a workflow ended with this."""
    return progress.kind == "workflow" and progress.state in {"done", "failed"}


def _waits_for(task: HumanTask, task_id: str) -> str:
    """What a human task waits for, and how it is decided."""
    who = ", ".join(task.asking.people)[:100] if task.asking else ""
    return f"{who or 'a person'}: {' '.join(task.question.split())[:200]} (ostinato decide {task_id})"


def _is_empty_list(text: str) -> bool:
    try:
        return not _list.validate_json(text)
    except ValidationError:
        return False


def _seconds(event: HistoryEvent) -> float:
    return event.event_time.seconds + event.event_time.nanos / 1e9
