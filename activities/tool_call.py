"""The activity ``tool.call``: one call of one tool, recorded.

Idempotency by the tool's declared effect: ``read`` and ``idempotent`` calls may be made again by a retry (the latter
with the same request id); a ``once`` call declares its intent first, and a retry that finds an intent without a result
does not call but ends as ``outcome_unknown``. What an agent can do something about (unknown name, bad arguments, an
exception, a timeout) is an answer to the agent, no failure; but a ``once`` effect that was begun and of which nobody knows
whether it happened is never left to an agent.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ValidationError
from temporalio import activity

from activities.artifacts import CallArtifacts
from activities.contracts.budgets import Amounts
from activities.contracts.calls import UNCLEAR, ToolErrorKind, ToolRequest, ToolResponse
from activities.contracts.effects import MAX_PREVIEW, Undo
from activities.contracts.grants import GateDecision, Verdict
from activities.contracts.handoffs import Rejection
from activities.contracts.profile import AgentProfile, Effect
from activities.errors import OutcomeUnknown, PayloadTooLarge, ToolFailed, redact
from activities.gate import REFUSED, Gate, Proposal
from activities.handoffs import missing_tools, taken, unfit
from activities.heartbeats import Attempts, durable_activity
from activities.mcp.base import McpClients, McpOff
from activities.object_store import ObjectStore
from activities.policy import Policy
from activities.records import Records, call_hash, record_path
from activities.reliance import Reliance
from activities.repeats import Repeats
from activities.tool_making import BEGUN, ToolMaking, request_id, unknown
from activities.tool_messages import ToolMessages
from activities.tools.base import Tool
from activities.undoing import Made, as_called, keep_for_undo, told_of, try_again


@dataclass(frozen=True)
class _Call:
    """A call that is to be made."""

    request: ToolRequest
    profile: AgentProfile
    hashed: str
    """The name of its record."""
    told: Undo | None
    """What it undoes, where it is a compensation."""
    once: bool
    anew: bool
    """There is a record, and it is no answer any more."""


class ToolActivities:
    """Tool calls. The tools themselves are injected on the worker."""

    def __init__(
        self,
        store: ObjectStore,
        tools: Mapping[str, Tool],
        secrets: tuple[str, ...] = (),
        policies: tuple[object, ...] = (),
        mcp: McpClients | None = None,
    ) -> None:
        """Inject what the calls need.

        Args:
            store: where profiles, threads and records are.
            tools: this deployment's own tools, by name.
            secrets: values that no error may show.
            policies: what the deployment's settings say to single tools (``ToolContext.policy``), and its ``Policy`` for
                all actions; without one what teams grant proceeds.
            mcp: the connections to MCP servers; none are allowed where absent.
        """
        self._gate = Gate(store, next((policy for policy in policies if isinstance(policy, Policy)), None))
        self._store = store
        self._records = Records(store)
        self._repeats = Repeats(store)
        self._reliance = Reliance(store)
        self._messages = ToolMessages(store)
        self._making = ToolMaking(store, tools, mcp or McpOff(), secrets=secrets, policies=policies)
        self._tools = tools
        self._secrets = secrets

    @activity.defn(name="tool.call")
    async def call_tool(self, request: ToolRequest) -> ToolResponse:
        """Answer from the record, or check, call once and record.

        Heartbeats in the background; a cancellation reaches asynchronous tools.

        Raises:
            ApplicationError: ``outcome_unknown`` (never retried), ``payload_too_large`` (not retried),
                ``blob_missing`` (not retried), ``store_unavailable`` (retried).
        """
        async with durable_activity(request.key) as attempts:
            profile = await self._store.get_model(request.key.scope_id, request.profile, AgentProfile)
            asked = call_hash(request)
            told = await told_of(self._store, request.key, request.undo) if request.undo else None
            if told:
                request = as_called(request, profile, told)
                if kept_for := await self._begin_undoing(request, told):
                    return ToolResponse(kept_for=kept_for, attempt=activity.info().attempt)
            info = activity.info()
            accepted = (
                taken(request.handoff, info.started_time, len(request.call.arguments.encode()))
                if request.handoff
                else None
            )
            hashed, found = await self._records.newest(request.key, asked, ToolResponse)
            run_id, once = info.workflow_run_id or "", _is_once(request, profile)
            anew = found is not None and await self._repeats.stands_anew(request, hashed, found, run_id)
            if found and not anew:
                await self._check_stands(request, hashed, found.result, info.workflow_id or "")
                response = found.result.model_copy(update={"from_record": found.run_id != run_id})
                if once and request.rerun:
                    await self._repeats.was_answered(request, hashed)
            elif once and request.rerun and (earlier := await self._repeats.earlier(request)):
                response = earlier.model_copy(update={"from_record": True})
            elif rejected := self._rejection(request, profile, info.started_time):
                said = {"text": rejected.message, "error": ToolErrorKind.UNKNOWN_TOOL}
                untaken = ToolResponse(rejected=rejected, attempt=info.attempt, calls=attempts.lost)
                return untaken if request.handoff else untaken.model_copy(update=said)
            else:
                call = _Call(request, profile, hashed, told, once, anew)
                response = await self._called(call, attempts)
            # No record of what was refused: it is decided anew where the step is made again.
            refused = response.decision is not None and response.decision.verdict in REFUSED
            if told:
                settle = self._records.still_stands if response.error or refused else self._records.undone
                await settle(told.key, told.record)
            seen_now = {"attempt": info.attempt, "calls": attempts.lost + (not refused), "accepted": accepted}
            return await self._messages.shown(request, response.model_copy(update=seen_now))

    async def _called(self, call: "_Call", attempts: Attempts) -> ToolResponse:
        """Make a call that has no answer on record, and record its answer, where the gate lets it through."""
        profile, hashed, info = call.profile, call.hashed, activity.info()
        artifacts = CallArtifacts(self._store, call.request.key.scope_id)
        unclear = Made(self._tools.get(call.request.call.tool), hashed, "", info.workflow_id or "")
        attempts.paid = attempts.asked = True  # whatever ends it from here on: the tool may have been called
        try:
            text, error, decision, request = await self._answer(call.request, profile, hashed, info.attempt, artifacts)
        except (asyncio.CancelledError, ToolFailed, PayloadTooLarge):
            with suppress(ValidationError):  # it was not called
                attempts.undo = await keep_for_undo(self._store, call.request, profile, unclear, known=False)
            raise
        run_id = info.workflow_run_id or ""
        if decision and decision.verdict in REFUSED:
            earlier = await self._made_as_edited(request, run_id, once=call.once)
            return earlier or await self._refused(request, decision)
        if call.told and error:
            await self._records.still_stands(call.told.key, call.told.record)
        try_again(request, profile, error, text)
        response = (await self._messages.store(request, text, error)).model_copy(update={"decision": decision})
        if error is None:
            undo = await keep_for_undo(self._store, request, profile, replace(unclear, text=text))
            response = response.model_copy(update={"artifacts": artifacts.refs, "undo": undo})
        elif error in UNCLEAR:
            undo = await keep_for_undo(self._store, request, profile, unclear, known=False)
            response = response.model_copy(update={"undo": undo})
        if _has_effect(request, profile):
            shown = request.call.arguments[:MAX_PREVIEW]
            response = response.model_copy(update={"request_id": request_id(request, hashed), "arguments": shown})
        if call.anew:
            await self._records.replace(request.key, hashed, response, run_id)
            return response
        return await self._records.settle(request.key, hashed, response, run_id)

    async def _begin_undoing(self, request: ToolRequest, told: Undo) -> str:
        """Begin to undo an effect; or the run that goes on from it, so that it is not undone."""
        await self._records.begin_undoing(told.key, told.record)
        if kept_for := await self._reliance.by(request.key.scope_id, request.undo or ""):
            await self._records.still_stands(told.key, told.record)
        return kept_for

    async def _check_stands(self, request: ToolRequest, hashed: str, found: ToolResponse, workflow_id: str) -> None:
        """Go on from an effect that is on record, whoever has made it.

        Raises:
            OutcomeUnknown: undoing it was begun.
        """
        if found.undo is None:
            return
        scope, run_id = request.key.scope_id, workflow_id.partition("/")[0]
        await self._reliance.note(scope, found.undo, run_id)
        if await self._records.is_undoing(request.key, hashed):
            await self._reliance.drop(scope, found.undo, run_id)
            raise OutcomeUnknown(
                f"whether the effect of the tool {request.call.tool!r} stands is not known: undoing it was begun, and it is not"
                " known how that ended",
                fix="look at the system that the tool acts on; a rewind with --fresh makes it anew (with --repeat-effects"
                f" {request.call.tool}, where it is called once)",
            )

    async def _made_as_edited(self, request: ToolRequest, run_id: str, *, once: bool) -> ToolResponse | None:
        """The answer to a call that a person had edited and allowed: its record lies under the arguments it was made with.

        Raises:
            OutcomeUnknown: it was begun then, and left no result.
        """
        made = await self._gate.made_as(request)
        if not made:
            return None
        name, found = await self._records.newest(request.key, made, ToolResponse)
        if found is None:
            if once and await self._records.intended(request.key, name):
                raise unknown(request.call.tool, BEGUN)
            return None
        if await self._repeats.stands_anew(request, name, found, run_id):
            return None
        if once and request.rerun:
            await self._repeats.was_answered(request, name)
        said = found.result.decision and found.result.decision.model_copy(update={"verdict": Verdict.EDIT})
        return found.result.model_copy(update={"from_record": found.run_id != run_id, "decision": said})

    def _rejection(self, request: ToolRequest, profile: AgentProfile, now: datetime) -> Rejection | None:
        """Why the step is not taken, where this is its first call, or cannot be gone on with here; nothing: it can."""
        if request.handoff is None:
            specs = () if request.undo else profile.checks if request.check else profile.tools
            return missing_tools([spec for spec in specs if spec.name == request.call.tool], self._tools)
        return missing_tools(profile.tools, self._tools) or unfit(request.handoff, Amounts(tool_calls=1), now)

    async def _answer(
        self, request: ToolRequest, profile: AgentProfile, hashed: str, attempt: int, artifacts: CallArtifacts
    ) -> tuple[str, ToolErrorKind | None, GateDecision | None, ToolRequest]:
        """The tool's answer, or what kept it from answering; what the gate said, if anything; the call as it was made."""
        proposal = await self._making.proposal(request, profile)
        if not isinstance(proposal, Proposal):
            return *proposal, None, request
        record = record_path(request.key, hashed)
        decision, proposal = await self._gate.decide(proposal, record=record, now=time.time())
        if decision and decision.verdict in REFUSED:
            if proposal.spec.effect is Effect.ONCE and await self._records.intended(request.key, hashed):
                raise unknown(proposal.spec.name, BEGUN)
            return "", None, decision, request
        return *await self._making.make(proposal, hashed, attempt, artifacts), decision, proposal.request

    async def _refused(self, request: ToolRequest, decision: GateDecision) -> ToolResponse:
        """The answer to a call that was not made. An agent reads why; a person, or the run's end, is the workflow's."""
        response = ToolResponse(decision=decision)
        if decision.verdict is Verdict.BLOCK:
            said = redact(f"This call is not allowed: {decision.reason}.", self._secrets)
            stored = await self._messages.store(request, said, ToolErrorKind.BLOCKED)
            response = stored.model_copy(update={"decision": decision, "text": said})
        return response


def _is_once(request: ToolRequest, profile: AgentProfile) -> bool:
    return any(spec.name == request.call.tool and spec.effect is Effect.ONCE for spec in profile.tools)


def _has_effect(request: ToolRequest, profile: AgentProfile) -> bool:
    return any(spec.name == request.call.tool and spec.effect is not Effect.READ for spec in profile.tools)
