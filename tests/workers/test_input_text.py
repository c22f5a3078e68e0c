"""Encodings: what is certain is taken, what is guessed is noted, what is no text is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.contracts.snapshot import MAX_FILE_BYTES
from tests.tools.pdf_files import ANNUAL, pdf_of
from workers.input_text import Converted, convert


def text_of(name: str, data: bytes) -> str:
    found = convert(name, data)
    assert isinstance(found, Converted), found
    return found.data.decode("utf-8")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", "Müller zahlt 5 €\n".encode()),
        ("a.txt", "Müller zahlt 5 €\n".encode("utf-8-sig")),
        ("a.csv", b"\xff\xfe" + "Müller zahlt 5 €\n".encode("utf-16-le")),
        ("a.csv", b"\xfe\xff" + "Müller zahlt 5 €\n".encode("utf-16-be")),
        ("unknown.thing", b"\xff\xfe\0\0" + "Müller zahlt 5 €\n".encode("utf-32-le")),
    ],
)
def test_unicode_is_taken_without_a_word(name: str, data: bytes) -> None:
    assert convert(name, data) == Converted("Müller zahlt 5 €\n".encode())


def test_lines_of_two_encodings_are_each_read_in_theirs() -> None:
    data = b"name;city\r\n" + "Müller;Köln\r\n".encode() + "Meier;Zürich, 5 € Süd\r\n".encode("cp1252") + b"x;\x81\r\n"
    found = convert("list.CSV", data)
    assert isinstance(found, Converted)
    assert found.data.decode() == "name;city\r\nMüller;Köln\r\nMeier;Zürich, 5 € Süd\r\nx;\x81\r\n"
    assert found.note == "2 lines are not UTF-8 and were read as Windows-1252"


def test_one_line_is_one_line() -> None:
    found = convert("a.md", "caf\xe9\n".encode("latin-1"))
    assert found == Converted("café\n".encode(), 0, "1 line is not UTF-8 and was read as Windows-1252")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\t", "empty"),
        ("a.txt", b"\xef\xbb\xbf\n", "empty"),
        ("a.txt", b"abc\0def", "binary"),
        ("a.csv", b"\xff\xfea", "binary"),
        ("a.bin", b"caf\xe9", "not UTF-8 text"),
        ("a.txt", bytes(range(1, 256)) * 40, "binary"),
        ("a.pdf", b"hello", "named .pdf, but no PDF"),
        ("a.html", b"<script>1</script>", "a page without text"),
        ("a.txt", "\N{OHM SIGN}".encode("utf-16") * 2_000_000, f"over {MAX_FILE_BYTES >> 20} MiB of text"),
    ],
)
def test_what_is_no_text_says_why(name: str, data: bytes, reason: str) -> None:
    assert convert(name, data) == reason


def test_a_pdf_is_known_by_its_bytes_too() -> None:
    found = convert("report", pdf_of(ANNUAL))
    assert isinstance(found, Converted)
    assert found.pages == 3
    assert found.data.count(b"\f") == 2


def test_csv_and_json_stay_as_they_are() -> None:
    for name, text in (("a.csv", '=SUM(A1),"x\ny"\n'), ("a.json", '{"a":\n [1, "\\u00e9"]}\n'), ("a.rst", "A\n=\n")):
        assert text_of(name, text.encode()) == text


@given(st.binary(max_size=300), st.sampled_from(["a.txt", "a.html", "a.csv", "a", "a.bin"]))
def test_any_bytes_are_text_or_a_reason(data: bytes, name: str) -> None:
    found = convert(name, data)
    if isinstance(found, Converted):
        assert found.data.decode("utf-8").strip()
        if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
            assert found.data.count(b"\n") == data.count(b"\n")
    else:
        assert found
