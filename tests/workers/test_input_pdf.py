"""PDF files are read page by page; whatever a hostile one does costs a sentence."""

import os
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.pdf_files import ANNUAL, assemble, bomb, encrypted, endless, pdf_of, stream
from workers.input_pdf import PdfLimits, PdfText, read_pdf
from workers.input_pdf_child import _clean


def test_pages_are_kept_apart_and_in_order() -> None:
    found = read_pdf(pdf_of(ANNUAL))
    assert isinstance(found, PdfText)
    assert [page.split("\n") for page in found.pages] == ANNUAL
    assert found.note == ""


def test_a_password_for_the_owner_alone_keeps_nobody_from_reading() -> None:
    found = read_pdf(encrypted(""))
    assert isinstance(found, PdfText)
    assert "4,200 crowns" in found.pages[0]


def test_a_page_without_text_keeps_its_number_and_is_noted() -> None:
    found = read_pdf(pdf_of([["First page."], [], ["Third page."]]))
    assert found == PdfText(("First page.", "", "Third page."), "1 of 3 pages have no text (p2)")


def test_a_page_that_is_damaged_is_noted_and_the_others_are_read() -> None:
    good = stream(b"BT /F1 12 Tf 72 720 Td (A good page.) Tj ET")
    found = read_pdf(assemble([good, stream(b"no deflate", "/Filter /JBIG2Decode"), good]))
    assert isinstance(found, PdfText)
    assert found.pages == ("A good page.", "", "A good page.")
    assert "p2" in found.note


def test_ligatures_are_letters_and_no_page_holds_a_form_feed() -> None:
    assert _clean("\ufb01nd\x0cit\x00 \r\nthere\n\n") == "find it\nthere"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: b"Dear Sir, this is a letter.", "no PDF"),
        (lambda: b"<html>404</html>" * 100 + b"%PDF-1.4", "no PDF"),
        (lambda: b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged"),
        (lambda: pdf_of(ANNUAL)[:400], "damaged"),
        (lambda: encrypted("secret"), "encrypted"),
        (lambda: pdf_of([[], []]), "without text"),
        (lambda: assemble([]), "without pages"),
        (bomb, "no page can be read"),
    ],
)
def test_what_cannot_be_read_says_why(make: Callable[[], bytes], reason: str) -> None:
    found = read_pdf(make())
    assert isinstance(found, str)
    assert reason in found
    assert found.isprintable()


def test_a_file_that_takes_for_ever_costs_its_limit() -> None:
    began = time.monotonic()
    assert read_pdf(endless(), PdfLimits(cpu_seconds=1)) == "a PDF that takes over 1 s, or too much memory, to read"
    assert time.monotonic() - began < 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
def test_a_file_that_takes_all_memory_costs_its_limit() -> None:
    data = assemble([stream(zlib.compress(b"\n" * 60_000_000), "/Filter /FlateDecode")])
    found = read_pdf(data, PdfLimits(memory_bytes=100 * 1024 * 1024))
    assert isinstance(found, str)
    assert "too much memory" in found


def test_the_reader_is_started_once_for_one_content(tmp_path: Path) -> None:
    data = pdf_of([[f"Unique to this test {os.getpid()} {tmp_path.name}"]])
    first = read_pdf(data)
    assert read_pdf(data) is first
