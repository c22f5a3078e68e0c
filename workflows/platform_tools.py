"""The platform's own tools at work: ``transfer`` and ``read_state`` are answered here, from what the workflow holds.

So are calls of an agent that has no tools: none of them can be made. They cost no activity and no event. Their answers go into the next turn as they are, beside those of real tools.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict, Field, ValidationError

    from activities.contracts.base import INLINE_BYTES
    from activities.contracts.messages import ToolCall, ToolMessage
    from workflows import transfers
    from workflows.agent_work import AgentWork
    from workflows.needs import as_text, known
    from workflows.teams.platform import READ_STATE, TRANSFER, own_tools
    from workflows.transfers import Transfer

PART = INLINE_BYTES // 4
"""Characters of a value that one answer holds: four bytes each at most, and the answer stays inline in history."""


class _TransferArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str = Field(max_length=64)
    reason: str = Field(min_length=1, max_length=4000)


class _ReadArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=64)
    start: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class Answered:
    """What came of one call of a platform tool."""

    message: ToolMessage
    transfer: Transfer | None = None
    """The step goes on with somebody else; the message is for where it does not."""


def answered_here(work: AgentWork, call: ToolCall) -> bool:
    """Whether a call is one of a platform tool that the agent has, or of an agent that has no other tools."""
    return _is_platform(work, call) or not own_tools(work.spec)


def _is_platform(work: AgentWork, call: ToolCall) -> bool:
    if call.tool == TRANSFER:
        return bool(work.spec.transfers_to)
    return call.tool == READ_STATE and READ_STATE in work.spec.tools


def answer(work: AgentWork, call: ToolCall, *, beside: Sequence[ToolCall]) -> Answered:
    """Answer a call; ``beside`` are all calls of the same turn."""
    if not _is_platform(work, call):
        return _error(call, f"You have no tool {call.tool[:64]!r}, and no others that work: answer without.")
    try:
        if call.tool == TRANSFER:
            return _transfer(work, call, _TransferArguments.model_validate_json(call.arguments or "{}"), beside)
        return _read(work, call, _ReadArguments.model_validate_json(call.arguments or "{}"))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors()[:5])
        return _error(call, f"The arguments do not fit: {problems}."[:1000])


def _transfer(work: AgentWork, call: ToolCall, arguments: _TransferArguments, beside: Sequence[ToolCall]) -> Answered:
    if len(beside) > 1:
        # Nobody would ever see what the other calls have returned.
        return _error(call, "The task was not handed on: look at the other tools' answers first, and call this alone.")
    transfer = Transfer(call.tool_call_id, arguments.to, " ".join(arguments.reason.split()))
    if rejection := transfers.refusal(work.step, work.agent, transfer):
        transfers.note_refusal(work.step, rejection)
        return _error(call, f"The task was not handed on: {rejection.message}.")
    return Answered(_message(call, "handed on"), transfer)


def _read(work: AgentWork, call: ToolCall, arguments: _ReadArguments) -> Answered:
    values, key, start = known(work.step), arguments.key, arguments.start
    if key not in values:
        return _error(call, f"The state has no key {key!r}. Its keys: {', '.join(sorted(values)[:50]) or 'none'}.")
    task = work.step.task
    if task and task.handoff and key in task.handoff.given and start == 0:
        _asked_again(work)
    text = as_text(values[key])
    part, end = text[start : start + PART], start + PART
    more = f"\n[characters {start:,} to {end:,} of {len(text):,}; go on with start={end}]" if end < len(text) else ""
    return Answered(_message(call, part + more))


def _asked_again(work: AgentWork) -> None:
    """The receiver asked for what it had been given: noted at its handoff."""
    *others, last = work.state.handoffs or (None,)
    if last is not None:
        work.update(handoffs=(*others, last.model_copy(update={"asked_again": last.asked_again + 1})))


def _error(call: ToolCall, text: str) -> Answered:
    return Answered(_message(call, text).model_copy(update={"is_error": True}))


def _message(call: ToolCall, text: str) -> ToolMessage:
    clean = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair breaks whatever carries it
    return ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, text=clean)
