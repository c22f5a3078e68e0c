"""What a prompt shows of a text that is too long for it: the text says that it is cut, and whoever made it cut can tell.

The failure this prevents: an answer about a part of something is taken for one about all of it. A pattern names every cut
that an agent is shown as missing (``workflows.stages.unread``).
"""

from collections.abc import Iterable, Mapping
from typing import Self

from activities.contracts.base import MAX_TEXT


class Shown(str):
    """A text as a prompt has it. Formatting it into another text loses ``cuts``: that is what ``bounded`` is for."""

    __slots__ = ("cuts",)
    cuts: tuple[str, ...]

    def __new__(cls, text: str, cuts: Iterable[str] = ()) -> Self:
        """``cuts``: what of it was cut, as in "the first 10 of 20 characters of the draft"."""
        shown = super().__new__(cls, text)
        shown.cuts = tuple(dict.fromkeys(cuts))
        return shown


def cut(text: str, longest: int, what: str) -> Shown:
    """As much of a text as is shown. ``what``: as the result names it where it is cut."""
    if len(text) <= longest:
        return Shown(text)
    cut_to = f"the first {longest:,} of {len(text):,} characters"
    return Shown(f"{text[:longest]}\n[cut: {cut_to}]", (f"{cut_to} of {what}",))


def shares(texts: Mapping[str, str], longest: int) -> Shown:
    """Texts, a line each; each cut to its share where they are longer together. The keys are what the result names."""
    whole = sum(map(len, texts.values())) <= longest
    each = [cut(text, len(text) if whole else longest // len(texts), what) for what, text in texts.items()]
    return bounded("\n".join(each), *each, longest=2 * longest)


def bounded(text: str, *parts: str, longest: int = MAX_TEXT) -> Shown:
    """A prompt, with what was cut of the parts that it is made of."""
    whole = cut(text, longest - 100, "its task") if len(text) > longest else Shown(text)
    return Shown(whole, (*(found for part in parts for found in cuts_of(part)), *whole.cuts))


def cuts_of(text: str) -> tuple[str, ...]:
    """What was cut of a text, as far as that is known."""
    return text.cuts if isinstance(text, Shown) else ()
