"""Searching and reading the input folder: what is found, that it is verbatim, and that its line is right."""

import csv
import json
import time
from typing import Any

import pytest

from activities.tools.base import ToolContext
from activities.tools.documents import MAX_RESULT_BYTES, read_document, search_documents
from activities.tools.quotes import check_quotes
from activities.tools.search import MAX_PASSAGE, IndexCache, PassageIndex, TextIndex, passages
from tests.tools.folder import HARBOUR, RULES, Folder
from tests.tools.pdf_files import ANNUAL


async def search(folder: Folder, query: str, **more: Any) -> list[dict[str, str]]:
    arguments = search_documents.arguments.model_validate({"query": query, **more})
    text = await search_documents(ToolContext("request", folder), arguments)
    assert len(text.encode()) < 16 * 1024
    found: list[dict[str, str]] = json.loads(text)
    for item in found:
        path, _, line = item["source"].rpartition(":")
        rest = folder.texts[path].split("\n", int(line) - 1)[int(line) - 1]
        assert item["text"] in rest
        assert item["text"].split("\n")[0].strip() in rest.split("\n")[0]
    return found


async def read(folder: Folder, **arguments: Any) -> dict[str, Any]:
    text = await read_document(ToolContext("request", folder), read_document.arguments.model_validate(arguments))
    assert len(text.encode()) < 16 * 1024
    found: dict[str, Any] = json.loads(text)
    return found


async def test_the_best_passage_comes_first_with_its_line() -> None:
    found = await search(Folder({"log.md": HARBOUR, "rules.txt": RULES}), "Who rings the bell when a lamp goes out?")
    assert found[0]["source"] == "log.md:11"
    assert "rings the bell" in found[0]["text"]


async def test_other_forms_of_a_word_match() -> None:
    assert (await search(Folder({"rules.txt": RULES}), "weighing"))[0]["source"] == "rules.txt:1"


async def test_a_heading_is_searched_for_the_passages_below_it() -> None:
    long = "## Moorings\n\n" + "\n\n".join(f"Paragraph {at} says this. " + "Rope and chain. " * 25 for at in range(4))
    found = await search(Folder({"a.md": long, "b.md": HARBOUR}), "moorings")
    assert len(found) == 4
    assert "Moorings" not in found[1]["text"]


async def test_hash_signs_in_code_are_no_headings() -> None:
    text = "# Top\n\n```sh\n# comment\nrun\n```\n\nBody."
    assert [passage.heading for passage in passages("a.md", text)] == ["Top"]


@pytest.mark.parametrize(
    "query",
    [
        'lamp" OR "bell',
        "NEAR(lamp bell)",
        "body:lamp",
        "lamp*",
        "-lamp",
        "(((lamp",
        "lamp AND NOT bell",
        "lamp\x00'; DROP",
        "^lamp",
    ],
)
async def test_nothing_in_a_query_is_an_operator(query: str) -> None:
    assert any("northern lamp" in item["text"] for item in await search(Folder({"log.md": HARBOUR}), query))


def test_a_word_with_quotation_marks_is_a_string_to_the_index() -> None:
    index = TextIndex([("", "bell"), ("", "lamp")])
    assert index.search(['lamp" OR "bell'], 5) == []
    assert index.rows("lamp OR bell", "body") == set()
    assert [row for row, _ in index.search(["LAMP", "AND"], 5)] == [1]


async def test_chinese_and_japanese_are_found_by_parts_of_a_clause() -> None:
    folder = Folder({"zh.md": "港口在黎明开放。灯塔看守人敲钟。", "ja.md": "灯台守は鐘を鳴らす。"})
    assert [item["source"] for item in await search(folder, "谁敲钟")] == ["zh.md:1"]
    assert [item["source"] for item in await search(folder, "鐘")] == ["ja.md:1"]


async def test_names_with_colons_escapes_and_other_scripts_are_sources() -> None:
    folder = Folder({"a:b\\n:c.md": "Salt is dear.", "日誌 ü.md": "Salt is cheap."})
    assert {item["source"] for item in await search(folder, "salt")} == {"a:b\\n:c.md:1", "日誌 ü.md:1"}


async def test_lines_are_counted_at_line_feeds_only() -> None:
    text = "one\x0cstill one\u2028still\x85still\x0bone\rone\r\n\r\nthe anchor\r\n"
    assert (await search(Folder({"a.txt": "\n\n" + text}), "anchor"))[0]["source"] == "a.txt:3"
    assert (await read(Folder({"a.txt": text}), path="a.txt", start_line=3)) == {
        "source": "a.txt:3",
        "text": "the anchor\r\n",
        "lines": 3,
    }


