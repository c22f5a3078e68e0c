"""The gate: one decision on one proposed action, right before its effect (design, section 4).

The failure this prevents: an agent is talked into a call that nobody wanted, or a workflow that is wrong makes one that
was refused. So the decision is made where the call is made, from what was frozen at admission (grants), what this
deployment says (the policy) and what a person has said to this very action (an approval, used once).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError

from activities.contracts.calls import ToolRequest
from activities.contracts.grants import Approval, GateDecision, Grant, Verdict
from activities.contracts.people import BY_DEFAULT, Asking, Choice, HumanDecision
from activities.contracts.profile import AgentProfile, Effect, ToolSpec
from activities.grants import misfit, same_json, unfit
from activities.object_store import ObjectStore
from activities.policy import Action, Policy, PolicyRule, as_text
from activities.records import Records, call_hash, request_hash
from activities.tools.base import Tool

REFUSED = frozenset({Verdict.BLOCK, Verdict.ASK, Verdict.HALT})
"""Verdicts after which the call is not made, or not yet."""

TASK_SEPARATOR = "~"
"""Between the parts of a human task's id: the run, the path of the step that asks, and the call with what it is asked."""
MAX_DECISIONS = 200
"""Decisions on one call that are looked through for an approval."""


def action_hash(tool: str, arguments: str, task: str, expires_at: float) -> str:
    """What an approval is bound to: for another tool, other arguments, another task or a later hour it is worth nothing."""
    return request_hash({"tool": tool, "arguments": arguments, "task": task, "expires_at": expires_at})


def decide(action: Action, grants: Iterable[Grant], policy: Policy | None) -> GateDecision | None:
    """What grants and policy say to an action, before any person is asked. A pure function.

    Args:
        action: with its arguments as the tool would get them.
        grants: of the agent and of everything above it; all of them have to hold.
        policy: the deployment's; what the grants allow proceeds where there is none.

    Returns:
        ``None``: it proceeds. ``ask`` with ``arguments`` is about the action as the policy has edited it.
    """
    grants = tuple(grants)
    if found := unfit(grants, action.arguments):
        return _block("grant", *found)
    decision = _by_policy(action, grants, policy)
    asks = any(grant.ask for grant in grants)
    if asks and (decision is None or decision.verdict is Verdict.EDIT):
        edited = decision.arguments if decision else None
        return GateDecision(verdict=Verdict.ASK, by="grant", reason="the grant asks a person first", arguments=edited)
    return decision


def _by_policy(action: Action, grants: tuple[Grant, ...], policy: Policy | None) -> GateDecision | None:
    if policy is None:
        return None
    found = policy.first(action)
    if found is None:
        if action.effect is Effect.READ:
            return None
        return _block("policy", "", "no rule of the deployment's policy allows this action")
    name, rule = found
    if rule.verdict is Verdict.PROCEED:
        return None
    if rule.verdict is Verdict.EDIT:
        return _edit(name, rule, action, grants)
    reason = rule.reason or f"the deployment's policy says {rule.verdict.value}"
    return GateDecision(verdict=rule.verdict, by="policy", rule=name, reason=reason, asking=rule.asking)


def _edit(name: str, rule: PolicyRule, action: Action, grants: tuple[Grant, ...]) -> GateDecision | None:
    edited = rule.edited(action.arguments)
    # What no limit could be brought to, and what the team's own grants refuse, is not done at all.
    given = {argument: limit for argument, limit in rule.limit.items() if argument in edited}
    if found := misfit(given, edited) or unfit(grants, edited):
        return _block("policy", name, f"edited by the policy, {found[1]}")
    if same_json(edited, dict(action.arguments)):
        return None
    reason = rule.reason or "the deployment's policy has other arguments for it"
    return GateDecision(verdict=Verdict.EDIT, by="policy", rule=name, reason=reason, arguments=as_text(edited))


