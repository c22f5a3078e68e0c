"""A quotation passes only where it stands, word for word, on the line that is named."""

from typing import Any

import pytest

from activities.tools.base import ToolContext
from activities.tools.quotes import MAX_PROBLEMS, check_quotes
from tests.tools.folder import HARBOUR, RULES, Folder

FOLDER = Folder(
    {"log.md": HARBOUR, "rules.txt": RULES, "a:b.md": "Salt.\nSalt.\n", "feed.txt": "one\x0cone\u2028one\ntwo\n"}
)


async def problems(output: Any, folder: Folder | None = FOLDER) -> list[str]:
    found: list[str] = await check_quotes.function(ToolContext("request", folder), output)
    return found


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        ("No ship enters after dark.", "log.md:4"),
        ("Ships wait\noutside the bar", "log.md:3"),
        ("  No ship enters after dark.\n", "log.md:4"),
        ("The weigher signs\r\nevery bill twice.", "rules.txt:2"),
        ("The weigher signs\nevery bill twice.", "rules.txt:2"),
        ("Salt.", "a:b.md:2"),
        ("two", "feed.txt:2"),
    ],
)
async def test_a_right_quotation_passes(quote: str, source: str) -> None:
    assert await problems({"answer": "x", "quotes": [{"quote": quote, "source": source, "why": "y"}]}) == []


@pytest.mark.parametrize(
    ("quote", "source", "says"),
    [
        ("No ship enters after dark.", "log.md:3", "it starts at line 4"),
        ("No ship enters after noon.", "log.md:4", "word for word"),
        ("no ship enters after dark.", "log.md:4", "word for word"),
        ("Ships wait outside the bar", "log.md:3", "word for word"),
        ("No ship enters", "log.md", "path:line"),
        ("No ship enters", "log.md:four", "path:line"),
        ("No ship enters", "other.md:4", "names no document"),
        (" ", "log.md:4", "is empty"),
        ("two", "feed.txt:4", "it starts at line 2"),
        ("\x1b[2Jhi", "log.md:1", "\\x1b[2Jhi"),
        ("q" * 9000, "log.md:1", "…"),
    ],
)
async def test_a_wrong_quotation_is_one_bounded_sentence(quote: str, source: str, says: str) -> None:
    (problem,) = await problems([{"deep": {"quote": quote, "source": source}}])
    assert says in problem
    assert len(problem) < 500
    assert problem.isprintable()


async def test_at_most_ten_problems_in_the_order_of_the_answer() -> None:
    found = await problems([{"quote": f"invented {at}", "source": "log.md:1"} for at in range(30)])
    assert len(found) == MAX_PROBLEMS
    assert "invented 0" in found[0]


async def test_other_values_and_deep_nesting_are_no_trouble() -> None:
    deep: Any = {"quote": "invented", "source": "log.md:1"}
    for _ in range(5_000):
        deep = [deep]
    assert len(await problems(deep)) == 1
    assert await problems({"quote": 3, "source": None, "more": [1, "x", None, {"quote": "alone"}]}) == []


async def test_without_a_folder_no_quotation_is_right() -> None:
    assert "names no document" in (await problems({"quote": "Salt.", "source": "a:b.md:1"}, None))[0]


async def test_a_letter_that_is_everywhere_in_a_large_file_is_checked_quickly() -> None:
    folder = Folder({"big.txt": "e\n" * 500_000})
    assert await problems([{"quote": "e", "source": "big.txt:400000"}] * 20, folder) == []
    assert "starts at line 1000" in (await problems({"quote": "e", "source": "big.txt:500001"}, folder))[0]
    assert "starts at line 1" in (await problems({"quote": "e", "source": "big.txt:0"}, folder))[0]