async def test_empty_files_and_an_empty_folder_find_nothing() -> None:
    assert await search(Folder({"a.md": "", "b.md": " \n\n\t\n"}), "lamp") == []
    assert await search(Folder({}), "lamp") == []
    assert await read(Folder({"a.md": ""}), path="a.md") == {"source": "a.md:1", "text": "", "lines": 0}


async def test_one_line_of_four_megabytes_is_cut_into_passages() -> None:
    folder = Folder(
        {"big.txt": "ballast " * 300_000 + "the figurehead " + "ballast " * 200_000, "wall.txt": "x" * 4_000_000}
    )
    found = await search(folder, "figurehead")
    assert len(found) == 1
    assert len(found[0]["text"]) <= MAX_PASSAGE
    assert "figurehead" in found[0]["text"]
    part = await read(folder, path="wall.txt")
    assert part["lines"] == 1
    assert set(part["text"]) == {"x"}


async def test_a_long_answer_stays_below_what_a_model_gets_inline() -> None:
    folder = Folder({"a.txt": "\n\n".join("錨 anchor " * 110 for _ in range(40)), "b.txt": "\x1f\x1f\n" * 30_000})
    assert 1 < len(await search(folder, "anchor", limit=20)) < 20
    part = await read(folder, path="b.txt", max_lines=20_000)
    again = await read(folder, path="b.txt", start_line=part["next_line"], max_lines=20_000)
    assert part["text"].count("\n") + 2 == part["next_line"]
    assert again["source"] == f"b.txt:{part['next_line']}"
    assert MAX_RESULT_BYTES > 10_000


async def test_equal_passages_come_in_the_order_of_their_paths() -> None:
    folder = Folder(dict.fromkeys(("c.md", "a.md", "b.md"), "The same anchor."))
    assert [item["source"] for item in await search(folder, "anchor")] == ["a.md:1", "b.md:1", "c.md:1"]
    assert len(await search(folder, "anchor", limit=2)) == 2


async def test_reading_around_a_line() -> None:
    part = await read(Folder({"log.md": HARBOUR}), path="log.md", start_line=8, max_lines=2)
    assert part["text"] == "- A pilot is paid 12 shillings for each ship.\n- Pilots rest two days after a storm."
    assert (part["source"], part["next_line"], part["lines"]) == ("log.md:8", 10, 23)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "docs/log.md"}, "nearest names are log.md"),
        ({"path": "rulez.txt"}, "nearest names are rules.txt"),
        ({"path": "\x1b[31m/etc/passwd"}, "\\\\x1b"),
        ({"path": "log.md", "start_line": 99}, "has 23 lines"),
    ],
)
async def test_what_cannot_be_read_says_why(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        await read(Folder({"log.md": HARBOUR, "rules.txt": RULES}), **arguments)


@pytest.mark.parametrize("query", ["", "   ", "?!", "\n"])
async def test_an_empty_query_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="query is empty"):
        await search(Folder({"log.md": HARBOUR}), query)


