"""Transfers: an agent hands its step on to another agent, which goes on in its place (handoff, agents that hand off).

The failure this prevents: agents pass a task round in a circle. A step never returns to an agent that had it before, at any
length; who tries reads why as the tool's answer, and has to go on itself. The sender lets go only when the receiver has
taken the step, in its first activity: a rejection comes back to the sender the same way. A transfer costs no event of its
own; the next owner's deadline is a timer, as that of every agent's step is.
"""

from dataclasses import dataclass, replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import MAX_TEXT
    from activities.contracts.grants import Verdict
    from activities.contracts.handoffs import MAX_LISTED, MAX_OWNERS, Handoff, Rejection, RejectionReason
    from activities.contracts.messages import ToolMessage, UserMessage
    from activities.contracts.steps import Usage
    from workflows.contracts import AgentState, DecisionReport, Ownership, StepReport, Task
    from workflows.step_context import StepContext
    from workflows.teams.platform import TRANSFER

MAX_SUMMARY = 4000
"""Characters of what the next owner is told of the work so far."""
MAX_REPORTS = 20
"""Handoffs of one step that are listed, the last ones."""


@dataclass(frozen=True)
class Transfer:
    """An agent's wish to hand its step on."""

    call_id: str
    """The tool call that says so."""
    to: str
    reason: str


def owner_of(step: StepContext, agent: str, state: AgentState) -> tuple[StepContext, str]:
    """The step as its owner has it, and the owner: after a transfer its keys lie below the step's own path."""
    own = state.ownership
    if own is None:
        return step, agent
    task = step.task or Task(prompt=step.run.goal)
    gone = state.started_at - own.started_at
    left = None if task.seconds is None else max(0.001, task.seconds - gone)
    task = task.model_copy(update={"handoff": own.handoff, "seconds": left})
    return replace(step, path=f"{step.path}/to/{own.owner}", task=task), own.owner


def refusal(step: StepContext, agent: str, transfer: Transfer) -> Rejection | None:
    """Why a step cannot be handed on to that agent; nothing: it can.

    Args:
        step: as its owner has it.
        agent: its owner.
        transfer: what the owner wants.
    """
    path, target = _path(step, agent), _identity(step, transfer.to)
    if transfer.to not in step.run.team.agents[agent].transfers_to or transfer.to not in step.run.plans:
        known = ", ".join(step.run.team.agents[agent].transfers_to)
        return Rejection(
            reason=RejectionReason.CYCLE, message=f"{transfer.to!r} is nobody you may transfer to; those are: {known}"
        )
    if target in path:
        return Rejection(
            reason=RejectionReason.CYCLE,
            message=f"{transfer.to!r} had this task before, and a task never goes back; go on with it yourself",
        )
    if len(path) >= MAX_OWNERS:
        return Rejection(
            reason=RejectionReason.DEPTH,
            message=f"the task had {MAX_OWNERS} owners already; go on with it yourself",
        )
    return None


def note_refusal(step: StepContext, rejection: Rejection) -> None:
    """A refused transfer is a decision of the gate."""
    report = DecisionReport(
        step=step.path, tool=TRANSFER, verdict=Verdict.BLOCK, by="ownership", reason=rejection.message
    )
    step.frame.note(decisions=[report])


def handed_on(step: StepContext, agent: str, state: AgentState, transfer: Transfer, report: StepReport) -> AgentState:
    """The state with which the next owner begins: its own limits, the same budget, and what was found so far.

    Args:
        step: as the owner before has it.
        agent: the owner before.
        state: where that one stands.
        transfer: to whom, and why.
        report: that one's part.
    """
    frame, now = step.frame, workflow.time()
    frame.decide(f"{agent} handed {step.path} on to {transfer.to}: {transfer.reason}")
    before, own = step.task.handoff if step.task else None, state.ownership
    summary = "\n".join(
        filter(None, [before.summary if before else "", f"{agent}: {transfer.reason}", state.last_text])
    )[-MAX_SUMMARY:]
    handoff = (before or Handoff(task_id=step.path, goal=step.run.goal[:2000])).model_copy(
        update={
            "task_id": step.path,
            "owner": _identity(step, transfer.to),
            "path": _path(step, agent),
            "version": frame.state.version,
            "decisions": tuple(dict.fromkeys((*(before.decisions if before else ()), *frame.log)))[-MAX_LISTED:],
            "summary": summary,
            "offered_at": now,
        }
    )
    prompt = step.task.prompt if step.task else step.run.goal
    told = f"This task was handed on to you by {agent}. What was found so far:\n{summary}"
    return AgentState(
        thread=step.task.thread if step.task else None,  # where a conversation goes on, it does so with the next owner
        append=(UserMessage(text=f"{prompt[: MAX_TEXT - len(told) - 2]}\n\n{told}"),),
        effects=state.effects,
        done=state.done,
        artifacts=state.artifacts,
        handoffs=state.handoffs,
        started_at=now,
        ownership=Ownership(
            owner=transfer.to,
            handoff=handoff,
            before=(*(own.before if own else ()), report),
            usage=state.total,
            started_at=own.started_at if own else state.started_at,
        ),
    )


def handed_back(state: AgentState, transfer: Transfer, rejection: Rejection, tried: AgentState) -> AgentState:
    """The sender's state where the receiver does not take the step: the rejection is the answer to its call.

    Args:
        state: the sender's, as it was.
        transfer: what it wanted.
        rejection: what the receiver said.
        tried: the receiver's state: its handoffs, and attempts that were lost.
    """
    text = f"{transfer.to!r} does not take the task: {rejection.message}. Go on with it yourself."
    return state.model_copy(
        update={
            "append": (refused_call(transfer.call_id, text),),
            "tool_errors": state.tool_errors + 1,
            "usage": state.usage + tried.usage,
            "handoffs": tried.handoffs[-MAX_REPORTS:],
        }
    )


def refused_call(call_id: str, text: str) -> ToolMessage:
    """What an agent reads in answer to a transfer that was not made."""
    return ToolMessage(tool_call_id=call_id, tool=TRANSFER, text=text, is_error=True)


def usage_before(state: AgentState) -> Usage:
    """What the owners before have used."""
    return state.ownership.usage if state.ownership else Usage()


def _path(step: StepContext, agent: str) -> tuple[str, ...]:
    """The owners up to and with this one."""
    handoff = step.task.handoff if step.task else None
    return (*(handoff.path if handoff else ()), _identity(step, agent))


def _identity(step: StepContext, agent: str) -> str:
    return f"{step.run.team.team}/{agent}@{step.run.team.version}"
