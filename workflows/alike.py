"""What follows from how alike texts are: whether all say the same, and which of them do. Plain arithmetic."""

from collections.abc import Sequence

Matrix = tuple[tuple[float, ...], ...]
"""The cosine of each text with each other, -1 to 1; 1 on the diagonal."""


def alike(cosines: Matrix, threshold: float) -> bool:
    """Whether all texts count as the same, each with each; ``False`` where nothing was compared."""
    return bool(cosines) and all(cosine >= threshold for row in cosines for cosine in row)


def groups(cosines: Matrix, threshold: float) -> list[list[int]]:
    """The texts in groups that count as the same, each with each: no chain of small steps joins two that differ.

    In the order of the texts, each joins the first group with all of which it agrees. So the first of a group may stand
    for it, and the same texts in the same order fall into the same groups.
    """
    found: list[list[int]] = []
    for index, row in enumerate(cosines):
        home = next((group for group in found if all(row[other] >= threshold for other in group)), None)
        if home is None:
            found.append([index])
        else:
            home.append(index)
    return found


def spread(texts: Sequence[str], distinct: Sequence[str], cosines: Sequence[float]) -> Matrix:
    """The cosines of different texts, spread over all texts: the same is 1, a blank one is 0 with any other.

    Args:
        texts: all of them.
        distinct: those that are not blank, each once.
        cosines: of each pair of these: first and second, first and third, and so on.
    """
    places = {text: index for index, text in enumerate(distinct)}
    pairs = ((one, other) for one in range(len(distinct)) for other in range(one + 1, len(distinct)))
    known = dict(zip(pairs, cosines, strict=True))

    def cosine(one: str, other: str) -> float:
        if one == other:
            return 1.0
        if not one or not other:
            return 0.0
        first, second = sorted((places[one], places[other]))
        return known[first, second]

    return tuple(tuple(cosine(one, other) for other in texts) for one in texts)
