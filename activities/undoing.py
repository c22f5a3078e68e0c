"""Undoing: what is kept of an effect for its compensation, and how a compensation is called with it.

The failure this prevents: a run is resumed after its effects were compensated, and their records answer as if they still
stood. So a compensation that has succeeded marks the record of what it undid; the effect can then be made again, under
another request id.
"""

from dataclasses import dataclass

from activities.contracts.base import MAX_TEXT
from activities.contracts.calls import UNCLEAR, ToolErrorKind, ToolRequest
from activities.contracts.effects import Undo, UndoRef
from activities.contracts.profile import AgentProfile, Effect
from activities.contracts.steps import StepKey
from activities.errors import ConfigurationInvalid, ToolFailed
from activities.object_store import ObjectStore
from activities.tools.base import Tool
from activities.tools.compensations import arguments_of


@dataclass(frozen=True)
class Made:
    """A call that was made."""

    tool: Tool | None
    record: str
    """The name of its record."""
    text: str
    """Its result; empty where it left none, and nobody knows whether it has done something."""
    workflow_id: str
    """The workflow that made it."""


async def keep_for_undo(
    store: ObjectStore, request: ToolRequest, profile: AgentProfile, made: Made, *, known: bool = True
) -> UndoRef | None:
    """Keep what a compensation of this call would need, where its tool has one.

    Where it is not ``known`` whether the effect happened, only of an idempotent one: a person looks at the others first.
    """
    spec = next((spec for spec in profile.tools if spec.name == request.call.tool), None)
    if request.undo or spec is None or spec.compensate is None or made.tool is None:
        return None
    if not known and spec.effect is not Effect.IDEMPOTENT:
        return None
    # With the defaults of what was left out: the compensation may need it.
    arguments = made.tool.arguments.model_validate_json(request.call.arguments or "{}").model_dump_json()
    result = made.text.encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]
    told = Undo(key=request.key, record=made.record, arguments=arguments, result=result)
    digest = await store.put_model(request.key.scope_id, told)
    return UndoRef(digest=digest, run_id=made.workflow_id.partition("/")[0])


async def told_of(store: ObjectStore, key: StepKey, digest: str) -> Undo:
    """What a compensation is told of its effect.

    Raises:
        BlobMissing: it is gone.
    """
    return await store.get_model(key.scope_id, digest, Undo)


def as_called(request: ToolRequest, profile: AgentProfile, told: Undo) -> ToolRequest:
    """The compensating call with its arguments.

    Raises:
        ConfigurationInvalid: the profile has no such compensation.
    """
    spec = next((spec for spec in profile.compensations if spec.name == request.call.tool), None)
    if spec is None:
        raise ConfigurationInvalid(
            f"{request.call.tool!r} compensates no tool of {profile.agent}", fix="start runs that were admitted"
        )
    call = request.call.model_copy(update={"arguments": arguments_of(spec, told)})
    return request.model_copy(update={"call": call})


def try_again(request: ToolRequest, profile: AgentProfile, error: ToolErrorKind | None, text: str) -> None:
    """Let Temporal try a compensation again: there is no agent who could do something about its tool's error.

    Raises:
        ToolFailed: it may be called again, and may do better then.
    """
    if request.undo is None or error not in UNCLEAR:
        return
    if any(s.name == request.call.tool and s.effect is Effect.IDEMPOTENT for s in profile.compensations):
        raise ToolFailed(text, fix="undo the effect by hand, or resume the run")
