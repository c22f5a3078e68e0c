"""PDF files, written by hand: pages of lines in Helvetica, and ones that nobody should send."""

import zlib
from collections.abc import Sequence
from io import BytesIO

from pypdf import PdfReader, PdfWriter

ANNUAL = [
    ["Annual report of the harbour", "The harbour earned 4,200 crowns", "from mooring fees in 1871."],
    ["The northern lamp was repaired twice. Its keeper", "was paid 90 crowns, which the council thought"],
    ["too much.", "Dredging cost 1,310 crowns and was not finished."],
]
"""Three pages; a sentence goes from the second to the third."""


def pdf_of(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF with these lines on its pages; a page without lines has no text."""
    return assemble([_stream(lines) for lines in pages])


def assemble(contents: Sequence[bytes]) -> bytes:
    """A PDF whose pages have these content objects (dictionary and stream)."""
    count = len(contents)
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for at, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * at} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(content)
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def stream(data: bytes, more: str = "") -> bytes:
    """A content object."""
    return f"<< /Length {len(data)} {more} >>\nstream\n".encode() + data + b"\nendstream"


def encrypted(password: str) -> bytes:
    """The annual report behind a password; an empty one opens by itself."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf_of(ANNUAL))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def endless() -> bytes:
    """Forty pages that keep a reader busy for minutes, from some hundred kilobytes."""
    page = stream(zlib.compress(b"BT /F1 9 Tf (a) Tj ET\n" * 40_000, 9), "/Filter /FlateDecode")
    return assemble([page] * 40)


def bomb() -> bytes:
    """A page of a quarter of a gigabyte: zeros, compressed twice."""
    twice = zlib.compress(zlib.compress(b"\0" * (1 << 28), 9), 9)
    return assemble([stream(twice, "/Filter [/FlateDecode /FlateDecode]")])


def _stream(lines: Sequence[str]) -> bytes:
    shown = b" T* ".join(
        b"(" + line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b") Tj"
        for line in lines
    )
    return stream(b"BT /F1 12 Tf 72 720 Td 14 TL " + shown + b" ET" if lines else b"")
