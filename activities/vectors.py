"""What lies between texts and cosines: pieces that a model takes whole, and vectors that are any.

A text may be longer than the window of an embedding model, which then refuses it or quietly reads its beginning only. So
it goes in pieces, and its vector is the mean of theirs, each counted by its length.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from operator import mul

from activities.contracts.similarity import MAX_SAMPLE_BYTES
from activities.errors import MalformedAnswer

MAX_PIECE_BYTES = 8000
"""A token has a byte at least, so a piece fits any window of 8,000 tokens; of English prose it has about 2,000."""
DIGITS = 6
"""Of a cosine. The same texts need not get the very same numbers twice."""

Vector = list[float]


def sample(text: str) -> str:
    """What of a text is compared: all of it, or windows spread evenly from its beginning to its end."""
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_SAMPLE_BYTES:
        return data.decode()
    windows = MAX_SAMPLE_BYTES // MAX_PIECE_BYTES
    step = (len(data) - MAX_PIECE_BYTES) / (windows - 1)
    starts = [round(step * number) for number in range(windows)]
    return "".join(data[start : start + MAX_PIECE_BYTES].decode("utf-8", "ignore") for start in starts)


def pieces(text: str) -> Iterator[str]:
    """A text in pieces of at most ``MAX_PIECE_BYTES``, none of them blank."""
    data = text.encode("utf-8", "replace")
    start = 0
    while start < len(data):
        end = min(start + MAX_PIECE_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # never within a character
            end -= 1
        piece, start = data[start:end].decode(), end
        if piece.strip():
            yield piece


def cosines(split: Sequence[Sequence[str]], vectors: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The cosine of each pair of texts, first and second, first and third, and so on.

    Args:
        split: the texts, each in its pieces.
        vectors: of all pieces, in their order.

    Raises:
        MalformedAnswer: not one vector a piece, or they are none: empty, of different lengths, zero, or no numbers.
    """
    given = iter(_checked(vectors, sum(map(len, split))))
    means = [_unit(_mean([(len(piece.encode()), next(given)) for piece in text])) for text in split]
    return tuple(_rounded(sum(map(mul, one, other))) for one, other in combinations(means, 2))


def _checked(vectors: Sequence[Sequence[float]], wanted: int) -> Iterator[Vector]:
    """The vectors at length 1."""
    if len(vectors) != wanted:
        raise MalformedAnswer(f"the provider gave {len(vectors):,} vectors for {wanted:,} texts")
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        raise MalformedAnswer(f"the provider gave vectors of {_some(lengths)} numbers")
    for vector in vectors:
        yield _unit(vector)


def _mean(weighed: Iterable[tuple[int, Vector]]) -> Vector:
    weighed = list(weighed)
    if len(weighed) == 1:
        return weighed[0][1]
    return [sum(column) for column in zip(*([weight * n for n in vector] for weight, vector in weighed), strict=True)]


def _unit(vector: Sequence[float]) -> Vector:
    try:
        length = math.hypot(*vector)
    except (TypeError, OverflowError):
        length = 0.0
    if not 0 < length < math.inf:
        raise MalformedAnswer("the provider gave a vector without a direction: zero, infinite or no numbers")
    return [n / length for n in vector]


def _rounded(cosine: float) -> float:
    return round(max(-1.0, min(1.0, cosine)), DIGITS) + 0.0  # no negative zero


def _some(lengths: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(lengths)[:3])) or "no"
