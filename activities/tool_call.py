"""The activity ``tool.call``: one call of one tool, recorded.

Idempotency by the tool's declared effect: ``read`` and ``idempotent`` calls may be made again by a retry (the latter
with the same request id); a ``once`` call declares its intent first, and a retry that finds an intent without a result
does not call but ends as ``outcome_unknown``. What an agent can do something about (unknown name, bad arguments, an
exception, a timeout) is an answer to the agent, no failure; but a ``once`` effect that was begun and of which nobody knows
whether it happened is never left to an agent.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ValidationError
from temporalio import activity

from activities.artifacts import CallArtifacts
from activities.contracts.base import INLINE_BYTES, MAX_TEXT
from activities.contracts.budgets import Amounts
from activities.contracts.calls import UNCLEAR, ToolErrorKind, ToolRequest, ToolResponse
from activities.contracts.effects import MAX_PREVIEW, Undo
from activities.contracts.grants import GateDecision, Verdict
from activities.contracts.handoffs import Rejection
from activities.contracts.messages import ToolMessage, estimate_tokens
from activities.contracts.profile import AgentProfile, Effect, ToolSpec
from activities.errors import OstinatoError, OutcomeUnknown, PayloadTooLarge, ToolFailed, redact
from activities.gate import REFUSED, Gate, Proposal
from activities.handoffs import missing_tools, taken, unfit
from activities.heartbeats import Attempts, durable_activity
from activities.lookalikes import lookalike
from activities.mcp.base import McpClients, McpOff, McpToolError
from activities.object_store import ObjectStore
from activities.policy import Policy
from activities.records import Intent, Records, call_hash, record_path, request_hash
from activities.reliance import Reliance
from activities.repeats import Repeats, effect_hash
from activities.snapshots import open_snapshot
from activities.telemetry import tool_span
from activities.threads import Threads, preview
from activities.tools.base import NotDone, Tool, ToolContext
from activities.undoing import Made, as_called, keep_for_undo, told_of, try_again

MAX_RESULT = 8 * 1024 * 1024
"""Characters of the longest tool result that is kept at all."""


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
        self._threads = Threads(store)
        self._tools = tools
        self._secrets = secrets
        self._policies = policies
        self._mcp = mcp or McpOff()

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
            return await self._shown(request, response.model_copy(update=seen_now))

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
        response = (await self._response(request, text, error)).model_copy(update={"decision": decision})
        if error is None:
            undo = await keep_for_undo(self._store, request, profile, replace(unclear, text=text))
            response = response.model_copy(update={"artifacts": artifacts.refs, "undo": undo})
        elif error in UNCLEAR:
            undo = await keep_for_undo(self._store, request, profile, unclear, known=False)
            response = response.model_copy(update={"undo": undo})
        if _has_effect(request, profile):
            shown = request.call.arguments[:MAX_PREVIEW]
            response = response.model_copy(update={"request_id": _request_id(request, hashed), "arguments": shown})
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
                raise _unknown(request.call.tool, "an earlier attempt began it and left no result")
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

    async def _shown(self, request: ToolRequest, response: ToolResponse) -> ToolResponse:
        """The response with its text, which is stored with the message and only there, for people to see."""
        scope, call_id = request.key.scope_id, request.call.tool_call_id
        if response.message is None:
            return response
        (message,) = await self._threads.load(scope, [response.message.digest])
        if isinstance(message, ToolMessage) and message.tool_call_id != call_id:
            # A record of an earlier run answers a call that the provider has numbered anew.
            text = "" if message.result else message.text
            again = message.model_copy(update={"tool_call_id": call_id, "text": text})
            ref = await self._threads.add_message(scope, again)
            response = response.model_copy(
                update={"message": ref.model_copy(update={"tokens": response.message.tokens})}
            )
        if request.whole and response.result and response.size_bytes <= MAX_TEXT:
            whole = (await self._store.get(scope, response.result)).decode("utf-8")
            return response.model_copy(update={"text": whole, "result": None, "size_bytes": 0})
        return response.model_copy(update={"text": message.text})

    async def _answer(
        self, request: ToolRequest, profile: AgentProfile, hashed: str, attempt: int, artifacts: CallArtifacts
    ) -> tuple[str, ToolErrorKind | None, GateDecision | None, ToolRequest]:
        """The tool's answer, or what kept it from answering; what the gate said, if anything; the call as it was made."""
        proposal = await self._proposal(request, profile)
        if not isinstance(proposal, Proposal):
            return *proposal, None, request
        record = record_path(request.key, hashed)
        decision, proposal = await self._gate.decide(proposal, record=record, now=time.time())
        if decision and decision.verdict in REFUSED:
            if proposal.spec.effect is Effect.ONCE and await self._records.intended(request.key, hashed):
                raise _unknown(proposal.spec.name, "an earlier attempt began it and left no result")
            return "", None, decision, request
        return *await self._make(proposal, hashed, attempt, artifacts), decision, proposal.request

    async def _proposal(self, request: ToolRequest, profile: AgentProfile) -> Proposal | tuple[str, ToolErrorKind]:
        """The tool with its arguments, or what the agent is told where there is none or they do not fit."""
        name = request.call.tool
        specs = profile.compensations if request.undo else profile.checks if request.check else profile.tools
        granted = {spec.name: spec for spec in specs}
        if name not in granted:
            known = ", ".join(sorted(granted)) or "none"
            kind = ToolErrorKind.NOT_GRANTED if name in self._tools else ToolErrorKind.UNKNOWN_TOOL
            like = lookalike(name, granted)
            other = f" It looks like {like!r}, but is written with other characters." if like else ""
            return f"There is no tool {name!r} for you.{other} Your tools: {known}.", kind
        spec = granted[name]
        tool = await self._mcp.bind(spec) if spec.mcp else self._tools.get(name)
        if tool is None:
            return f"The tool {name!r} is not available here.", ToolErrorKind.UNKNOWN_TOOL
        try:
            arguments = tool.arguments.model_validate_json(request.call.arguments or "{}")
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors()[:5]
            )
            return redact(f"The arguments do not fit: {problems}.", self._secrets), ToolErrorKind.BAD_ARGUMENTS
        return Proposal(request, profile, tool, spec, arguments)

    async def _make(
        self, proposal: Proposal, hashed: str, attempt: int, artifacts: CallArtifacts
    ) -> tuple[str, ToolErrorKind | None]:
        """The tool's answer to a call that may be made."""
        request, spec, name = proposal.request, proposal.spec, proposal.spec.name
        request_id = _request_id(request, hashed)
        ref = request.snapshot
        snapshot = await open_snapshot(self._store, request.key.scope_id, ref) if ref else None
        context = ToolContext(request_id, snapshot, artifacts, self._policies)
        if spec.effect is Effect.ONCE:
            # Last of all: whatever fails before this has certainly not begun the effect.
            effect = effect_hash(name, request.call.arguments, ref.digest if ref else "")
            intent = Intent(request_id=request_id, tool=name, attempt=attempt, effect=effect, rerun=request.rerun)
            await self._declare(request, hashed, intent)
        try:
            with tool_span(name):
                work = asyncio.wait_for(proposal.tool(context, proposal.arguments), spec.timeout_seconds)
                # Once begun, a ``once`` effect is let to its end: an interrupted one would leave nobody knowing.
                text = await (_to_its_end(work) if spec.effect is Effect.ONCE else work)
        except TimeoutError:
            if spec.effect is Effect.ONCE:
                raise _unknown(name, f"it did not end within {spec.timeout_seconds:g} s") from None
            return f"The tool did not end within {spec.timeout_seconds:g} s.", ToolErrorKind.TIMED_OUT
        except OstinatoError as error:
            if spec.effect is Effect.ONCE and isinstance(error, ToolFailed | PayloadTooLarge):
                raise _unknown(name, str(error)) from None
            raise
        except NotDone as error:
            if spec.effect is Effect.ONCE:
                await self._records.withdraw(request.key, hashed)
            return redact(str(error) or "nothing was done", self._secrets), ToolErrorKind.NOT_DONE
        except Exception as error:
            said = redact(f"{type(error).__name__}: {error}", self._secrets)
            # A server's own error is an answer: an agent may do something about it. Of an exception nobody can say that.
            if spec.effect is Effect.ONCE and not isinstance(error, McpToolError):
                raise _unknown(name, f"it raised {said}"[:800]) from None
            return said, ToolErrorKind.RAISED
        return _bounded(text, spec), None

    async def _refused(self, request: ToolRequest, decision: GateDecision) -> ToolResponse:
        """The answer to a call that was not made. An agent reads why; a person, or the run's end, is the workflow's."""
        response = ToolResponse(decision=decision)
        if decision.verdict is Verdict.BLOCK:
            said = redact(f"This call is not allowed: {decision.reason}.", self._secrets)
            stored = await self._response(request, said, ToolErrorKind.BLOCKED)
            response = stored.model_copy(update={"decision": decision, "text": said})
        return response

    async def _declare(self, request: ToolRequest, hashed: str, intent: Intent) -> None:
        if not await self._records.intend(request.key, hashed, intent):
            raise _unknown(intent.tool, "an earlier attempt began it and left no result")

    async def _response(self, request: ToolRequest, text: str, error: ToolErrorKind | None) -> ToolResponse:
        """Store the message that the model will see; a long result whole beside it, with a preview in the message."""
        # Half a surrogate pair has no UTF-8 form: it would fail the message's encoding after the effect.
        data = text.encode("utf-8", "replace")
        call, scope = request.call, request.key.scope_id
        message = ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, is_error=error is not None)
        if len(data) <= INLINE_BYTES:
            whole = message.model_copy(update={"text": data.decode("utf-8")})
            return ToolResponse(message=await self._threads.add_message(scope, whole), error=error)
        result = await self._store.put(scope, data)
        ref = await self._threads.add_message(scope, message.model_copy(update={"result": result}))
        ref = ref.model_copy(update={"tokens": estimate_tokens(preview(data, result))})
        return ToolResponse(message=ref, error=error, result=result, size_bytes=len(data))