def mismatch(approval: Approval, request: ToolRequest) -> str:
    """Why an approval is not one of a call, whenever it is made; empty: it is.

    Args:
        approval: as it came with the request.
        request: the call, with the arguments that it is to be made with.
    """
    call, asked = request.call, approval.task_id.partition(TASK_SEPARATOR)[2].rpartition(".")
    if asked[0] != TASK_SEPARATOR.join((*request.key.path.split("/"), request.key.step)) or not asked[2].isalnum():
        return "the approval is for another step"
    if approval.action != action_hash(call.tool, call.arguments, approval.task_id, approval.expires_at):
        return "the approval is for another action"
    return ""


def may_approve(by: str, asking: Asking | None) -> bool:
    """Whether somebody may say yes, as the policy is now; the team's ``people`` were asked where it names nobody."""
    if asking is None or not (asking.people or asking.escalate_to):
        return True
    if by == BY_DEFAULT:
        return asking.default in {Choice.APPROVE, Choice.EDIT}
    return by.casefold() in {name.casefold() for name in (*asking.people, *asking.escalate_to)}


@dataclass(frozen=True)
class Proposal:
    """A call that is about to be made."""

    request: ToolRequest
    profile: AgentProfile
    tool: Tool
    """As this deployment has it."""
    spec: ToolSpec
    """As it was frozen."""
    arguments: BaseModel
    """As the tool would get them."""

    def edited(self, arguments: str) -> "Proposal":
        """The same with other arguments.

        Raises:
            ValidationError: they do not fit the tool.
        """
        read = self.tool.arguments.model_validate_json(arguments)
        call = self.request.call.model_copy(update={"arguments": arguments})
        return replace(self, request=self.request.model_copy(update={"call": call}), arguments=read)


class Gate:
    """The gate of one worker process."""

    def __init__(self, store: ObjectStore, policy: Policy | None = None) -> None:
        self._store, self._records, self._policy = store, Records(store), policy

    async def decide(self, proposal: Proposal, *, record: str, now: float) -> tuple[GateDecision | None, Proposal]:
        """Decide on a call; costs nothing where there is neither a condition nor a policy.

        Args:
            proposal: the call.
            record: the name of the call's record: the only call that an approval is used for.
            now: seconds since 1970.

        Returns:
            The decision, and the call as it may be made: not at all where the decision is one of ``REFUSED``.
        """
        request, spec = proposal.request, proposal.spec
        # An agent's grants hold for its own calls, not for what checks and undoes them.
        grants = () if request.check or request.undo else proposal.profile.grants.get(spec.name, ())
        if not grants and self._policy is None:
            return None, proposal
        try:
            decision = decide(_action(proposal), grants, self._policy)
        except (PydanticSerializationError, ValueError) as error:
            return _block("policy", "", f"its arguments cannot be judged: {error}"), proposal
        if decision and decision.verdict is Verdict.EDIT and decision.arguments is not None:
            try:
                return decision, proposal.edited(decision.arguments)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                at = ".".join(map(str, first["loc"]))
                why = f"the policy's arguments do not fit the tool: {at}: {first['msg']}"
                return _block("policy", decision.rule, why), proposal
        if decision and decision.verdict is Verdict.ASK:
            decision = await self._asked(request, decision, record, now)
        return decision, proposal

    async def made_as(self, request: ToolRequest) -> str:
        """The name of the record as which a proposed call was begun with a person's arguments; empty: it was not.

        However long ago: what was made is not asked about again when its approval has expired.
        """
        path = _made_path(request, call_hash(request))
        return (await self._store.read(path, scope_id=request.key.scope_id) or b"").decode()

    async def _asked(self, request: ToolRequest, decision: GateDecision, record: str, now: float) -> GateDecision:
        """What becomes of a call that needs a yes: it has one, or a person is asked, or it is refused."""
        if _ambiguous(request.call.arguments):
            # A person would read the one, and the tool get the other.
            return _block(decision.by, decision.rule, "its arguments name one thing twice")
        approval = request.approval
        if approval is None or decision.arguments is not None:
            return decision  # edited by the policy still: what was approved is not what would be done
        if now >= approval.expires_at:
            return decision.model_copy(update={"reason": f"the approval by {approval.by} has expired"})
        if why := mismatch(approval, request):
            return _block(approval.by, approval.task_id, why)
        if not may_approve(approval.by, decision.asking):
            # It was somebody's to give when it was given: whoever may give it today is asked.
            return decision.model_copy(update={"reason": f"{approval.by} approved it, and may not any more"})
        if not await self._on_record(request, approval):
            return _block(approval.by, approval.task_id, "no such approval is on record")
        if not await self._first_use(request, approval, record):
            return _block(approval.by, approval.task_id, "the approval was used for another call")
        if approval.asked and approval.asked != (made := call_hash(request)):
            path = _made_path(request, approval.asked)
            await self._store.write(path, made.encode(), scope_id=request.key.scope_id)
        return GateDecision(verdict=Verdict.PROCEED, by=approval.by, rule=approval.task_id, reason="approved")

    async def _on_record(self, request: ToolRequest, approval: Approval) -> bool:
        """Whether a person has said so: a workflow that makes approvals up has no record of one."""
        key = request.key.model_copy(update={"step": approval.task_id.rpartition(TASK_SEPARATOR)[2]})
        found = 0
        async for generation, hashed in self._records.under(key):
            at = key.model_copy(update={"generation": generation})
            decision = await self._records.find(at, hashed, HumanDecision)
            if decision and _is_that(decision.result, approval):
                return True
            if (found := found + 1) >= MAX_DECISIONS:
                break
        return False

    async def _first_use(self, request: ToolRequest, approval: Approval, record: str) -> bool:
        """Mark an approval as used. The same call may use it again: an attempt before this one may have died."""
        scope = request.key.scope_id
        # Of this yes: a step that is taken again asks in a task of the same id, and gets another one.
        yes = {"task": approval.task_id, "action": approval.action, "decided_at": approval.decided_at}
        path = f"lineages/{scope}/approvals/{request_hash(yes)}"
        if await self._store.create(path, record.encode(), scope_id=scope):
            return True
        return await self._store.read(path, scope_id=scope) == record.encode()


