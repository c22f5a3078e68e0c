"""What ``once`` tools have done in earlier runs of a lineage, so that no re-run does it again unasked.

The failure this prevents: a run is rewound, its agent takes another way, and calls the same tool with the same arguments
in another turn or step. There is no record under that key, so the payment would be made a second time. Every ``once``
effect left an intent; a re-run that is about to begin one looks for an intent of the same tool and arguments that another
run has left, and that nothing in this re-run was answered with yet: its result is the answer.

It costs nothing in a run that is no re-run, and nothing where the call's own record is found.
"""

import asyncio
import json
from dataclasses import dataclass

from activities.contracts.calls import ToolRequest, ToolResponse
from activities.errors import LimitExceeded, OutcomeUnknown
from activities.object_store import ObjectStore, parse_model
from activities.records import Intent, Recorded, Records, record_path, request_hash

INTENT = ".intent"
MAX_INTENTS = 2000
"""``once`` effects of one lineage that are looked through."""


@dataclass(frozen=True)
class _Effect:
    """One effect that was begun."""

    path: str
    """Of its record."""
    node: str
    generation: int
    intent: Intent


class Repeats:
    """The ``once`` effects of lineages."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._records = Records(store)

    async def stands_anew(self, request: ToolRequest, name: str, found: Recorded[ToolResponse], run_id: str) -> bool:
        """Whether a recorded error is to be tried again: the step failed, another run met it, no effect was begun."""
        if not request.again or found.result.error is None or found.run_id == run_id:
            return False
        path = record_path(request.key, name) + INTENT
        return await self._store.read(path, scope_id=request.key.scope_id) is None

    async def was_answered(self, request: ToolRequest, name: str) -> None:
        """Note that a call of this re-run was answered with its own record."""
        await self._claim(request, record_path(request.key, name))

    async def earlier(self, request: ToolRequest) -> ToolResponse | None:
        """The result of the same effect that an earlier run has made in another turn or step; none where there is none.

        The call has no record of its own.

        Raises:
            OutcomeUnknown: an earlier run began it, and nobody knows whether it happened.
            LimitExceeded: the lineage has too many effects to look through.
        """
        snapshot = request.snapshot.digest if request.snapshot else ""
        effect = effect_hash(request.call.tool, request.call.arguments, snapshot)
        found = [e for e in await self._effects(request) if _is_same(e, request, effect)]
        for other in sorted(found, key=lambda e: (e.node != request.key.path, e.path)):
            data = await self._store.read(other.path, scope_id=request.key.scope_id)
            if data is None:
                raise OutcomeUnknown(
                    f"whether the effect of the tool {request.call.tool!r} happened is not known: an earlier run of the"
                    f" lineage began it in {other.node} and left no result",
                    fix="look at the system that the tool acts on;"
                    f" resuming with --repeat-effects {request.call.tool} lets it happen again",
                )
            _, _, body = data.partition(b"\n")
            if not body:
                continue  # it was undone
            response = parse_model(body, ToolResponse)
            if response.error is None and await self._claim(request, other.path):
                return response
        return None

    async def _effects(self, request: ToolRequest) -> list[_Effect]:
        scope = request.key.scope_id
        prefix = f"lineages/{scope}/records/"
        paths: list[str] = []
        async for path in self._store.list_paths(prefix):
            if not path.endswith(INTENT):
                continue
            if len(paths) >= MAX_INTENTS:
                raise LimitExceeded(
                    f"the lineage {scope!r} has more than {MAX_INTENTS:,} effects that happen once",
                    fix="start a new run instead of going on from this one",
                )
            paths.append(path)
        datas = await asyncio.gather(*(self._store.read(path, scope_id=scope) for path in paths))
        effects = []
        for path, data in zip(paths, datas, strict=True):
            node, _, generation, _ = path.removeprefix(prefix).rsplit("/", 3)
            if data is not None:
                intent = parse_model(data, Intent)
                effects.append(_Effect(path.removesuffix(INTENT), node, int(generation[1:]), intent))
        return effects

    async def _claim(self, request: ToolRequest, path: str) -> bool:
        """Use an effect for one call of this re-run, and for no other."""
        key = request.key
        mark = f"lineages/{key.scope_id}/repeats/{request.rerun}/{request_hash({'record': path})}"
        mine = f"{key.path} {key.step}".encode()
        if await self._store.create(mark, mine, scope_id=key.scope_id):
            return True
        return await self._store.read(mark, scope_id=key.scope_id) == mine


def effect_hash(tool: str, arguments: str, snapshot: str) -> str:
    """What makes two calls the same effect: tool, arguments whatever their spelling, and the input."""
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = arguments
    return request_hash({"tool": tool, "arguments": given, "snapshot": snapshot})


def _is_same(effect: _Effect, request: ToolRequest, hashed: str) -> bool:
    """The same effect, of another run, and of no generation that was deliberately given up."""
    intent = effect.intent
    return (intent.tool, intent.effect) == (request.call.tool, hashed) and (
        intent.rerun != request.rerun and effect.generation >= request.key.generation
    )
