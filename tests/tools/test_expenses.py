"""Expense lines: read by rules, money added up by code, every line in one state."""

import csv
import hashlib
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activities.contracts.base import MAX_TEXT
from activities.contracts.snapshot import SnapshotFile
from activities.tools.base import Tool, ToolContext
from activities.tools.expense_amounts import read_amount
from activities.tools.expense_lines import flag_duplicates, read_lines
from activities.tools.expense_notes import remark
from activities.tools.expenses import expense_findings, expense_subtasks, expense_work, settle_expenses

HEADER = "date,employee,merchant,description,amount,currency\n"
LIMITS = {"any": 500, "restaurant": 80}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.50", "12.50"), ("12,50", "12.50"), ("1.234,56", "1234.56"), ("1,234.56", "1234.56"), ("7", "7"),
        ("1'234.50", "1234.50"), ("1 234,50", "1234.50"), ("1\u00a0234", "1234"), ("-3.00", "-3.00"), ("(3.00)", "-3.00"),
        ("1.234.567", "1234567"), ("1.234.567,8", "1234567.8"), ("0,5", "0.5"), ("1234567.89", "1234567.89"),
        ("12.", None), ("1,234", None), ("1.234", None), ("0,001", None), ("1.2345", None), ("", None), ("abc", None), ("1-2", None),
        ("=1+1", None), ("1e5", None), ("NaN", None), (".5", None), ("1.2.3", None), ("1,234.567", None), ("1.234,567", None),
        ("12 34", None), ("10.12.25", None), ("192.168.1.1", None), ("(12", None), ("12)", None), ("(-12)", None), ("5-", None),
        ("1,23,456", None), ("1.234'567", None), ("1 234'567", None), ("1\n234", None), ("1,234,56", None), ("1.234.56", None),
        ("0.123,45", None), ("\u0661\u0662", None), ("\uff11", None), ("05", None), ("9" * 65, None),
    ],
)  # fmt: skip
def test_an_amount_is_read_or_refused_and_never_guessed(text: str, value: str | None) -> None:
    assert read_amount(text) == (None if value is None else (Decimal(value), ""))


@pytest.mark.parametrize(
    ("amount", "currency", "read", "why"),
    [
        ("€ 7", "", "7.00 EUR", ""), ("7 £", "", "7.00 GBP", ""), ("USD 100", "", "100.00 USD", ""), ("5\u00a0CHF", "CHF", "5.00 CHF", ""),
        ("7", "", "7.00 EUR", ""), ("$45", "USD", "45.00 USD", ""),
        ("USD 100", "EUR", " EUR", "its amount is in USD, and its currency is EUR"),
        ("$45", "", " ", "its amount is in $, which is not one currency"),
        ("$45", "EUR", " EUR", "its amount is in $, which is not EUR"),
        ("EUR 5 USD", "", " EUR", "its amount 'EUR 5 USD' cannot be read"),
    ],
)  # fmt: skip
def test_the_unit_beside_an_amount_is_its_currency_and_never_ignored(
    amount: str, currency: str, read: str, why: str
) -> None:
    (line,) = read_lines("x.csv", HEADER + f"2026-01-01,a,m,d,{amount},{currency}\n", "EUR")
    assert f"{line.amount} {line.currency}" == read
    assert line.rejected == ([why] if why else [])


