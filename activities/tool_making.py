"""One call of a tool, made: its tool and arguments found and checked, its intent declared, its end bounded."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress

from pydantic import ValidationError

from activities.artifacts import CallArtifacts
from activities.contracts.calls import ToolErrorKind, ToolRequest
from activities.contracts.profile import AgentProfile, Effect, ToolSpec
from activities.errors import OstinatoError, OutcomeUnknown, PayloadTooLarge, ToolFailed, redact
from activities.gate import Proposal
from activities.lookalikes import lookalike
from activities.mcp.base import McpClients, McpToolError
from activities.object_store import ObjectStore
from activities.records import Intent, Records, record_path, request_hash
from activities.repeats import effect_hash
from activities.snapshots import open_snapshot
from activities.telemetry import tool_span
from activities.tools.base import NotDone, Tool, ToolContext

MAX_RESULT = 8 * 1024 * 1024
"""Characters of the longest tool result that is kept at all."""
BEGUN = "an earlier attempt began it and left no result"


class ToolMaking:
    """The tools of a deployment, and what their calls need."""

    def __init__(
        self,
        store: ObjectStore,
        tools: Mapping[str, Tool],
        mcp: McpClients,
        *,
        secrets: tuple[str, ...],
        policies: tuple[object, ...],
    ) -> None:
        """Inject them; the arguments are those of ``ToolActivities``."""
        self._store, self._records = store, Records(store)
        self._tools, self._mcp = tools, mcp
        self._secrets, self._policies = secrets, policies

    async def proposal(self, request: ToolRequest, profile: AgentProfile) -> Proposal | tuple[str, ToolErrorKind]:
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

    async def make(
        self, proposal: Proposal, hashed: str, attempt: int, artifacts: CallArtifacts
    ) -> tuple[str, ToolErrorKind | None]:
        """The tool's answer to a call that may be made."""
        request, spec, name = proposal.request, proposal.spec, proposal.spec.name
        named = request_id(request, hashed)
        ref = request.snapshot
        snapshot = await open_snapshot(self._store, request.key.scope_id, ref) if ref else None
        context = ToolContext(named, snapshot, artifacts, self._policies)
        if spec.effect is Effect.ONCE:
            # Last of all: whatever fails before this has certainly not begun the effect.
            await self._declare(proposal, hashed, named, attempt)
        try:
            with tool_span(name):
                work = asyncio.wait_for(proposal.tool(context, proposal.arguments), spec.timeout_seconds)
                # Once begun, a ``once`` effect is let to its end: an interrupted one would leave nobody knowing.
                text = await (_to_its_end(work) if spec.effect is Effect.ONCE else work)
        except TimeoutError:
            if spec.effect is Effect.ONCE:
                raise unknown(name, f"it did not end within {spec.timeout_seconds:g} s") from None
            return f"The tool did not end within {spec.timeout_seconds:g} s.", ToolErrorKind.TIMED_OUT
        except OstinatoError as error:
            if spec.effect is Effect.ONCE and isinstance(error, ToolFailed | PayloadTooLarge):
                raise unknown(name, str(error)) from None
            raise
        except NotDone as error:
            if spec.effect is Effect.ONCE:
                await self._records.withdraw(request.key, hashed)
            return redact(str(error) or "nothing was done", self._secrets), ToolErrorKind.NOT_DONE
        except Exception as error:
            said = redact(f"{type(error).__name__}: {error}", self._secrets)
            # A server's own error is an answer: an agent may do something about it. Of an exception nobody can say that.
            if spec.effect is Effect.ONCE and not isinstance(error, McpToolError):
                raise unknown(name, f"it raised {said}"[:800]) from None
            return said, ToolErrorKind.RAISED
        return _bounded(text, spec), None

    async def _declare(self, proposal: Proposal, hashed: str, named: str, attempt: int) -> None:
        """Say on record that the effect begins now.

        Raises:
            OutcomeUnknown: it was said before.
        """
        request, name, ref = proposal.request, proposal.spec.name, proposal.request.snapshot
        effect = effect_hash(name, request.call.arguments, ref.digest if ref else "")
        intent = Intent(request_id=named, tool=name, attempt=attempt, effect=effect, rerun=request.rerun)
        if not await self._records.intend(request.key, hashed, intent):
            raise unknown(name, BEGUN)


def request_id(request: ToolRequest, hashed: str) -> str:
    """What a call is known by to its tool: the same in every attempt."""
    return request_hash({"record": record_path(request.key, hashed)})


def unknown(tool: str, why: str) -> OutcomeUnknown:
    """The failure of a call that nobody may make again unseen."""
    return OutcomeUnknown(
        f"whether the effect of the tool {tool!r} happened is not known: {why}",
        fix=f"look at the system that the tool acts on; resuming with --repeat-effects {tool} lets it happen again",
    )


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
