"""Lines and words, counted the same way everywhere.

A line ends with a line feed and nothing else. ``str.splitlines`` also breaks at form feeds and at other characters,
and then line numbers drift from what ``grep -n`` and editors show, and quotations point to the wrong line.
"""

import re
import unicodedata
from collections.abc import Iterator

MAX_WORDS = 64
"""Distinct words of one query that count. A question of a megabyte is no better than its first sentences."""

_FUNCTION_WORDS = """a about actually after all also am an and any anybody anyone anything apply applies are as at be because been before being
    between both but by can cannot could describe did do does doing done during each either else ever every exactly explain far
    find few for from get gets give given had happen happened happening happens has have having he her here hers him his how i
    if in into is it its itself just kind know let like list long many may me mean means might mine more most much must my neither no
    nor not of off often on once one only or other our ours out over own please quite rather said say says shall she should show so
    some somebody someone something such tell than that the their theirs them themselves then there these they thing things
    this those though through to too under until up upon us very was we were what whatever when where whether which while who
    whom whose why will with within without work works would yes yet you your yours"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that say nothing about what is asked."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_CJK_RUN = re.compile(f"[{_CJK}]+")
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(f"[{_CJK}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uff66-\uff9f]")
_CUT_BEFORE = re.compile(r"\d[.,'\u2019]|(?:^|[^\w)\]])[-\u2212]")
_CUT_AFTER = re.compile(r"[.,'\u2019]\d")
_SUFFIXES = ("ing", "ied", "ies", "ed", "es", "s", "ly")
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Number, start and end (without the line feed) of every line, from 1."""
    number, start = 1, 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if start < len(text):
            yield number, start, end
        number, start = number + 1, end + 1


def line_count(text: str) -> int:
    """Lines of a text; a last line without a line feed counts."""
    return text.count("\n") + (1 if text and not text.endswith("\n") else 0)


def line_at(text: str, offset: int) -> int:
    """The number of the line that holds this offset, from 1."""
    return text.count("\n", 0, offset) + 1


def cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a slice begins or ends within a word or a number: ``legal`` of ``illegal``, ``12`` of ``12.5`` or ``-12``.

    Scripts without spaces between words can be cut anywhere but before a combining mark.
    """
    if _joined(text[start - 1 : start], text[start]) or _joined(text[end - 1], text[end : end + 1]):
        return True
    if text[start].isdigit() and _CUT_BEFORE.fullmatch(text[max(0, start - 2) : start]):
        return True
    return text[end - 1].isdigit() and bool(_CUT_AFTER.match(text, end, end + 2))


def escape_control(text: str, limit: int) -> str:
    """One bounded line that is safe in a terminal: control and direction characters as escapes."""
    shown = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text[: limit + 1])
    return shown if len(text) <= limit and len(shown) <= limit * 2 else shown[:limit] + "…"


def searchable(text: str) -> str:
    """The text as the index reads it: runs of Chinese, Japanese and Korean as single characters and pairs.

    These scripts put no spaces between words, and the tokenizer would take a whole clause for one word.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _CJK_RUN.sub(lambda found: f" {' '.join(found[0])} {' '.join(_pairs(found[0]))} ", text)


def words(text: str) -> list[str]:
    """All words in lower case, in order; of unspaced scripts the pairs of characters."""
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFC", _CJK_RUN.sub(_spaced, text)).lower()):
        found += _pairs(word) if _CJK_RUN.fullmatch(word) else [word]
    return found


def stem(word: str) -> str:
    """The word without its commonest English ending. Coarse on purpose: it only tells equal words from different ones."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def content_words(text: str) -> list[str]:
    """The distinct words that carry the meaning, in order, at most ``MAX_WORDS``; all words where none does."""
    every = words(text)
    distinct: dict[str, str] = {}
    for word in [word for word in every if word not in STOP_WORDS] or every:
        distinct.setdefault(stem(word), word)
    return list(distinct.values())[:MAX_WORDS]


def stems(text: str) -> set[str]:
    """The stems of the content words, to compare short texts."""
    return {stem(word) for word in words(text) if word not in STOP_WORDS}


def _joined(left: str, right: str) -> bool:
    if not left or not right or left.isspace():
        return False
    if unicodedata.category(right).startswith("M"):
        return True
    return left.isalnum() and right.isalnum() and not _UNSPACED.match(left) and not _UNSPACED.match(right)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _spaced(found: re.Match[str]) -> str:
    return f" {found[0]} "
