"""Every word of a page stays on its line; what is no text is gone; no page takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.input_html import html_text

PAGE = """<!DOCTYPE html>
<html><head><title>Harbour &amp; tide</title>
<style>
p { content: "not a word"; }
</style>
<script>if (a < b) { document.write("<p>nor this</p>"); }
</script></head>
<body class="a > b"
      data-x='<p>attribute</p>'>
<!-- a comment
over lines --><p>No ship
enters&nbsp;after d<b>ar</b>k.</p><ul><li>one<li>two</ul>
5 &lt; 6 &#38; 7 < 8 &notanentity; &#10;end
<textarea>kept</textarea></body></html>
"""


def test_each_word_is_on_its_line() -> None:
    lines = html_text(PAGE).split("\n")
    assert len(lines) == len(PAGE.split("\n"))
    shown = {number: line for number, line in enumerate(lines, 1) if line}
    assert shown == {
        2: "Harbour & tide",
        11: "No ship",
        12: "enters after dark. one two",
        13: "5 < 6 & 7 < 8 ¬anentity; end",
        14: "kept",
    }


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a<br>b</p>c", "a b c"),
        ("a<b>b</b>c", "abc"),
        ("<SCRIPT>x</ScRiPt >y", "y"),
        ("<p title=it's>apostrophe</p>", "apostrophe"),
        ("a <- b, 1<2", "a <- b, 1<2"),
        ("before<script>never closed <p>x</p>", "before"),
        ("before<!-- never closed", "before"),
        ("before<p class='never closed>text", "before"),
        ("</>a</ b>c", "a c"),
        ("<?php echo 1 ?>a<![CDATA[b]]>", "a"),
        ("&#0;&#xD800;&#x110000;a", "\ufffd\ufffd\ufffda"),
    ],
)
def test_odd_markup(source: str, text: str) -> None:
    assert html_text(source).strip() == text


@given(st.text(alphabet="<>/!-ab\n\"'=& ;#script", max_size=200))
def test_no_page_moves_a_line(source: str) -> None:
    assert html_text(source).count("\n") == source.count("\n")


@pytest.mark.parametrize(
    "unit", ["<", "<!--", "<a ", "<a b='", "<script>", "</", "<div>", "&", "<a =", "<![", "= '<b "]
)
def test_a_megabyte_of_anything_takes_seconds(unit: str) -> None:
    began = time.monotonic()
    html_text("word " + unit * (1_000_000 // len(unit)))
    assert time.monotonic() - began < 10