def test_a_line_has_its_place_in_the_file_even_after_quoted_line_ends() -> None:
    text = HEADER + '2026-01-01,a,m,"two\nlines",1.00,EUR\n\n2026-01-02,a,m,d,2.00,EUR\n'
    assert [(line.line, line.description, line.flags) for line in read_lines("x.csv", text, "EUR")] == [
        ("x.csv:2", "two lines", ["it goes over several lines of the file"]),
        ("x.csv:5", "d", []),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_of_a_file_ends_with_a_line_end_and_nothing_else(end: str) -> None:
    text = HEADER + "2026-01-02,a,m,Pens\x0bblue\x0c\x85,1,EUR\n2026-01-03,b,m,a\u2028b\u2029\x1c,2,EUR\n"
    lines = list(read_lines("x.csv", text.replace("\n", end), "EUR"))
    assert [(line.line, line.employee, line.amount) for line in lines] == [
        ("x.csv:2", "a", "1.00"),
        ("x.csv:3", "b", "2.00"),
    ]


ANN, BOB = '2026-01-02,Ann,Shop,"24 inch,400.00,EUR\n', "2026-01-03,Bob,Shop,Cable,10.00,EUR\n"


@pytest.mark.parametrize(
    ("rows", "rejected", "good"),
    [
        pytest.param(ANN + BOB * 60, [2], list(range(3, 63)), id="not closed"),
        pytest.param(ANN + BOB.replace("Cable", '"Cable"'), [2], [3], id="closed by the next line's"),
        pytest.param(ANN + BOB.replace("Cable", 'Cable 5"') + BOB, [2, 3], [4], id="joined"),
        pytest.param(ANN + BOB.replace("Cable,10.00,EUR", '5",1.00'), [2, 3], [], id="joined with a short line"),
        pytest.param(ANN.replace('"', "x" * 140_000) + BOB, [2], [3], id="huge"),
        pytest.param(BOB.replace("Cable", '"' + "x\n" * 60 + '"') + BOB, None, [63], id="too many lines"),
    ],
)
def test_a_quotation_mark_too_many_costs_its_own_lines_only(
    rows: str, rejected: list[int] | None, good: list[int]
) -> None:
    lines = list(read_lines("x.csv", HEADER + rows, "EUR"))
    assert [int(line.line.removeprefix("x.csv:")) for line in lines if not line.rejected] == good
    if rejected is not None:
        assert [int(line.line.removeprefix("x.csv:")) for line in lines if line.rejected] == rejected
    assert all(line.employee in {"", "Bob"} for line in lines), "Ann's line did not take anything of Bob's"


ROWS = st.lists(
    st.sampled_from([*'",;\t\n\r ', "\r\n", '""', "x", "2026-01-02", "1.00", "\x0b", "\u2028", "\0", "\ufeff"])
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), ROWS.map("".join)))
@example('"a\n1,1,1,1,1,1\n')
@example('2026-01-02,Ann,Shop,"24 inch,400.00,EUR\n2026-01-03,Bob,Shop,"Cable",10.00,EUR\n')
def test_every_line_after_the_header_belongs_to_exactly_one_record(text: str) -> None:
    held = [number for number, line in enumerate(io.StringIO(text, newline=""), 2) if line.replace(",", "").strip()]
    lines = list(read_lines("x.csv", HEADER + text, "EUR"))
    places = [(int(line.line.removeprefix("x.csv:")), line.spans) for line in lines]
    covered = [number for first, spans in places for number in range(first, first + spans)]
    assert len(covered) == len(set(covered)), "no line belongs to two"
    assert set(held) <= set(covered), "no line vanishes"
    assert all(first in held for first, _ in places), "no line is made up"


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|'/c calc'!A0", "-cmd", " =x"])
def test_a_formula_is_flagged(cell: str) -> None:
    text = "date;description;amount\n2026-01-01;" + cell + ";1,00\n"
    (line,) = read_lines("x.csv", text, "EUR")
    assert line.flags == ["the column description holds a formula"]
    assert line.amount == "1.00"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("date,what", "the file has no column description and no column amount"),
        ("date,amount,description,Amount", "the file has more than one column for the amount: amount, amount"),
        ("date,amount,description,total", "the file has more than one column for the amount: amount, total"),
        ("date,date,description,amount", "the file has more than one column for the date: date, date"),
        ('date,"description,amount', "the file's header: it is no CSV: a quotation mark is not closed"),
    ],
)
def test_every_line_of_a_file_whose_columns_are_in_doubt_is_rejected(header: str, why: str) -> None:
    lines = list(read_lines("x.csv", header + '\n2026-01-01,5,a,50"\n,\n2026-01-02,5,b,50\n', "EUR"))
    header_too = ["x.csv:1"] if "no CSV" in why else []
    assert [line.line for line in lines] == [*header_too, "x.csv:2", "x.csv:4"]
    assert all(line.rejected == [why] for line in lines)


def test_a_file_that_begins_with_an_expense_loses_none() -> None:
    lines = list(read_lines("x.csv", "2026-01-02,A,B,pens,5,EUR\n2026-01-02,A,B,pens,6,EUR\n", "EUR"))
    assert [line.line for line in lines] == ["x.csv:1", "x.csv:2"]
    assert all("the file has no column date" in line.rejected[0] for line in lines)


def test_a_line_of_too_many_cells_shows_no_amount() -> None:
    (line,) = read_lines("x.csv", HEADER + "2026-01-01,a,m,d,1,234.50,EUR\n", "EUR")
    assert (line.amount, line.currency) == ("", "")


