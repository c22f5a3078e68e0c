"""What a page says: bytes to text by their declared encoding, and HTML without its tags.

Expressions here are linear in the page, whatever it holds: each match ends where it could be found to end, or takes the
whole rest. (The standard library's HTML parser takes quadratic time for unclosed comments.)
"""

import html
import re
from typing import Final

_ENCODINGS: Final = re.compile(
    r"(?i)(utf-?8(-sig)?|utf-?16(-?[bl]e)?|(us-)?ascii|latin-?1|iso-?8859-?\d{1,2}|windows-125\d|cp125\d|koi8-[ru]"
    r"|shift[-_]jis|euc[-_](jp|kr)|gb2312|gbk|gb18030|big5)"
)
"""Encodings of text on the web. Python knows more, some of which take quadratic time or are no text at all."""
_DECLARED: Final = re.compile(rb"(?i)<meta[^>]{1,200}?charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_-]{1,20})")
_NO_TEXT: Final = re.compile(
    r"(?is)<!--.*?(?:-->|\Z)|<(script|style|template|noscript|svg)(?=[\s/>])[^>]*(?:>.*?(?:</\1(?=[\s/>])[^>]*(?:>|\Z)|\Z)|\Z)"
)
_BLOCK: Final = re.compile(
    r"(?i)</?(?:address|article|aside|blockquote|body|br|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|header|hr|li"
    r"|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul)(?=[\s/>])[^>]*(?:>|\Z)"
)
_TAG: Final = re.compile(r"<[a-zA-Z/!?][^>]*(?:>|\Z)")
_SPACES: Final = re.compile(r"[^\S\n]+")
_LINES: Final = re.compile(r"\s*\n\s*")


def decode(data: bytes, charset: str | None, *, is_html: bool) -> str:
    """The text of a body; bytes that do not fit its encoding become replacement characters."""
    if not charset and is_html and (declared := _DECLARED.search(data[:2048])):
        charset = declared[1].decode("ascii")
    known = charset if charset and _ENCODINGS.fullmatch(charset) else "utf-8"
    try:
        return data.decode(known, "replace").removeprefix("\ufeff")
    except LookupError:  # one of the numbers that no encoding has
        return data.decode("utf-8", "replace")


def html_text(page: str) -> str:
    """The text of a page, its title first, a line for each block; scripts, styles and comments are left out."""
    text = _BLOCK.sub("\n", _NO_TEXT.sub(" ", page))
    text = html.unescape(_TAG.sub("", text))
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()
