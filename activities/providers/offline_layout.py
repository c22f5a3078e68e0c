"""What the lines of a file mean, by its name; and the cells of a table's row."""

import csv
import re
from enum import Enum
from pathlib import PurePosixPath

MAX_CELLS = 100
_ROWS = {".csv", ".tsv", ".tab"}
_LINES = """asm bash bat c cc cfg clj conf cpp cs cxx env f90 fs go gradle h hpp hs ini java jl js json jsonl jsx kt lua mjs ml
    ndjson php pl pm properties ps1 py r rb rs scala sh sql swift tf toml ts tsx vb xml yaml yml"""
_SUFFIXES = {f".{suffix}" for suffix in _LINES.split()}
_SETTINGS = frozenset(
    f".{suffix}"
    for suffix in [
        "cfg",
        "conf",
        "env",
        "ini",
        "json",
        "jsonl",
        "ndjson",
        "properties",
        "toml",
        "xml",
        "yaml",
        "yml",
        "tf",
    ]
)
_PIPE = re.compile(r"(?<!\\)\|")


class Layout(Enum):
    """How a file is read."""

    PROSE = 1
    """Paragraphs, lists, tables of Markdown."""
    ROWS = 2
    """Each line is a row of a table."""
    LINES = 3
    """Each line says something of its own: code, settings."""


def layout_of(path: str) -> Layout:
    """The layout of a file."""
    suffix = PurePosixPath(path).suffix.lower()
    return Layout.ROWS if suffix in _ROWS else Layout.LINES if suffix in _SUFFIXES else Layout.PROSE


def is_settings(path: str) -> bool:
    """Whether a file's lines are settings or data, not code."""
    return PurePosixPath(path).suffix.lower() in _SETTINGS


def cells(row: str) -> list[str]:
    """The cells of a row of Markdown, CSV or TSV; nothing where it is none of them."""
    row = row.strip()
    if "\n" in row or len(row) > 5_000:
        return []
    if row.startswith("|"):
        return [cell.strip().replace("\\|", "|") for cell in _PIPE.split(row.strip("|"))][:MAX_CELLS]
    for delimiter in ("\t", ";", ","):
        if row.count(delimiter) >= 1 and not re.search(rf"{delimiter} \w", row):
            return [cell.strip() for cell in next(csv.reader([row], delimiter=delimiter), [])][:MAX_CELLS]
    return []