def test_the_second_of_two_equal_lines_is_flagged() -> None:
    text = HEADER + '2026-01-01,a,m,d,1.00,EUR\n01.01.2026,A,M,other,"1,00",eur\n2026-01-01,b,m,d,1.00,EUR\n'
    lines = list(read_lines("x.csv", text, "EUR"))
    flag_duplicates(lines)
    assert [line.same_as for line in lines] == ["", "x.csv:2", ""]


@pytest.mark.parametrize(
    ("day", "flagged"),
    [("01/02/2026", True), ("1/2/2026", True), ("01/1/2026", False), ("13/02/2026", False), ("01.02.2026", False)],
)
def test_a_date_that_can_be_read_in_two_ways_is_flagged(day: str, flagged: bool) -> None:
    (line,) = read_lines("x.csv", HEADER + f"{day},a,m,d,1.00,EUR\n", "EUR")
    assert not line.rejected
    assert bool(line.flags) is flagged


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("someday,a,m,d,1.00,EUR", "its date cannot be read"),
        (",a,m,d,1.00,EUR", "it has no date"),
        ("2026-01-01,a,m,d,,EUR", "it has no amount"),
        ('2026-01-01,a,m,d,"1,234",EUR', "its amount '1,234' cannot be read"),
        ("2026-01-01,a,,,1.00,EUR", "it does not say what it was for"),
        ("2026-01-01,a,m,d,1.00,euros", "its currency 'EUROS' is none"),
        ("2026-01-01,a,m,d,9999999999,EUR", "its amount is out of all bounds"),
        ("2026-01-01", "it has no amount"),
        ("2026-01-01,a,m,d,1,234.50,EUR", "it has more cells than the header"),
        ("2026-01-01,,m,,1,,,EUR", "it has more cells than the header"),
    ],
)
def test_a_line_that_cannot_be_processed_says_why(row: str, why: str) -> None:
    (line,) = read_lines("x.csv", HEADER + row + "\n", "EUR")
    assert why in line.rejected


@pytest.mark.parametrize(
    ("said", "own", "left"),
    [
        ("Ask for the receipt.", "Shop: pens", "Ask for the receipt."),
        ("Only 12.50 EUR", "Shop: pens", None),
        ("Room 12 of 2", "Hotel, room 12, floor 2", "Room 12 of 2"),
        ("It was 12.2", "Hotel, room 12, floor 2", None),
        ("It was 1", "Hotel, room 12", None),
        ("It was 1\u200b2", "1 and 2", None),
        ("in €", "pens", None), ("x²", "pens", None), ("\u0661", "pens", None), ("five hundred", "pens", None), ("no Dollars", "pens", None),
        ("a\x1b[31m b", "pens [31m", "a [31m b"),
    ],
)  # fmt: skip
def test_a_remark_with_a_number_of_its_own_is_dropped(said: str, own: str, left: str | None) -> None:
    assert remark(said, own, 100) == left


