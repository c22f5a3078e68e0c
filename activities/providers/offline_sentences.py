"""Sentences of prose, rows of tables, entries of lists and lines of code as offsets: a quotation is a slice of the text."""

import re
from collections.abc import Iterator

from activities.providers.offline_code import code_sentences
from activities.providers.offline_layout import Layout, cells, layout_of
from activities.providers.offline_prose import Prose, Sentence, pieces
from activities.text import lines

_PLAIN = re.compile(r"[^\W\d_]+[ ,:]")
_MARKUP = re.compile(
    r"!?\[([^\]\n]{1,300})\]\([^)\s]{0,500}\)|(?<!\w)([*_]{1,3})(\S(?:[^*_\n]{0,300}\S)?)\2(?!\w)|`([^`\n]{1,300})`"
)
_LEAD = re.compile(r"(?m)^[ \t]*(?:>+|#{1,6}|//+|\"{3}|'{3}|[-*+•])[ \t]+|^[\"']{3}|[\"']{3}$")


def sentences(text: str, path: str = "", columns: str = "") -> Iterator[Sentence]:
    """Split a text. Fenced code, headings, rules and table separators are left out.

    Args:
        text: the text, or a part of one.
        path: its file, whose name says whether lines mean something.
        columns: of a part of a table, the table's first row.
    """
    layout = layout_of(path)
    if layout is Layout.ROWS:
        yield from _rows(text, columns)
    elif layout is Layout.LINES:
        yield from code_sentences(text, path)
    else:
        yield from Prose(text).sentences()


def plain(quote: str, columns: str = "") -> str:
    """A quotation as a sentence of its own: on one line, without markup, a table's row with what its cells are."""
    row = [unmarked(cell) for cell in cells(quote)] if columns or quote.startswith("|") else []
    if row and (named := cells(columns)) and len(named) == len(row) > 2:
        return "; ".join(f"{name}: {value}" for name, value in zip(named, row, strict=True) if value)
    if len(row) == 2:
        said = ": ".join(value for value in row if value)
        return said[:1].upper() + said[1:] if _PLAIN.match(said) else said
    said, _, code = quote.partition("\n```")
    return unmarked("; ".join(value for value in row if value) if row else said.strip() if code else quote)


def unmarked(text: str) -> str:
    """Without emphasis, links and code marks, on one line."""
    text = _LEAD.sub("", text.strip())
    for _ in range(2):
        text = _MARKUP.sub(lambda found: found[1] or found[3] or found[4] or "", text)
    return " ".join(text.split())


def _rows(text: str, columns: str) -> Iterator[Sentence]:
    """The rows of a CSV. One whose cells hold line ends is several."""
    for number, start, end in lines(text):
        header = not columns and number == 1
        columns = columns or text[start:end].strip()
        yield from pieces(text, start, end, 0.3 if header else 0.9, "", "" if header else columns, 0)
