"""The tool that the bench's agents call: text of a given length, the same for the same seed."""

import hashlib

from activities.tools.base import tool

PROBE_BYTES = 32
"""Long enough to be found nowhere by chance."""


def make_text(seed: str, size: int) -> str:
    """Text that repeats nowhere, so that copies of it can be counted, and that JSON leaves as it is."""
    parts = [hashlib.sha256(f"{seed}/{index}".encode()).hexdigest() for index in range(size // 64 + 1)]
    return "".join(parts)[:size]


def probes(text: str) -> dict[str, bytes]:
    """Pieces of a document to look for: one near its start, one in the middle, one near its end."""
    places = {"start": 0, "middle": len(text) // 2, "end": len(text) - PROBE_BYTES}
    return {name: text[at : at + PROBE_BYTES].encode() for name, at in places.items()}


@tool(effect="read")
async def fetch_text(seed: str, size: int) -> str:
    """Return a text of the length asked for."""
    return make_text(seed, size)
