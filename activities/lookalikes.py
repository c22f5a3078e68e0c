"""Names that look like another name and are not it: other scripts, digits for letters, characters that nobody sees.

The failure this prevents: a grant, a rule or a call names ``pay`` with a Cyrillic ``a``; who reads it takes it for the
tool, and no machine does.
"""

import unicodedata
from collections.abc import Iterable

_LOOK: dict[str, str] = {
    "a": "\u0251\u0391\u03b1\u0410\u0430",
    "b": "\u0392\u0412",
    "c": "\u0421\u0441",
    "d": "\u0501",
    "e": "\u0395\u0415\u0435",
    "g": "\u0261",
    "h": "\u0397\u041d\u04bb",
    "i": "\u0131\u0269\u0399\u03b9\u0406\u0456",
    "j": "\u0408\u0458",
    "k": "\u039a\u03ba\u041a\u043a",
    "l": "\u04cf",
    "m": "\u039c\u041c",
    "n": "\u039d",
    "o": "\u039f\u03bf\u041e\u043e",
    "p": "\u03a1\u03c1\u0420\u0440",
    "q": "\u051b",
    "s": "\u0405\u0455",
    "t": "\u03a4\u03c4\u0422",
    "u": "\u03c5",
    "v": "\u03bd\u0475",
    "w": "\u051d",
    "x": "\u03a7\u03c7\u0425\u0445",
    "y": "\u03a5\u03b3\u0423\u0443",
    "z": "\u0396",
}
"""A letter, and those of the Cyrillic, Greek and IPA blocks that are drawn like its small or capital form."""
_AS = str.maketrans(
    {other: letter for letter, others in _LOOK.items() for other in others} | {"0": "o", "1": "l", "|": "l", "I": "l"}
)
_HIDDEN = {"Cf", "Cc", "Zs", "Mn"}
"""What is not seen, or only as an accent."""


def skeleton(word: str) -> str:
    """What a reader takes a word for: equal for words that look alike."""
    shown = "".join(c for c in unicodedata.normalize("NFKD", word) if unicodedata.category(c) not in _HIDDEN)
    plain = shown.translate(_AS).casefold()
    return plain.replace("rn", "m").replace("vv", "w").replace("-", "_")


def lookalike(word: str, known: Iterable[str]) -> str | None:
    """The known name that a word looks like without being it; ``None``: it is one of them, or like none."""
    known = list(known)
    seen = skeleton(word)
    return None if word in known else next((name for name in known if skeleton(name) == seen), None)


def unknown(word: str, known: Iterable[str]) -> str:
    """The end of a sentence on a name that is not known: what it looks like, if anything."""
    if like := lookalike(word, known):
        return f"which looks like {like!r} but is written with other characters"
    return "which is not known"
