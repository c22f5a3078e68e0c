"""PDF files: the text of each page, read in a process of its own under limits.

A PDF is a program for a reader of ours: it can ask for hours and for all memory. Whatever it does costs a sentence in
the list of what could not be read, not the command.
"""

import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from activities.contracts.snapshot import MAX_FILE_BYTES

MAX_PAGES = 5_000
PARALLEL = min(4, os.cpu_count() or 1)
"""Files read at a time."""

_CHILD = Path(__file__).with_name("input_pdf_child.py")
_KEPT_CHARACTERS = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """What one file may cost."""

    cpu_seconds: int = 30
    """Processor time. Wall time is three times that: on a loaded machine a file that was readable stays so."""
    memory_bytes: int = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PdfText:
    """What a PDF says."""

    pages: tuple[str, ...]
    """Page by page, without form feeds; a page without text is empty, so that numbers stay right."""
    note: str = ""
    """Which pages could not be read."""


class _Kept:
    """The files read last, by content: a command reads its folder to compare it, and once more to upload it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, PdfText | str] = OrderedDict()
        self._size = 0

    def get(self, key: str) -> PdfText | str | None:
        with self._lock:
            return self._texts.get(key)

    def put(self, key: str, value: PdfText | str) -> None:
        with self._lock:
            if key in self._texts:
                return
            self._texts[key] = value
            self._size += _characters(value)
            while self._size > _KEPT_CHARACTERS:
                self._size -= _characters(self._texts.popitem(last=False)[1])


def _characters(value: PdfText | str) -> int:
    # A thousand for the entry itself, so that files without a page are bounded too.
    return 1000 + (sum(map(len, value.pages)) if isinstance(value, PdfText) else len(value))


_kept = _Kept()


def is_pdf(name: str, data: bytes) -> bool:
    """Whether a file is, or says that it is, a PDF."""
    return name.lower().endswith(".pdf") or data.startswith(b"%PDF-")


def read_pdf(data: bytes, limits: PdfLimits = PdfLimits()) -> PdfText | str:
    """The pages of a PDF, or the reason why not. Takes at most three times the limit's processor time."""
    if b"%PDF-" not in data[:1024]:
        return "named .pdf, but no PDF"
    key = f"{sha256(data).hexdigest()} {limits}"
    found = _kept.get(key)
    if found is None:
        found = _run_child(data, limits)
        _kept.put(key, found)
    return found


def _run_child(data: bytes, limits: PdfLimits) -> PdfText | str:
    numbers = (limits.cpu_seconds, limits.memory_bytes, MAX_PAGES, MAX_FILE_BYTES)
    too_much = f"a PDF that takes over {limits.cpu_seconds} s, or too much memory, to read"
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD), *map(str, numbers)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a warning for every damaged object
            timeout=3.0 * limits.cpu_seconds,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
    except subprocess.TimeoutExpired:
        return too_much
    except (OSError, ValueError):
        answer = {}
    else:
        if done.returncode < 0:
            return too_much
    if "pages" in answer:
        return PdfText(tuple(answer["pages"]), answer["note"])
    return str(answer.get("reason", "a damaged PDF: its reader failed"))
