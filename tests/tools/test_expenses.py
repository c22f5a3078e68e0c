"""Expense lines: read by rules, money added up by code, every line in one state."""

from decimal import Decimal

import pytest

from activities.tools.expense_lines import amount_of, flag_duplicates, read_lines

HEADER = "date,employee,merchant,description,amount,currency\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.50", "12.50"), ("12,50", "12.50"), ("1.234,56", "1234.56"), ("1,234.56", "1234.56"), ("€ 7", "7"),
        ("1'234.50", "1234.50"), ("1 234,50", "1234.50"), ("-3.00", "-3.00"), ("(3.00)", "-3.00"), ("1.234.567", "1234567"),
        ("0,5", "0.5"), ("12.", None), ("1,234", None), ("1.2345", None), ("", None), ("abc", None), ("1-2", None), ("=1+1", None),
        ("1e5", None), ("NaN", None), (".5", None),
    ],
)  # fmt: skip
def test_an_amount_is_read_or_refused_and_never_guessed(text: str, value: str | None) -> None:
    assert amount_of(text) == (None if value is None else Decimal(value))


def test_a_line_has_its_place_in_the_file_even_after_quoted_line_ends() -> None:
    text = HEADER + '2026-01-01,a,m,"two\nlines",1.00,EUR\n\n2026-01-02,a,m,d,2.00,EUR\n'
    assert [(line.line, line.description) for line in read_lines("x.csv", text, "EUR")] == [
        ("x.csv:2", "two lines"),
        ("x.csv:5", "d"),
    ]


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|'/c calc'!A0", "-cmd", " =x"])
def test_a_formula_is_flagged(cell: str) -> None:
    text = "date;description;amount\n2026-01-01;" + cell + ";1,00\n"
    (line,) = read_lines("x.csv", text, "EUR")
    assert line.flags == ["the column description holds a formula"]
    assert line.amount == "1.00"


def test_every_line_of_a_file_without_its_columns_is_rejected_with_the_reason() -> None:
    lines = list(read_lines("x.csv", "date,what\n2026-01-01,a\n,\n2026-01-02,b\n", "EUR"))
    assert [line.line for line in lines] == ["x.csv:2", "x.csv:4"]
    assert lines[0].rejected == ["the file has no column description and no column amount"]


def test_the_second_of_two_equal_lines_is_flagged() -> None:
    text = HEADER + '2026-01-01,a,m,d,1.00,EUR\n01.01.2026,A,M,other,"1,00",eur\n2026-01-01,b,m,d,1.00,EUR\n'
    lines = list(read_lines("x.csv", text, "EUR"))
    flag_duplicates(lines)
    assert [line.flags for line in lines] == [[], ["the same date, person, merchant and amount as x.csv:2"], []]


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
    ],
)
def test_a_line_that_cannot_be_processed_says_why(row: str, why: str) -> None:
    (line,) = read_lines("x.csv", HEADER + row + "\n", "EUR")
    assert why in line.rejected
