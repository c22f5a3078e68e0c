"""Patterns in texts: where they occur, and what is left when they are taken out."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.matching import Effort, TooMuch, matcher, occurs, redacted, texts, width

MAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"


@pytest.mark.parametrize(
    ("pattern", "value", "left"),
    [
        (MAIL, "ask ann.lee@mail.example.com, or bob@x.de!", "ask #, or #!"),
        (MAIL, {"a": ["x@y.zz", {"b": "no"}], "n": 3}, {"a": ["#", {"b": "no"}], "n": 3}),
        (r"\b\d{4,}\b", "12 12345 x 4444", "12 # x #"),
        ("(?i)secret( plan)?", "The SECRET plan, the secret", "The #, the #"),
        ("a+", "xaaay", "x#y"),
        ("x*", "axxb", "axxb"),
        ("[", "a[b", "a[b"),
    ],
)
def test_what_matches_is_taken_out_of_every_text(pattern: str, value: Any, left: Any) -> None:
    assert redacted(pattern, value, "#", Effort()) == left


def test_names_and_numbers_are_looked_at_and_stay() -> None:
    value: Any = {"ann@x.de": 41112222, "b": True, "c": None, "d": "\ud800"}
    assert occurs(MAIL, value, Effort())
    assert occurs("1111|2222", value, Effort())
    assert not occurs("True|None", value, Effort())
    assert redacted(MAIL, value, "#", Effort()) == value
    assert sorted(texts(value)) == ["41112222", "?", "ann@x.de", "b", "c", "d"]


@given(st.text("ab@. 1", max_size=60), st.sampled_from([MAIL, "a+b", r"\d+", "(ab)+", "b.{2}a", r"@[^ ]*"]))
def test_nothing_that_matches_is_left_and_nothing_else_is_taken(text: str, pattern: str) -> None:
    left = redacted(pattern, text, "#", Effort())
    assert isinstance(left, str)
    assert not occurs(pattern, left, Effort())
    if not occurs(pattern, text, Effort()):
        assert left == text


def test_it_takes_no_longer_than_the_text_is() -> None:
    evil, long = r"(a+)+$", "a" * 200_000 + "b"
    began = time.process_time()
    assert not occurs(evil, long, Effort())
    many = " ".join(["a@b.de"] * 1000)
    assert redacted(MAIL, many, "#", Effort()) == " ".join(["#"] * 1000)
    with pytest.raises(TooMuch):
        redacted(MAIL, many * 10, "#", Effort())
    with pytest.raises(TooMuch):
        occurs("a[ab]{400}c", "ab" * 100_000, Effort())
    assert time.process_time() - began < 1.5
    assert width(r"(?:[ab]c\d{3}){2,4}|x?") >= 4 * 5 + 1
    assert isinstance(matcher("(?=a)", whole=False), str)
