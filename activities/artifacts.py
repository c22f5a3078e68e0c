"""Artifacts: the files that tools write, as blobs of the lineage, under names that are safe on any disk.

A name comes from a model, and a client turns it into a path on a person's disk: ``../../.bashrc``, ``.git/config`` and
``CON`` are refused here when they are written, and once more by the client before it writes them out.
"""

import asyncio
import re
import unicodedata
from typing import Final

from activities.contracts.artifacts import MAX_ARTIFACT_BYTES, MAX_CALL_ARTIFACTS, ArtifactRef
from activities.object_store import ObjectStore
from activities.text import escape_control

MAX_NAME_BYTES = 200
"""Bytes of a name in UTF-8: below what any file system takes for one part (255), the temporary file's suffix included."""
MAX_DEPTH = 8
"""Parts of a name."""

_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?")
_FORBIDDEN: Final = frozenset('<>:"|?*\\')
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}(; charset=[A-Za-z0-9_-]{1,30})?")


def checked_name(name: str) -> str:
    """The name as it is stored: relative, ``/`` between parts, in Unicode's composed form.

    Raises:
        ValueError: it is not a name that every disk can hold below a folder, in a sentence for the agent.
    """
    shown = escape_control(name, 80)
    name = unicodedata.normalize("NFC", name) if len(name) <= 2 * MAX_NAME_BYTES else ""
    if not 1 <= len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES:
        raise ValueError(f"the name {shown!r} does not have 1 to {MAX_NAME_BYTES} bytes")
    parts = name.split("/")
    if len(parts) > MAX_DEPTH:
        raise ValueError(f"the name {shown!r} has more than {MAX_DEPTH} parts")
    for part in parts:
        if problem := _problem(part):
            raise ValueError(
                f"the name {shown!r} cannot be used: {problem}; give a relative path such as notes/day-1.md"
            )
    return name


class Names:
    """Names that can stand beside each other on any disk, also on one that does not tell ``A`` from ``a``."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, bool]] = {}

    def add(self, name: str) -> str | None:
        """Take a name in. Where it cannot stand beside one that is there, it is left out, and that one returned."""
        parts = name.split("/")
        steps = ["/".join(parts[: at + 1]) for at in range(len(parts))]
        for step in steps:
            spelled, is_file = self._known.get(_folded(step), (step, step == name))
            if spelled != step or is_file != (step == name):
                return spelled
        self._known.update({_folded(step): (step, step == name) for step in steps})
        return None


class CallArtifacts:
    """What one tool call writes: ``activities.tools.base.ArtifactWriter``."""

    def __init__(self, store: ObjectStore, scope_id: str) -> None:
        self._store = store
        self._scope_id = scope_id
        self._refs: dict[str, ArtifactRef] = {}
        self._names = Names()
        self._lock = asyncio.Lock()

    @property
    def refs(self) -> tuple[ArtifactRef, ...]:
        """What has been written, in the order in which the names were first used."""
        return tuple(self._refs.values())

    async def write(self, name: str, data: bytes, media_type: str = "text/plain") -> None:
        """Store a file; writing a name again replaces it.

        Raises:
            ValueError: the name, the size, the type or the number of files is not allowed.
        """
        name = checked_name(name)
        if len(data) > MAX_ARTIFACT_BYTES:
            raise ValueError(f"{name!r} has {len(data):,} bytes; at most {MAX_ARTIFACT_BYTES:,} are kept")
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise ValueError(f"{escape_control(media_type, 80)!r} is no media type such as text/plain")
        async with self._lock:  # a tool may write several at once
            if name not in self._refs and len(self._refs) >= MAX_CALL_ARTIFACTS:
                raise ValueError(f"one call writes at most {MAX_CALL_ARTIFACTS} files")
            if other := self._names.add(name):
                raise ValueError(f"{name!r} and {other!r} cannot stand on every disk: give it another name")
            digest = await self._store.put(self._scope_id, bytes(data))
            self._refs[name] = ArtifactRef(name=name, digest=digest, size_bytes=len(data), media_type=media_type)


def _problem(part: str) -> str:
    if part in {"", ".", ".."}:
        return "it has an empty part, . or .., or begins or ends with /"
    if part.startswith("."):
        return "a part begins with a dot"  # hidden files are configuration: a .git folder runs programs
    if not part.isprintable() or _FORBIDDEN & set(part):
        return 'it has a control character or one of < > : " | ? * \\'
    if part != part.strip() or part.endswith("."):
        return "a part begins or ends with a space, or ends with a dot"
    if _RESERVED.fullmatch(part):
        return f"{part} is a device on Windows"
    return ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
