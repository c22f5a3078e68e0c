"""Who waits for whom. Peers work on one thing at a time, so that a circle of them would wait for ever."""

from collections.abc import Mapping


def circle(waits: Mapping[str, str], asker: str, asked: str) -> list[str]:
    """The circle that a question would close, from the asker back to it; empty: it closes none.

    Args:
        waits: peer to the one that it waits for; there is no circle among them.
        asker: who would wait.
        asked: for whom.
    """
    path = [asker, asked]
    while path[-1] != asker and path[-1] in waits:  # ends: without a circle no peer comes twice
        path.append(waits[path[-1]])
    return path if path[-1] == asker else []
