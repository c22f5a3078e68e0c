"""A folder of everything: what has text is in the snapshot, what has none is named, nothing is fatal."""

import os
from pathlib import Path

import pytest

from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore
from activities.snapshots import describe_files, describe_notes, describe_skipped, open_snapshot, write_snapshot
from tests.tools.pdf_files import ANNUAL, encrypted, pdf_of
from workers.input_folder import read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "notes.md": b"# Notes\n\nThe lamp burns oil.\n",
        "plain.txt": "caf\xe9\n".encode("cp1252"),
        "guide.rst": b"Guide\n=====\n",
        "page.html": b"<p>\n<b>Bold</b> words</p>\n",
        "rows.csv": b"day,amount\n2026-01-05,12.50\n",
        "data.json": b'{"a": 1}\n',
        "src/tool.py": b"def f() -> int:\n    return 1\n",
        "report.pdf": pdf_of(ANNUAL),
        "more/half.pdf": pdf_of([["Half of it."], []]),
        "more/letter.pdf": b"Dear Sir",
        "more/locked.pdf": encrypted("secret"),
        "more/scan.pdf": pdf_of([[]]),
        "more/torn.pdf": pdf_of(ANNUAL)[:500],
        "photo.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF",
        "empty.txt": b"",
        ".hidden": b"secret",
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "link.md").symlink_to(tmp_path / "notes.md")
    os.mkfifo(tmp_path / "pipe.txt")
    return tmp_path


async def test_every_file_is_read_or_named(folder: Path) -> None:
    files, found = read_folder(folder)
    assert {file.path: file.pages for file in found.files} == {
        **dict.fromkeys(["data.json", "guide.rst", "notes.md", "page.html", "plain.txt", "rows.csv", "src/tool.py"], 0),
        "more/half.pdf": 2,
        "report.pdf": 3,
    }
    assert files["page.html"] == b"\nBold words\n"
    assert {skipped.path: skipped.reason for skipped in found.skipped} == {
        "empty.txt": "empty",
        "link.md": "a symbolic link",
        "more/letter.pdf": "named .pdf, but no PDF",
        "more/locked.pdf": "an encrypted PDF",
        "more/scan.pdf": "a PDF without text: scanned pages?",
        "more/torn.pdf": "a damaged PDF (PdfStreamError)",
        "photo.jpg": "binary",
        "pipe.txt": "not a regular file",
    }
    assert describe_skipped(found)[2] == "input file more/letter.pdf: named .pdf, but no PDF"
    assert describe_notes(found) == (
        "input file more/half.pdf: 1 of 2 pages have no text (p2)",
        "input file plain.txt: 1 line is not UTF-8 and was read as Windows-1252",
    )


async def test_pages_and_notes_come_back_from_the_store(folder: Path, tmp_path: Path) -> None:
    files, found = read_folder(folder)
    assert describe_files(files, found) == found
    store = ObjectStore(f"memory://{tmp_path.name}", namespace="default")
    snapshot = await open_snapshot(store, "run-1", await write_snapshot(store, "run-1", files, found))
    assert {file.path: file.pages for file in snapshot.files}["report.pdf"] == 3
    assert (await snapshot.text("report.pdf")).split("\f")[1].startswith("The northern lamp")
    assert snapshot.manifest == found


def test_the_same_folder_is_the_same_snapshot(folder: Path) -> None:
    assert read_folder(folder) == read_folder(folder)


def test_a_single_file_may_be_a_pdf(folder: Path) -> None:
    assert [file.pages for file in read_folder(folder / "report.pdf")[1].files] == [3]


def test_lists_are_bounded_and_counted(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("words")
    for at in range(130):
        (tmp_path / f"{at:03}.dat").write_bytes(b"\0")
        (tmp_path / f"{at:03}.txt").write_bytes(b"caf\xe9")
    found = read_folder(tmp_path)[1]
    assert (len(found.skipped), found.skipped_count, len(found.notes), found.notes_count) == (100, 130, 100, 130)
    assert describe_skipped(found)[20:] == ("110 more input files could not be read",)
    assert describe_notes(found)[20:] == ("110 more input files were read with a remark",)


def test_a_folder_of_nothing_but_scans_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(pdf_of([[]]))
    with pytest.raises(ConfigurationInvalid, match=r"scan\.pdf: a PDF without text"):
        read_folder(tmp_path)
