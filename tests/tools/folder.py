"""A snapshot in memory, and prose to search: the log of an invented harbour."""

from collections.abc import Mapping
from hashlib import sha256

from activities.contracts.snapshot import SnapshotFile

HARBOUR = """# Harbour log

The harbour of Kell opens at dawn and closes with the tide. Ships wait
outside the bar until a pilot comes aboard. No ship enters after dark.

## Pilots

- A pilot is paid 12 shillings for each ship.
- Pilots rest two days after a storm.

## Lamps

The northern lamp burns whale oil. When the lamp goes out, the keeper
rings the bell until it is lit again.

| lamp | colour |
|------|--------|
| north | white |
| south | green |

```sh
light --lamp north
```
"""
RULES = "All cargo is weighed on the quay.\r\nThe weigher signs\r\nevery bill twice.\r\n\r\nSalt pays no duty\r\n"


class Folder:
    """A SnapshotReader over a dictionary. A text that is a list of pages is a PDF."""

    def __init__(self, texts: Mapping[str, str | list[str]]) -> None:
        self.pages = {path: len(text) for path, text in texts.items() if isinstance(text, list)}
        self.texts = {path: "\f".join(text) if isinstance(text, list) else text for path, text in texts.items()}
        self.reads = 0

    @property
    def digest(self) -> str:
        return sha256(repr(sorted(self.texts.items())).encode()).hexdigest()[:40]

    @property
    def files(self) -> tuple[SnapshotFile, ...]:
        return tuple(
            SnapshotFile(
                path=path,
                digest=sha256(text.encode()).hexdigest()[:40],
                size_bytes=len(text.encode()),
                pages=self.pages.get(path, 0),
            )
            for path, text in sorted(self.texts.items())
        )

    async def text(self, path: str) -> str:
        self.reads += 1
        return self.texts[path]
