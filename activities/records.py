"""Records: the stored result of a step under its key, so that no recorded answer is paid twice.

The failure this prevents: a worker dies after a provider has answered, Temporal tries again, and the same question is
paid, or the same effect done, a second time. The key names the work (lineage, node, step, generation, what the model or
tool sees) and nothing of time, budget, attempt or trace; it is the same for every attempt and every unchanged re-run.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from activities.contracts.base import WireModel
from activities.contracts.steps import StepKey
from activities.object_store import ObjectStore, encode_model, parse_model

Result = TypeVar("Result", bound=BaseModel)


class Intent(WireModel):
    """Written before a ``once`` effect is begun."""

    request_id: str
    tool: str
    attempt: int


@dataclass(frozen=True)
class Recorded(Generic[Result]):
    """A stored result, and the Temporal run that paid for it."""

    result: Result
    run_id: str


def request_hash(seen: dict[str, Any]) -> str:
    """Hash what the model or tool sees. The same JSON value has the same hash, whatever the order of its keys."""
    canonical = json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:40]


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

    async def settle(self, key: StepKey, hashed: str, result: Result, run_id: str) -> Result:
        """Record a result, and return what is on record: a concurrent attempt may have been first."""
        data = run_id.encode() + b"\n" + encode_model(result)
        if await self._store.create(record_path(key, hashed), data, scope_id=key.scope_id):
            return result
        found = await self.find(key, hashed, type(result))
        return found.result if found else result

    async def intend(self, key: StepKey, hashed: str, intent: Intent) -> bool:
        """Declare that a ``once`` effect is about to begin. ``False``: an earlier attempt declared it."""
        path = record_path(key, hashed) + ".intent"
        return await self._store.create(path, encode_model(intent), scope_id=key.scope_id)