@pytest.mark.parametrize("limit", [0, 21])
async def test_the_limit_is_bounded(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        await search(Folder({"log.md": HARBOUR}), "lamp", limit=limit)


async def test_without_a_folder_there_are_no_documents() -> None:
    for tool, arguments in ((search_documents, {"query": "lamp"}), (read_document, {"path": "a"})):
        with pytest.raises(ValueError, match="no input folder"):
            await tool(ToolContext("request"), tool.arguments.model_validate(arguments))


async def test_a_snapshot_is_read_and_indexed_once() -> None:
    folder = Folder({"once.md": HARBOUR + "once"})
    await search(folder, "lamp")
    await search(folder, "pilot")
    assert folder.reads == 1


def test_the_index_used_longest_ago_makes_room() -> None:
    cache, built = IndexCache(size=2), list[str]()

    def build(name: str) -> PassageIndex:
        built.append(name)
        return PassageIndex([(name, "text")])

    def get(name: str) -> PassageIndex:
        return cache.get_or_build(name, lambda: build(name))

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert built == ["a", "b", "c", "b"]


def test_a_large_folder_is_indexed_in_seconds() -> None:
    texts = [(f"{at}.md", HARBOUR * 20) for at in range(200)]
    began = time.monotonic()
    index = PassageIndex(texts)
    assert index.search("whale oil", 3)[0].path == "0.md"
    assert time.monotonic() - began < 20


PDF = Folder({"log.md": HARBOUR, "report.pdf": ["\n".join(page) for page in ANNUAL]})


async def test_a_passage_of_a_pdf_is_cited_by_its_page_and_verifies() -> None:
    arguments = search_documents.arguments.model_validate({"query": "What did dredging cost?"})
    found = json.loads(await search_documents(ToolContext("request", PDF), arguments))
    assert found[0] == {"source": "report.pdf:p3", "text": "\n".join(ANNUAL[2])}
    quotes = [{"quote": item["text"], "source": item["source"]} for item in found]
    assert await check_quotes.function(ToolContext("request", PDF), quotes) == []


async def test_a_pdf_is_read_from_a_page_on() -> None:
    pages = ["\n".join(page) for page in ANNUAL]
    assert await read(PDF, path="report.pdf", start_page=2) == {
        "passages": [{"source": "report.pdf:p2", "text": pages[1]}, {"source": "report.pdf:p3", "text": pages[2]}],
        "pages": 3,
    }
    part = await read(PDF, path="report.pdf", max_lines=4)
    assert [item["source"] for item in part["passages"]] == ["report.pdf:p1", "report.pdf:p2"]
    assert (part["next_page"], part["next_line"]) == (2, 2)
    rest = await read(PDF, path="report.pdf", start_page=2, start_line=2)
    assert rest["passages"][0]["text"] == ANNUAL[1][1]


async def test_every_page_of_a_long_pdf_is_reached_in_bounded_answers() -> None:
    pages = ["\n".join(f"Line {at} of page {page}: " + "rope " * 200 for at in range(30)) for page in range(6)]
    folder, read_so_far, more = Folder({"long.pdf": pages}), "", {"start_page": 1}
    for _ in range(40):
        part = await read(folder, path="long.pdf", **more)
        read_so_far += "\n".join(item["text"] for item in part["passages"]) + "\n"
        if "next_page" not in part:
            break
        more = {"start_page": part["next_page"], "start_line": part.get("next_line", 1)}
    assert read_so_far == "\n".join(pages) + "\n"


@pytest.mark.parametrize(
    ("path", "source"),
    [("report.pdf:p3", "report.pdf:p3"), ("report.pdf:p3:2", "report.pdf:p3"), ("report.pdf:2", "report.pdf:p2")],
)
async def test_a_source_is_taken_for_a_path(path: str, source: str) -> None:
    assert (await read(PDF, path=path))["passages"][0]["source"] == source
    assert (await read(PDF, path="log.md:8", max_lines=1))["source"] == "log.md:8"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"path": "report.pdf", "start_page": 4}, "has 3 pages"), ({"path": "log.md", "start_page": 2}, "has no pages")],
)
async def test_pages_that_are_not_there_say_so(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await read(PDF, **arguments)


async def test_rows_of_a_table_are_whole_and_come_with_their_columns() -> None:
    rows = [f'2026-01-{at % 28 + 1:02},taxi to port {at},"{at}.50"' for at in range(100)]
    for at in range(3, 100, 7):
        rows[at] = f'2026-01-{at % 28 + 1:02},"taxi {"to the port of call, " * 16}\nand\nback",1'
    rows[50] = '2026-02-01,"ferry to Kell,\nwith ""horse""\n\nand cart",80.00'
    table = "day,what,amount\n" + "\n".join(rows) + "\n"
    folder = Folder({"spend.csv": table})
    found = await search(folder, "ferry horse cart")
    assert found[0]["columns"] == "day,what,amount"
    assert rows[50] in found[0]["text"]
    every = list(passages("spend.csv", table))
    assert "\n".join(passage.text for passage in every) == table.rstrip()
    assert all(passage.text.startswith(("day,", "2026-")) for passage in every)
    assert sum(len(list(csv.reader([*passage.text.splitlines(keepends=True)]))) for passage in every) == 101
    assert len(every) > 8
    assert every[0].columns == ""


def test_a_table_with_a_stray_quotation_mark_keeps_its_lines() -> None:
    rows = [f"{at},5 inch pipe" for at in range(400)]
    rows[7] = '7,5" pipe'
    table = "\n".join(["number,what", *rows])
    every = list(passages("a.csv", table))
    assert "\n".join(passage.text for passage in every) == table
    assert all(table.split("\n")[passage.line - 1] == passage.text.split("\n")[0] for passage in every)
    assert max(len(passage.text) for passage in every) <= MAX_PASSAGE


def test_a_hostile_table_takes_seconds() -> None:
    for table in ('"' + "\n" * 1_000_000, '"\n' * 500_000, '"a,' * 300_000, ('"' + "x" * 1300 + "\n") * 700):
        began = time.monotonic()
        for passage in passages("a.csv", table):
            assert len(passage.text) <= MAX_PASSAGE
        assert time.monotonic() - began < 10
