"""What models say of an expense, before a person reads it: nothing of it may look like an amount that nobody wrote.

Models see no amount, so one that names an amount has made it up. A digit is let through only as part of a number that
stands in the line's own merchant or description; so is a currency's sign or name, and a number in words.
"""

import json
import re
import unicodedata

_NUMBER = re.compile(r"\d+(?:[.,'\u2019\s]?\d+)*")
_UNSPACED = re.compile(r"\d+(?:[.,'\u2019]?\d+)*")
_MONEY = re.compile(
    r"\b(?:euros?|eur|dollars?|usd|pounds?|gbp|francs?|chf|yen|jpy|cents?|bucks|quid|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundreds?|thousands?|millions?)\b",
    re.IGNORECASE,
)


def remark(text: str, own: str, characters: int) -> str | None:
    """A model's words as one line that may stand in a report; ``None`` where they name a number of their own.

    Args:
        text: what the model said.
        own: the line's own words.
        characters: at most these, the escapes of JSON included.
    """
    # Invisible characters go first: without them, two numbers could become a third one.
    text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    text = shortened(text, characters)
    if not _figures(text) <= _figures(own) | set(_UNSPACED.findall(own)):
        return None
    while len(json.dumps(text, ensure_ascii=False)) > characters + 10:
        text = shortened(text, len(text) // 2)
    return text


def shortened(text: str, limit: int) -> str:
    """One line, cut after a word."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0] + "…"


def _figures(text: str) -> set[str]:
    signs = {c for c in text if unicodedata.category(c) in {"Sc", "Nl", "No"}}
    plain = unicodedata.normalize("NFKC", text)
    return signs | set(_NUMBER.findall(plain)) | {word.lower() for word in _MONEY.findall(plain)}