class OneFile:
    """A snapshot of one file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        size = len(text.encode())
        self.files = (SnapshotFile(path="x.csv", digest=self.digest, size_bytes=size),)

    async def text(self, path: str) -> str:
        assert path == "x.csv"
        return self._text


class Written(dict[str, bytes]):
    """Artifacts in memory."""

    async def write(self, name: str, data: bytes, media_type: str = "text/plain") -> None:
        del media_type
        self[name] = data


class Desk:
    """Calls the tools as the supervisors do, and holds every argument and result to what a call may have."""

    def __init__(self, text: str) -> None:
        self.artifacts = Written()
        self._context = ToolContext("id", OneFile(text), self.artifacts)

    async def call(self, tool: Tool, **given: Any) -> Any:
        arguments = json.dumps(given, ensure_ascii=False)
        assert len(arguments) < MAX_TEXT, tool.spec.name
        result = await tool(self._context, tool.arguments.model_validate_json(arguments))
        assert len(result.encode()) < MAX_TEXT, tool.spec.name
        return json.loads(result)

    async def settle(self, category: str = "hotel", objection: str = "none", reason: str = "", note: str = "") -> Any:
        """The whole team, its workers answering all alike."""
        done: list[dict[str, Any]] = []
        for round_number in (1, 2):
            for task in await self.call(expense_work, round=round_number, results=done, limits=LIMITS, currency="EUR"):
                if task["type"] == "lines":
                    said = {"categorise": {"category": category}, "comply": {"objection": objection, "reason": reason}}
                    done.append(_done(task, f"s1-{len(done)}", await self._part(task["input"], said)))
                else:
                    done.append(_done(task, f"s2-{len(done)}", {"subtask_id": "s2-1", "note": note}))
        return await self.call(settle_expenses, results=done, limits=LIMITS, missing=[], currency="EUR")

    async def _part(self, part: dict[str, int], said: dict[str, dict[str, str]]) -> Any:
        done: list[dict[str, Any]] = []
        for round_number in (1, 2):
            tasks = await self.call(expense_subtasks, input=part, round=round_number, results=done, currency="EUR")
            assert all(len(task["task"]) <= 8_000 for task in tasks)
            done += [_done(task, f"s{round_number}-1", {"subtask_id": "s", **said[task["type"]]}) for task in tasks]
        return await self.call(expense_findings, input=part, results=done, currency="EUR")


def _done(task: dict[str, Any], subtask_id: str, output: Any) -> dict[str, Any]:
    return {"subtask_id": subtask_id, **task, "status": "complete", "done_by": task["type"], "output": output}


@pytest.mark.parametrize(
    "cell",
    ["ä" * 500, '"' * 500, "\U0001f600" * 500, "\u2028x\x00" * 160],
    ids=["umlauts", "quotes", "faces", "escapes"],
)
async def test_a_thousand_long_lines_fit_what_calls_may_have(cell: str) -> None:
    file = io.StringIO(newline="")
    rows = csv.writer(file)
    rows.writerow(HEADER.strip().split(","))
    rows.writerows(["2026-01-01", cell, f"{n}{cell}", cell, f"{n}.50", "EUR"] for n in range(1000))
    desk = Desk(file.getvalue())
    report = await desk.settle(objection="gift", reason="\\ why" * 60, note='"really" ' * 33)
    assert report["counts"] == {"suspicious": 1000}
    listed = len(report["for_a_person"])
    assert 10 < listed < 1000
    assert report["for_a_person_more"] == f"and {1000 - listed} more in expenses.csv"
    table = list(csv.DictReader(io.StringIO(desk.artifacts["expenses.csv"].decode())))
    assert len(table) == 1000
    assert table[999]["reasons"].startswith("999.50 EUR is over the limit of 500 for hotel; gift: \\ why")
    assert len(json.loads(desk.artifacts["expenses.json"])["all"]) == 1000
    assert desk.artifacts["expenses.md"].decode().count("\n- `x.csv:") == 1000


async def test_a_thousand_lines_that_are_rejected_fit_too() -> None:
    desk = Desk(HEADER + f"someday,{'a' * 500},{'m' * 500},{'d' * 500},{'1' * 500},{'E' * 500}\n" * 1000)
    report = await desk.settle()
    assert report["counts"] == {"rejected": 1000}
    assert report["rejected_more"] == f"and {1000 - len(report['rejected'])} more in expenses.csv"


async def test_more_lines_than_a_run_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="more expense lines than the 1,000 of one run"):
        await Desk(HEADER + BOB * 1001).settle()


async def test_a_line_in_another_currency_is_for_a_person_and_has_no_limit() -> None:
    report = await Desk(HEADER + "2026-01-06,Cy,Shop,toner,999999,KWD\n2026-01-06,Cy,Shop,toner,499,EUR\n").settle()
    (line,) = report["for_a_person"]
    assert line["reasons"] == ["it is in KWD, and limits are in EUR"]
    assert report["totals"]["approved"] == {"EUR": "499.00"}


@pytest.mark.parametrize(("category", "objection"), [("", "none"), ("hotel", "")])
async def test_no_line_is_approved_by_silence(category: str, objection: str) -> None:
    report = await Desk(HEADER + BOB).settle(category, objection)
    assert report["counts"] == {"unprocessed": 1}


async def test_amounts_that_models_make_up_reach_no_file() -> None:
    desk = Desk(HEADER + BOB * 2)
    report = await desk.settle(objection="private", reason="It was 77.77 EUR.", note="Pay 77.77 EUR.")
    assert report["notes_dropped"] == 4
    assert [line["reasons"][-1] for line in report["for_a_person"]] == ["private", "private"]
    assert all(b"77" not in data for data in desk.artifacts.values())
    assert "77" not in json.dumps(report)