def _is_that(decision: HumanDecision, approval: Approval) -> bool:
    said = (decision.task_id, decision.by, decision.action, decision.expires_at, decision.decided_at)
    given = (approval.task_id, approval.by, approval.action, approval.expires_at, approval.decided_at)
    return decision.choice in {Choice.APPROVE, Choice.EDIT} and said == given


def _made_path(request: ToolRequest, asked: str) -> str:
    """Where it is noted as which call a proposed one was made, when a person had said yes."""
    key = request.key.model_dump(exclude={"scope_id"})
    return f"lineages/{request.key.scope_id}/approvals/made/{request_hash({'key': key, 'asked': asked})}"


def _action(proposal: Proposal) -> Action:
    spec, (team, _, rest) = proposal.spec, proposal.profile.agent.partition("/")
    effect = _stricter(spec.effect, Effect.IDEMPOTENT if spec.mcp else proposal.tool.spec.effect)
    return Action(spec.name, effect, team, rest.rpartition("@")[0] or rest, _judged(proposal.arguments))


def _stricter(one: Effect, other: Effect) -> Effect:
    """What a profile says of a tool counts only where it says more than the deployment does."""
    order = list(Effect)
    return max(one, other, key=order.index)


def _judged(given: BaseModel) -> dict[str, JsonValue]:
    """The arguments as JSON values. A decimal is a number to a rule, not the text that it has in JSON."""
    dumped = given.model_dump(mode="json")
    if not isinstance(dumped, Mapping):
        raise ValueError("they are no object")
    exact = {name: getattr(given, name, None) for name in dumped}
    return {name: float(n) if isinstance(n := exact[name], Decimal) else value for name, value in dumped.items()}


def _ambiguous(arguments: str) -> bool:
    """Whether an object of a JSON text has a key twice."""

    def once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        json.loads(arguments or "{}", object_pairs_hook=once)
    except (ValueError, RecursionError):
        return True
    return False


def _block(by: str, rule: str, reason: str) -> GateDecision:
    return GateDecision(verdict=Verdict.BLOCK, by=by, rule=rule, reason=" ".join(reason.split())[:500])