def _is_once(request: ToolRequest, profile: AgentProfile) -> bool:
    return any(spec.name == request.call.tool and spec.effect is Effect.ONCE for spec in profile.tools)


def _has_effect(request: ToolRequest, profile: AgentProfile) -> bool:
    return any(spec.name == request.call.tool and spec.effect is not Effect.READ for spec in profile.tools)


def _request_id(request: ToolRequest, hashed: str) -> str:
    return request_hash({"record": record_path(request.key, hashed)})


def _bounded(text: str, spec: ToolSpec) -> str:
    """A result that can be kept. What has happened ``once`` keeps a part of its result rather than none."""
    if len(text) <= MAX_RESULT or spec.effect is Effect.ONCE:
        return text[:MAX_RESULT]
    raise PayloadTooLarge(
        f"the tool {spec.name!r} returned {len(text):,} characters; at most {MAX_RESULT:,} are kept",
        fix="let the tool return less, or write an artifact",
    )


async def _to_its_end(work: Awaitable[str]) -> str:
    """Wait for work that a cancellation must not interrupt. It has a timeout of its own."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


def _unknown(tool: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"whether the effect of the tool {tool!r} happened is not known: {why}",
        fix=f"look at the system that the tool acts on; resuming with --repeat-effects {tool} lets it happen again",
    )
