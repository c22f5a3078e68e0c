"""Labels by similarity: shared words first, then shared letters."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from activities.text import STOP_WORDS, stems, words

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ABSENT = frozenset({"none", "unknown", "other", "na", "unclear", "unspecified", "missing"})


def closest(labels: Sequence[str], text: str, *, known: bool = True) -> str:
    """The label most like the text; the first of equal ones.

    Args:
        labels: at least one.
        text: what is to be labelled.
        known: ``False`` where no evidence was found: a label such as ``unknown`` is then preferred to a weak likeness.
    """
    scores = {label: similarity(label, text) for label in labels}
    absent = [label for label in labels if set(words(label)) & _ABSENT]
    if absent and max(scores.values()) < (0.2 if known else 0.5):
        return absent[0]
    return max(labels, key=lambda label: scores[label])


def similarity(label: str, text: str) -> float:
    """How much of a label is in a text, from 0 to 2: its words, and its runs of three letters."""
    spoken = _CAMEL.sub(" ", label)
    wanted, there = stems(spoken), stems(text)
    shared = len(wanted & there) / len(wanted) if wanted else 0.0
    return shared + _cosine(_grams(spoken), _grams(text))


def _grams(text: str) -> Counter[str]:
    kept = [word for word in words(text) if word not in STOP_WORDS]
    return Counter(padded[at : at + 3] for padded in (f" {word} " for word in kept) for at in range(len(padded) - 2))


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    product = sum(count * other[gram] for gram, count in sorted(one.items()))
    size = math.sqrt(sum(count * count for count in one.values()) * sum(count * count for count in other.values()))
    return product / size if size else 0.0
