"""The four places where an action is proposed, each as its monitors see it: a call, a transfer, a handoff, an answer."""

import json
from collections.abc import Awaitable, Callable, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
    from activities.contracts.grants import GateDecision, Verdict
    from activities.contracts.handoffs import Rejection, RejectionReason
    from activities.contracts.monitors import ActionKind, MonitorSpec
    from activities.contracts.profile import OutputContract
    from activities.errors import HandoffRejected, NotAllowed
    from activities.grants import same_json
    from workflows.contracts import Task
    from workflows.reviewing.review import Reviewed, monitors_of, review, review_edited, was_reviewed
    from workflows.reviewing.rules import Proposed, read
    from workflows.step_context import StepContext
    from workflows.teams.tree import MonitorNode, Node, node_name
    from workflows.transfers import Transfer

Review = Callable[[StepContext, Proposed, Sequence[MonitorSpec]], Awaitable[Reviewed]]
OUTPUT = "output"
"""The ordinal of what the monitored node comes to."""


async def reviewed_call(step: StepContext, request: ToolRequest) -> ToolRequest | ToolResponse:
    """A call as its monitors let it be made, or the answer that it is not.

    Raises:
        Halted: a monitor ends the run at this call.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    return await _call(step, request, review) if monitors_of(step) else request


async def reviewed_edit(step: StepContext, request: ToolRequest) -> ToolRequest | ToolResponse:
    """The same for a call with the arguments that a person has given it: rules look at it once more.

    Raises:
        Halted: a monitor ends the run at this call.
    """
    return await _call(step, request, review_edited) if monitors_of(step) else request


async def _call(step: StepContext, request: ToolRequest, by: Review) -> ToolRequest | ToolResponse:
    call = request.call
    plan = next((plan for plan in step.run.plans.values() if plan.profile == request.profile), None)
    defaults = plan.defaults.get(call.tool, {}) if plan else {}
    value, problem = read(call.arguments)
    action = Proposed(
        ActionKind.TOOL_CALL,
        actor_of(step),
        request.key.step,
        value,
        tool=call.tool,
        defaults=defaults,
        problem=problem,
    )
    reviewed = await by(step, action, monitors_of(step))
    if reviewed.refusal:
        decision = GateDecision(verdict=Verdict.BLOCK, by="monitor", reason=reviewed.refusal.reason)
        text = f"This call was not made: {reviewed.told}"
        return ToolResponse(error=ToolErrorKind.BLOCKED, text=text, decision=decision)
    if same_json(reviewed.value, action.value):
        return request
    arguments = json.dumps(reviewed.value, ensure_ascii=False)
    return request.model_copy(update={"call": call.model_copy(update={"arguments": arguments})})


async def refused_transfer(step: StepContext, transfer: Transfer, so_far: str, ordinal: str) -> str:
    """Why a step may not be transferred; empty: it may. What was found so far goes along with it, and is reviewed too.

    Raises:
        Halted: a monitor ends the run at this transfer.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    told: JsonValue = {"reason": transfer.reason, "so_far": so_far}
    action = Proposed(ActionKind.HANDOFF, actor_of(step), ordinal, told, recipients=(transfer.to,))
    return (await review(step, action, monitors_of(step))).told


async def review_handoff(step: StepContext, node: Node, task: Task) -> None:
    """Review a handoff to a node that is nested in what is monitored, or is what is monitored, right before it is made.

    Who is above a monitor has seen what it is handed: that is handed on as it is, and only its own monitor looks at it.

    Raises:
        HandoffRejected: a monitor or a person does not allow it.
        Halted: a monitor ends the run at this handoff.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    sender = step.run.team.root
    monitors = (sender.spec,) if isinstance(sender, MonitorNode) else step.frame.task.monitors
    if not monitors:
        return
    told: JsonValue = {"prompt": task.prompt, "inputs": task.inputs} if task.inputs else task.prompt
    action = Proposed(ActionKind.HANDOFF, node_name(sender), "handoff", told, recipients=_names(node))
    reviewed = await review(step, action, monitors)
    if reviewed.refusal:
        rejection = Rejection(reason=RejectionReason.NOT_ALLOWED, message=reviewed.told[:1000])
        raise HandoffRejected(rejection, owner=node_name(node))


async def review_answer(
    step: StepContext, answer: JsonValue, ordinal: str, contract: OutputContract | None
) -> Reviewed:
    """Review an agent's final answer: its output, or its text where it has no contract.

    Raises:
        Halted: a monitor ends the run at this answer.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    action = Proposed(
        ActionKind.ANSWER, actor_of(step), ordinal, answer, schema=contract.schema_ if contract else {"type": "string"}
    )
    return await review(step, action, monitors_of(step))


async def review_unfinished(
    step: StepContext, text: str, ordinal: str, contract: OutputContract | None, *, late: bool
) -> Reviewed:
    """Review what an agent had said when it was ended before it had an answer, as if it were one.

    Under a contract rules look at fields, so it is read as JSON; where it is none, not even whole, they cannot.

    Args:
        step: the agent's.
        text: what it had said, the start of it.
        ordinal: where.
        contract: of its output.
        late: whether there is no time left to ask anybody.

    Raises:
        Halted: a monitor ends the run at it.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    value: JsonValue = text
    monitors, problem = monitors_of(step), ""
    if contract:
        value, problem = read(text)
        if value == text and any(rule.arguments for spec in monitors for rule in spec.rules):
            problem = "it is not whole, or no JSON"
    action = Proposed(ActionKind.ANSWER, actor_of(step), ordinal, value, problem=problem, late=late)
    return await review(step, action, monitors)


async def review_output(step: StepContext, node: MonitorNode, output: JsonValue) -> JsonValue:
    """What a monitored node comes to, as its monitor lets it pass. An agent's answer that was reviewed is not again.

    Raises:
        NotAllowed: the monitor or a person does not allow it.
        Halted: the monitor ends the run at it.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    spec = node.spec
    action = Proposed(ActionKind.ANSWER, node_name(node.node), OUTPUT, output)
    if output is None or was_reviewed(step.frame.decisions, spec, action):
        return output
    reviewed = await review(step, action, (spec,))
    if reviewed.refusal:
        raise NotAllowed(
            f"the monitor {spec.name!r} does not let the result of {node_name(node.node)!r} pass: {reviewed.told}"[
                :1000
            ],
            fix="look at the reasons (ostinato show), and mend the team, its input or the monitor",
        )
    return reviewed.value


def _names(node: Node) -> tuple[str, ...]:
    """What a node goes by: one that is monitored by the names of its monitors too."""
    return (node_name(node), *(_names(node.node) if isinstance(node, MonitorNode) else ()))


def actor_of(step: StepContext) -> str:
    """Who acts in a step: the name in ``team/name@version``."""
    handoff = step.task.handoff if step.task else None
    named = handoff.owner if handoff else ""
    return named.partition("/")[2].rpartition("@")[0] or node_name(step.run.team.root)
