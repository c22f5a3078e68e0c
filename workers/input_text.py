"""What a file of the input says, as text: encodings, HTML and PDF. Conversion is the client's; a worker sees text.

A line of the text is a line of the file, whatever the file is, so that ``path:line`` is right in an editor. Only a PDF
is cited by page.
"""

import codecs
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from activities.contracts.snapshot import MAX_FILE_BYTES
from workers.input_html import html_text
from workers.input_pdf import is_pdf, read_pdf

_HTML = frozenset({".html", ".htm", ".xhtml"})
_SUFFIXES = """adoc asciidoc asp bash bat bib c cc cfg clj cmake conf cpp cs css csv cxx diff el erl ex f f90 fs go gradle groovy h hpp
    hs ini ipynb java jl js json jsonl jsx kt lisp log lua m markdown md mdx ml ndjson org pas patch php pl pm properties ps1 py r rb
    rs rst scala sh sql srt svg swift tab tcl tex text toml ts tsv tsx txt vb vtt xml yaml yml"""
_TEXT = _HTML | {f".{suffix}" for suffix in _SUFFIXES.split()}
"""Names that say text, whatever its encoding. Bytes under another name have to be Unicode."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""In this order: the mark of UTF-32 begins with that of UTF-16."""
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Converted:
    """A file as the snapshot holds it."""

    data: bytes
    """UTF-8."""
    pages: int = 0
    note: str = ""


def convert(name: str, data: bytes) -> Converted | str:
    """The text of a file, or the reason why there is none.

    Args:
        name: its name, which says what it is meant to be.
        data: its bytes, at most ``MAX_FILE_BYTES``.
    """
    if not data.strip():
        return "empty"
    if is_pdf(name, data):
        pdf = read_pdf(data)
        return pdf if isinstance(pdf, str) else _bounded("\f".join(pdf.pages), len(pdf.pages), pdf.note)
    suffix = PurePosixPath(name).suffix.lower()
    decoded = _decode(data, guess=suffix in _TEXT)
    if decoded is None:
        return "binary" if b"\0" in data or suffix in _TEXT else "not UTF-8 text"
    text, note = decoded
    if suffix in _HTML:
        text = html_text(text)
        if not text.strip():
            return "a page without text"
    return _bounded(text, 0, note) if text.strip() else "empty"


def _bounded(text: str, pages: int, note: str) -> Converted | str:
    data = text.encode("utf-8")
    return Converted(data, pages, note) if len(data) <= MAX_FILE_BYTES else f"over {MAX_FILE_BYTES >> 20} MiB of text"


def _decode(data: bytes, *, guess: bool) -> tuple[str, str] | None:
    """The text, and a note where it was guessed; ``None`` for what is no text."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return _decode_lines(data.removeprefix(codecs.BOM_UTF8)) if guess and encoding.startswith("utf-8") else None
    return None if "\0" in text else (text, "")


def _decode_lines(data: bytes) -> tuple[str, str] | None:
    """UTF-8 where a line is, Windows-1252 where it is not: exports of several programs end up in one file."""
    # One in a hundred: text of the eighties has a few, compressed data has one in eight.
    if b"\0" in data or len(_NO_TEXT.findall(data)) * 100 > len(data):
        return None
    lines, guessed = [], 0
    for line in data.split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            guessed += 1
            lines.append(_windows(line))
    said = "1 line is not UTF-8 and was" if guessed == 1 else f"{guessed:,} lines are not UTF-8 and were"
    return "\n".join(lines), f"{said} read as Windows-1252"


def _windows(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:
        return line.decode("latin-1")  # five bytes have no character in Windows-1252
