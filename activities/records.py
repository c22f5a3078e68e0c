"""Records: the stored result of a step under its key, so that no recorded answer is paid twice.

The failure this prevents: a worker dies after a provider has answered, Temporal tries again, and the same question is
paid, or the same effect done, a second time. The key names the work (lineage, node, step, generation, what the model or
tool sees) and nothing of time, budget, attempt or trace; it is the same for every attempt and every unchanged re-run.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from activities.contracts.base import WireModel
from activities.contracts.calls import ToolRequest
from activities.contracts.steps import StepKey
from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore, encode_model, parse_model

Result = TypeVar("Result", bound=BaseModel)

_UNDONE = b"undone"
"""In place of a record: its effect was compensated, so it answers nothing any more."""
_UNDOING = ".undoing"
"""Beside a record: its effect is being undone."""
MAX_UNDONE = 100
"""Times that one effect of a lineage may be made, undone and made again."""


class Intent(WireModel):
    """Written before a ``once`` effect is begun."""

    request_id: str
    tool: str
    attempt: int
    effect: str = ""
    """Tool, arguments and input, whatever the step: as ``activities.repeats`` finds it again."""
    rerun: int = 0
    """The number of the run among the lineage's re-runs."""


@dataclass(frozen=True)
class Recorded(Generic[Result]):
    """A stored result, and the Temporal run that paid for it."""

    result: Result
    run_id: str


def request_hash(seen: dict[str, Any]) -> str:
    """Hash what the model or tool sees. The same JSON value has the same hash, whatever the order of its keys."""
    canonical = json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def call_hash(request: ToolRequest) -> str:
    """The name of a tool call's record: of what the tool sees, and of nothing else."""
    snapshot = request.snapshot.digest if request.snapshot else ""
    seen = {"tool": request.call.tool, "arguments": request.call.arguments, "snapshot": snapshot}
    return request_hash({**seen, "undo": request.undo} if request.undo else seen)


def record_path(key: StepKey, hashed: str) -> str:
    """``lineages/<scope>/records/<node path>/<step>/g<generation>/<hash>``."""
    return f"lineages/{key.scope_id}/records/{key.path}/{key.step}/g{key.generation}/{hashed}"


class Records:
    """Records and intents in the object store. The first result written under a key is the result."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def find(self, key: StepKey, hashed: str, kind: type[Result]) -> Recorded[Result] | None:
        """The recorded result, if there is one."""
        data = await self._store.read(record_path(key, hashed), scope_id=key.scope_id)
        if data is None:
            return None
        run_id, _, body = data.partition(b"\n")
        return Recorded(parse_model(body, kind), run_id.decode())

    async def newest(self, key: StepKey, hashed: str, kind: type[Result]) -> tuple[str, Recorded[Result] | None]:
        """The recorded result of an effect, if it stands; and the name under which it is, or would be, on record.

        A compensated effect has another name when it is made again: with it come another request id and another intent.

        Raises:
            ConfigurationInvalid: it was made and undone too often.
        """
        for number in range(MAX_UNDONE):
            name = f"{hashed}.u{number}" if number else hashed
            data = await self._store.read(record_path(key, name), scope_id=key.scope_id)
            if data is None:
                return name, None
            if data != _UNDONE:
                run_id, _, body = data.partition(b"\n")
                return name, Recorded(parse_model(body, kind), run_id.decode())
        raise ConfigurationInvalid(
            f"the effect {key.step} of {key.path} was undone {MAX_UNDONE} times already", fix="start a new run"
        )

    async def undone(self, key: StepKey, name: str) -> None:
        """Note that an effect does not stand any more. Noting it twice changes nothing."""
        await self._store.write(record_path(key, name), _UNDONE, scope_id=key.scope_id)

    async def settle(self, key: StepKey, hashed: str, result: Result, run_id: str) -> Result:
        """Record a result, and return what is on record: a concurrent attempt may have been first."""
        data = run_id.encode() + b"\n" + encode_model(result)
        if await self._store.create(record_path(key, hashed), data, scope_id=key.scope_id):
            return result
        found = await self.find(key, hashed, type(result))
        return found.result if found else result

    async def replace(self, key: StepKey, hashed: str, result: BaseModel, run_id: str) -> None:
        """Record a result in place of one that is no answer any more."""
        data = run_id.encode() + b"\n" + encode_model(result)
        await self._store.write(record_path(key, hashed), data, scope_id=key.scope_id)

    async def intend(self, key: StepKey, hashed: str, intent: Intent) -> bool:
        """Declare that a ``once`` effect is about to begin. ``False``: an earlier attempt declared it."""
        path = record_path(key, hashed) + ".intent"
        return await self._store.create(path, encode_model(intent), scope_id=key.scope_id)

    async def intended(self, key: StepKey, hashed: str) -> bool:
        """Whether an earlier attempt declared that it begins this ``once`` effect."""
        return await self._store.read(record_path(key, hashed) + ".intent", scope_id=key.scope_id) is not None

    async def withdraw(self, key: StepKey, hashed: str) -> None:
        """Take back an intent: its effect was not begun."""
        await self._store.delete_paths([record_path(key, hashed) + ".intent"])

    async def begin_undoing(self, key: StepKey, name: str) -> None:
        """Note that an effect is about to be undone: until that has ended, nobody knows whether it stands."""
        await self._store.write(record_path(key, name) + _UNDOING, b"", scope_id=key.scope_id)

    async def still_stands(self, key: StepKey, name: str) -> None:
        """Note that an effect was not undone."""
        await self._store.delete_paths([record_path(key, name) + _UNDOING])

    async def is_undoing(self, key: StepKey, name: str) -> bool:
        """Whether undoing an effect was begun, and nobody knows how it ended."""
        return await self._store.read(record_path(key, name) + _UNDOING, scope_id=key.scope_id) is not None

    async def under(self, key: StepKey) -> AsyncIterator[tuple[int, str]]:
        """Generation and hash of all records of a step, in no order."""
        prefix = record_path(key, "").rpartition("/g")[0] + "/"
        async for path in self._store.list_paths(prefix):
            generation, _, hashed = path.removeprefix(prefix).partition("/")
            if generation[1:].isdigit() and hashed.isalnum():
                yield int(generation[1:]), hashed
