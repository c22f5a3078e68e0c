"""The activity ``tool.call``: one call of one tool, recorded.

Idempotency by the tool's declared effect: ``read`` and ``idempotent`` calls may be made again by a retry (the latter
with the same request id); a ``once`` call declares its intent first, and a retry that finds an intent without a result
does not call but ends as ``outcome_unknown``. What an agent can do something about (unknown name, bad arguments, an
exception, a timeout) is an answer to the agent, no failure.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress

from pydantic import ValidationError
from temporalio import activity

from activities.artifacts import CallArtifacts
from activities.contracts.base import INLINE_BYTES, MAX_TEXT
from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
from activities.contracts.messages import ToolMessage, estimate_tokens
from activities.contracts.profile import AgentProfile, Effect, ToolSpec
from activities.errors import OstinatoError, OutcomeUnknown, PayloadTooLarge, ToolFailed, redact
from activities.heartbeats import durable_activity
from activities.mcp.base import McpClients, McpOff
from activities.object_store import ObjectStore
from activities.records import Intent, Records, record_path, request_hash
from activities.snapshots import open_snapshot
from activities.telemetry import tool_span
from activities.threads import Threads, preview
from activities.tools.base import Tool, ToolContext

MAX_RESULT = 8 * 1024 * 1024
"""Characters of the longest tool result that is kept at all."""


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
            policies: what the deployment's settings say to single tools (``ToolContext.policy``).
            mcp: the connections to MCP servers; none are allowed where absent.
        """
        self._store = store
        self._records = Records(store)
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
        async with durable_activity(request.key):
            profile = await self._store.get_model(request.key.scope_id, request.profile, AgentProfile)
            snapshot = request.snapshot.digest if request.snapshot else ""
            seen = {"tool": request.call.tool, "arguments": request.call.arguments, "snapshot": snapshot}
            hashed = request_hash(seen)
            info = activity.info()
            if found := await self._records.find(request.key, hashed, ToolResponse):
                repeated = found.run_id != (info.workflow_run_id or "")
                response = found.result.model_copy(update={"from_record": repeated})
            else:
                artifacts = CallArtifacts(self._store, request.key.scope_id)
                text, error = await self._answer(request, profile, hashed, info.attempt, artifacts)
                response = await self._response(request, text, error)
                if error is None:
                    response = response.model_copy(update={"artifacts": artifacts.refs})
                response = await self._records.settle(request.key, hashed, response, info.workflow_run_id or "")
            return await self._shown(request, response.model_copy(update={"attempt": info.attempt}))

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
    ) -> tuple[str, ToolErrorKind | None]:
        """The tool's answer, or what kept it from answering."""
        name = request.call.tool
        granted = {spec.name: spec for spec in (profile.checks if request.check else profile.tools)}
        if name not in granted:
            known = ", ".join(sorted(granted)) or "none"
            kind = ToolErrorKind.NOT_GRANTED if name in self._tools else ToolErrorKind.UNKNOWN_TOOL
            return f"There is no tool {name!r} for you. Your tools: {known}.", kind
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
        request_id = request_hash({"record": record_path(request.key, hashed)})
        ref = request.snapshot
        snapshot = await open_snapshot(self._store, request.key.scope_id, ref) if ref else None
        context = ToolContext(request_id, snapshot, artifacts, self._policies)
        if spec.effect is Effect.ONCE:
            # Last of all: whatever fails before this has certainly not begun the effect.
            await self._declare(request, hashed, Intent(request_id=request_id, tool=name, attempt=attempt))
        try:
            with tool_span(name):
                work = asyncio.wait_for(tool(context, arguments), spec.timeout_seconds)
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
        except Exception as error:
            return redact(f"{type(error).__name__}: {error}", self._secrets), ToolErrorKind.RAISED
        return _bounded(text, spec), None

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
        fix="look at the system that the tool acts on, and then start a new run or repair it there",
    )
