"""Quotations that lie, in every way that a model or a person finds; and that none that is right is refused."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from activities.tools.citations import Library, Verification, verify_quotation
from tests.tools.folder import HARBOUR, RULES, Folder
from tests.tools.pdf_files import ANNUAL

FOLDER = Folder(
    {
        "log.md": HARBOUR,
        "rules.txt": RULES,
        "twice.txt": "Salt pays no duty.\nOil does.\nSalt pays no duty.\n",
        "acts.txt": "It is illegal under the treaty of Kell.\nThe loss was -12.50 crowns, the gain 4,200.5 crowns.\n",
        "café.txt": "Le cafe\u0301 ferme à midi.\n港口在黎明开放。灯塔看守人敲钟。\n",
        "report.pdf": ["\n".join(page) for page in ANNUAL],
        "old:p3.txt": "A text whose name looks like a page.\n",
    }
)


async def verify(quote: str, source: str, folder: Folder | None = FOLDER) -> Verification:
    return await verify_quotation(quote, source, Library(folder))


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        ("No ship enters after dark.", "log.md:4"),
        ("Ships wait\noutside the bar", "log.md:3"),
        ("The weigher signs\nevery bill twice.", "rules.txt:2"),
        ("Salt pays no duty.", "twice.txt:1"),
        ("Salt pays no duty.", "twice.txt:3"),
        ("灯塔看守人", "café.txt:2"),
        ("The harbour earned 4,200 crowns", "report.pdf:p1"),
        ("earned 4,200 crowns from   mooring fees", "report.pdf:p1"),
        ("the council thought too much.", "report.pdf:p2"),
        ("Its keeper\nwas paid", "report.pdf:p2:2"),
        ("whose name looks like a page", "old:p3.txt:1"),
    ],
)
async def test_what_stands_there_is_verified(quote: str, source: str) -> None:
    found = await verify(quote, source)
    assert (found.status, found.problem) == ("verified", "")
    again = await verify(found.quote, found.source)
    assert (again.status, again.quote, again.source) == ("verified", found.quote, found.source)


@pytest.mark.parametrize(
    ("quote", "source", "right", "says"),
    [
        ("No ship enters after dark.", "log.md:3", "log.md:4", "starts at line 4"),
        ("No ship enters after dark.", "log.md:400000", "log.md:4", "starts at line 4"),
        ("No ship enters after dark.", "log.md", "log.md:4", "not written as path:line"),
        ("No ship enters after dark.", "log.md:4-5", "log.md:4", "not written as path:line"),
        ("No ship enters after dark.", "log.md:p4", "log.md:4", "not written as path:line"),
        ("Ships wait outside the bar", "log.md:3", "log.md:3", "white space differs"),
        ("Ships wait outside the bar", "log.md:9", "log.md:3", "starts at line 3"),
        ("Dredging cost 1,310 crowns", "report.pdf:p1", "report.pdf:p3", "is on page 3"),
        ("Dredging cost 1,310 crowns", "report.pdf:p99", "report.pdf:p3", "is on page 3"),
        ("Dredging cost 1,310 crowns", "report.pdf:3", "report.pdf:p3", "not written as path:pPAGE"),
        ("Dredging cost 1,310 crowns", "report.pdf", "report.pdf:p3", "not written as path:pPAGE"),
    ],
)
async def test_the_right_words_at_a_wrong_place_are_corrected(quote: str, source: str, right: str, says: str) -> None:
    found = await verify(quote, source)
    assert (found.status, found.source) == ("corrected", right)
    assert says in found.problem
    assert (await verify(found.quote, found.source)).status == "verified"


@pytest.mark.parametrize(
    ("quote", "source", "says"),
    [
        ("No ship enters after noon.", "log.md:4", "word for word"),
        ("no ship enters after dark.", "log.md:4", "word for word"),
        ("No ship … after dark.", "log.md:4", "word for word"),
        ("No ship enters after d\u0430rk.", "log.md:4", "word for word"),  # a Cyrillic letter
        ("No\u200b ship enters after dark.", "log.md:4", "word for word"),
        ("No ship enters after dark.", "rules.txt:4", "word for word"),
        ("No ship enters after dark.", "invented.md:4", "names no document"),
        ("No ship enters after dark.", "../log.md:4", "names no document"),
        ("No ship enters after dark.", "the harbour log", "not written as path:line"),
        ("Salt pays no duty.", "twice.txt:2", "starts at line 1, and 1 times elsewhere"),
        ("Salt pays no duty.", "twice.txt", "starts at line 1, and 1 times elsewhere"),
        ("legal under the treaty of Kell", "acts.txt:1", "within a word or number"),
        ("12.50 crowns", "acts.txt:2", "within a word or number"),
        ("The loss was -12", "acts.txt:2", "within a word or number"),
        ("the gain 4", "acts.txt:2", "within a word or number"),
        ("200.5 crowns", "acts.txt:2", "within a word or number"),
        ("Le cafe", "café.txt:1", "within a word or number"),
        ("The harbour earned 4,300 crowns", "report.pdf:p1", "word for word"),
        ("he harbour earned 4,200 crowns", "report.pdf:p1", "within a word or number"),
        ("", "log.md:4", "is empty"),
        ("\n \t", "log.md:4", "is empty"),
        ("No ship enters", "", "not written as path:line"),
        ("No ship enters", "log.md:٤", "not written as path:line"),
        ("No ship enters", ":4", "not written as path:line"),
        ("\ud800", "log.md:4", "word for word"),
    ],
)
async def test_a_lie_fails_in_one_sentence(quote: str, source: str, says: str) -> None:
    found = await verify(quote, source)
    assert (found.status, found.quote, found.source) == ("failed", "", "")
    assert says in found.problem
    assert found.problem.isprintable()
    assert len(found.problem) < 600


_LETTERS = st.text(alphabet="abcdeäXYZ 0123456789.,-\n\t\r\f\u2028\u0301港口", min_size=1, max_size=200)


@given(text=_LETTERS, data=st.data())
async def test_any_whole_words_of_any_text_verify_at_their_line_and_altered_ones_do_not(text: str, data: Any) -> None:
    flat = text.replace("\r\n", "\n")
    spans = [
        (start, end)
        for start in range(len(flat))
        for end in range(start + 1, len(flat) + 1)
        if not flat[start].isspace()
        and not flat[end - 1].isspace()
        and (start == 0 or flat[start - 1].isspace())
        and (end == len(flat) or flat[end].isspace())
    ]
    assume(spans)
    start, end = data.draw(st.sampled_from(spans))
    quote, line = flat[start:end], flat.count("\n", 0, start) + 1
    folder = Folder({"a.txt": text})
    found = await verify(quote, f"a.txt:{line}", folder)
    assert (found.status, found.quote) == ("verified", quote)
    at = data.draw(st.integers(0, len(quote) - 1))
    altered = quote[:at] + "q" + quote[at + 1 :]
    assert (await verify(altered, f"a.txt:{line}", folder)).status == "failed"


@given(pages=st.lists(st.text(alphabet="abc 1.\n", max_size=40), min_size=1, max_size=5), data=st.data())
async def test_any_words_of_any_page_verify_at_their_page(pages: list[str], data: Any) -> None:
    number = data.draw(st.integers(1, len(pages)))
    spoken = pages[number - 1].split()
    assume(spoken)
    first = data.draw(st.integers(0, len(spoken) - 1))
    quote = data.draw(st.sampled_from([" ", "\n", "  "])).join(spoken[first:])
    folder = Folder({"a.pdf": pages})
    found = await verify(quote, f"a.pdf:p{number}", folder)
    assert (found.status, found.source, found.quote) == ("verified", f"a.pdf:p{number}", " ".join(spoken[first:]))
    assert (await verify(quote + "q", f"a.pdf:p{number}", folder)).status == "failed"


async def test_many_documents_are_not_all_held() -> None:
    folder = Folder({f"{at}.txt": f"Number {at} is here." for at in range(30)})
    library = Library(folder)
    for at in [*range(30), *range(30)]:
        assert (await verify_quotation(f"Number {at} is here.", f"{at}.txt:1", library)).status == "verified"
    assert len(library._open) == 8
    assert folder.reads == 60
