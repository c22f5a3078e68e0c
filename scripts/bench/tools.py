"""The tool that the bench's agents call: text of a given length, the same for the same seed."""

import hashlib

from activities.tools.base import tool

PIECE_BYTES = 100
"""Long enough to be found nowhere by chance."""


def make_text(seed: str, size: int) -> str:
    """Text that repeats nowhere, so that copies of it can be counted, and that JSON leaves as it is."""
    parts = [hashlib.sha256(f"{seed}/{index}".encode()).hexdigest() for index in range(size // 64 + 1)]
    return "".join(parts)[:size]


def pieces_of(text: str) -> list[bytes]:
    """A document cut into pieces to look for."""
    data = text.encode()
    return [data[at : at + PIECE_BYTES] for at in range(0, len(data) - PIECE_BYTES + 1, PIECE_BYTES)]


@tool(effect="read")
async def fetch_text(seed: str, size: int) -> str:
    """Return a text of the length asked for."""
    return make_text(seed, size)


@tool(effect="read")
async def let_through(draft: str) -> dict[str, object]:
    """Accept any draft."""
    return {"accepted": True, "problems": [], "output": draft}
