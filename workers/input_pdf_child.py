"""Runs as a process of its own: reads a PDF from standard input, writes its page texts as JSON to standard output.

The limits are set before anything of the file is looked at. Imports the standard library and ``pypdf``, and nothing of
the project: it is started by path, isolated.
"""

import json
import re
import resource
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_NAMED = 10
"""Page numbers that a note names."""


def main(cpu_seconds: int, memory_bytes: int, max_pages: int, max_bytes: int) -> None:
    """Read, and print ``{"pages": [...], "note": ...}`` or ``{"reason": ...}``."""
    limits = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        with suppress(ValueError, OSError):  # not every system has each
            resource.setrlimit(limit, (value, value))
    try:
        answer = _read(sys.stdin.buffer.read(), max_pages, max_bytes)
    except (MemoryError, RecursionError):
        answer = {"reason": "a PDF that takes too much memory to read"}
    sys.stdout.write(json.dumps(answer))


def _read(data: bytes, max_pages: int, max_bytes: int) -> dict[str, Any]:
    from pypdf import PdfReader  # noqa: PLC0415 -- within the limits
    from pypdf.errors import DependencyError, FileNotDecryptedError, WrongPasswordError  # noqa: PLC0415 -- after the limits are set

    try:
        reader = PdfReader(BytesIO(data))  # tries the empty password, which opens what only its owner may change
        count = len(reader.pages)
    except (DependencyError, FileNotDecryptedError, WrongPasswordError):
        return {"reason": "an encrypted PDF"}
    except Exception as error:
        return {"reason": f"a damaged PDF ({_damage(error)})"}
    if count == 0:
        return {"reason": "a PDF without pages"}
    if count > max_pages:
        return {"reason": f"a PDF of over {max_pages:,} pages"}
    pages: list[str] = []
    failed: list[int] = []
    why = ""
    for number in range(1, count + 1):
        try:
            pages.append(_clean(reader.pages[number - 1].extract_text()))
        except Exception as error:
            why = _damage(error)  # the other pages may be good
            failed.append(number)
            pages.append("")
        max_bytes -= len(pages[-1].encode()) + 1
        if max_bytes < 0:
            return {"reason": "a PDF with too much text"}
    return _answer(pages, failed, why)


def _damage(error: Exception) -> str:
    """What a damaged file made the reader raise, which is anything; what the limits raised goes on."""
    if isinstance(error, MemoryError | RecursionError):
        raise error
    return type(error).__name__


def _answer(pages: list[str], failed: list[int], why: str) -> dict[str, Any]:
    count = len(pages)
    if not any(page.strip() for page in pages):
        return {
            "reason": f"a damaged PDF: no page can be read ({why})" if failed else "a PDF without text: scanned pages?"
        }
    empty = [number for number, page in enumerate(pages, 1) if not page.strip() and number not in set(failed)]
    notes = []
    if failed:
        notes.append(f"{len(failed)} of {count} pages could not be read ({_numbers(failed)})")
    if empty:
        notes.append(f"{len(empty)} of {count} pages have no text ({_numbers(empty)})")
    return {"pages": pages, "note": "; ".join(notes)}


def _numbers(pages: list[int]) -> str:
    shown = ", ".join(f"p{number}" for number in pages[:_NAMED])
    return shown + (", …" if len(pages) > _NAMED else "")


def _clean(text: str) -> str:
    """A page without control characters (a form feed would end it), ligatures as letters so that words are found."""
    lines = _CONTROL.sub(" ", text.replace("\r\n", "\n").translate(_LIGATURES)).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
