"""When answers count as the same: by how alike they are, or as somebody says who has read them."""

from dataclasses import dataclass

from pydantic import JsonValue

from activities.contracts.base import Schema
from activities.contracts.similarity import Similarity
from workflows.teams.kinds.base import listed, record

MAX_COMPARED = 9
"""Answers that a comparer is shown at most: the votes of a round."""


@dataclass(frozen=True)
class Comparisons:
    """What a pattern asks an embedding model at most."""

    similarity: Similarity
    times: int
    texts: int
    """Of one comparison."""


def sameness() -> Schema:
    """What a comparer answers: the numbers of the answers that say the same, in groups."""
    number: dict[str, JsonValue] = {"type": "integer", "minimum": 1, "maximum": MAX_COMPARED}
    group = listed(number, most=MAX_COMPARED, description="Numbers of answers that all say the same.")
    description = "Each answer in one group; one that no other says stands in a group alone, or in none."
    return record({"groups": listed(group, most=MAX_COMPARED, description=description)})
