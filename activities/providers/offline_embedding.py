"""The offline embedding model: hashed n-grams of characters and words. Deterministic, with no key and no network.

It compares wording, not meaning: a text and its light revision are near, a paraphrase in other words is not. What turns
a sentence into its opposite and costs few letters, a number or a ``not``, counts more than other words.
"""

import asyncio
import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from activities.errors import ProviderTimeout
from activities.providers.base import EmbedAnswer, EmbedCall
from activities.text import STOP_WORDS, stem, words

DIMENSIONS = 1024
"""A text of 8,000 bytes has some 5,000 different n-grams: two that share none come out within 0.05 of 0."""
NGRAMS = (3, 4)
"""Characters of the n-grams within a word: long enough to tell words apart, short enough for other endings."""
_NO = """no not never nobody none nothing neither nor cannot without don doesn didn isn aren wasn won wouldn shouldn
    nicht kein keine keinen keiner nie niemals ohne ne pas jamais sin nunca"""
NEGATIONS = frozenset(_NO.split())
_WEIGHTY, _WORD, _PAIR, _CHARACTERS, _FUNCTION = 4.0, 1.5, 1.0, 1.0, 0.3
"""What numbers and negations, other words, neighbouring words, all n-grams of a word together, and function words count."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class OfflineEmbedding:
    """The embeddings of the provider ``offline``. Any model name is accepted: there is one model."""

    @property
    def name(self) -> str:
        """The word before the colon in ``offline:ngrams``."""
        return "offline"

    async def embed(self, call: EmbedCall) -> EmbedAnswer:
        """The same text gets the same vector, in any process.

        Raises:
            ProviderTimeout: it took longer than the call allows.
        """
        try:
            async with asyncio.timeout(call.timeout_seconds):
                # A thread, so that heartbeats go on meanwhile.
                vectors = await asyncio.to_thread(lambda: [vector_of(text) for text in call.texts])
        except TimeoutError as error:
            raise ProviderTimeout(f"the offline embedding took over {call.timeout_seconds:g} s") from error
        return EmbedAnswer(vectors)


def vector_of(text: str) -> list[float]:
    """The vector of a text, of length 1."""
    vector = [0.0] * DIMENSIONS
    # A text without a word or number, such as "?!", has its characters.
    features = _features(_plain(text)) or dict.fromkeys(text, 1.0)
    for feature, weight in features.items():
        digest = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        # Colliding features cancel out as often as they add up, so texts that share nothing stay near 0.
        vector[digest % DIMENSIONS] += weight if digest >> 63 else -weight
    if not any(vector):  # all cancelled out, in a text of two signs
        vector[0] = 1.0
    length = math.hypot(*vector)
    return [number / length for number in vector]


def _features(plain: str) -> dict[str, float]:
    """What a text is made of, each with its weight. What is said twice does not count twice."""
    counts = Counter(_parts(plain))
    return {feature: weight * (1 + math.log(count)) for (feature, weight), count in counts.items()}


def _parts(plain: str) -> Iterator[tuple[str, float]]:
    """Every occurrence of a feature; it weighs the same wherever it stands."""
    found = words(_NUMBER.sub(" ", plain))
    for number in _NUMBER.findall(plain):
        yield f"n{number}", _WEIGHTY
    for word in found:
        if word in NEGATIONS:
            yield "not", _WEIGHTY
        elif word in STOP_WORDS:
            yield f"w{word}", _FUNCTION
        else:
            yield f"w{stem(word)}", _WORD
            yield from _ngrams(word)
    told = [stem(word) for word in found if word not in STOP_WORDS]
    for first, second in pairwise(told):
        yield f"p{first} {second}", _PAIR


def _ngrams(word: str) -> Iterator[tuple[str, float]]:
    """Those of a word, its beginning and end marked: together they count as much as the word."""
    marked = f"<{word}>"
    found = [marked[at : at + size] for size in NGRAMS for at in range(len(marked) - size + 1)]
    for gram in found:
        yield f"c{gram}", _CHARACTERS / math.sqrt(len(found))


def _plain(text: str) -> str:
    """Case, accents, widths and white space do not count."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(part for part in parts if not unicodedata.combining(part)).split())
