"""How alike texts are: what a team says of it, and the activity's request and response.

Vectors stay in the activity: one has 1,536 numbers or more, and a pattern needs none of them, only how near two are.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from activities.contracts.base import CostUsd, Name, Text, Tokens, WireModel
from activities.contracts.messages import estimate_tokens
from activities.contracts.steps import StepKey, Usage

MAX_ALIKE = 16
"""Texts that are compared with each other in one request: 120 pairs."""
MAX_SAMPLE_BYTES = 32_000
"""Bytes of a text (UTF-8) that are compared. Of a longer one that is four windows of it, evenly spread."""


class Similarity(WireModel):
    """When two texts count as the same."""

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.9
    """The cosine of their embeddings from which on they do: 1 is the same text, 0 has nothing in common. What a number
    means depends on the model; the offline one compares wording."""
    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*:\S+$", max_length=200)] | None = None
    """``provider:model`` that embeds the texts. Absent: as the deployment resolves it."""


class EmbedRequest(WireModel):
    """Compare these texts: one request to one embedding model, whatever their number."""

    key: StepKey
    provider: Name
    model: Annotated[str, Field(min_length=1, max_length=200)]
    texts: Annotated[tuple[Text, ...], Field(min_length=2, max_length=MAX_ALIKE)]
    """None of them blank; the sender cuts them to what is compared."""
    input_usd_per_million: CostUsd = 0.0
    """US dollars for a million tokens."""

    @property
    def tokens(self) -> int:
        """The estimated length of all texts."""
        return tokens_of(self.texts)


class EmbedResponse(WireModel):
    """How near the texts are to each other."""

    cosines: Annotated[tuple[float, ...], Field(max_length=MAX_ALIKE * (MAX_ALIKE - 1) // 2)]
    """Of each pair, -1 to 1 with six digits: first and second, first and third, ..., second and third, ..."""
    usage: Usage = Usage()
    attempt: Annotated[int, Field(ge=1)] = 1
    """The Temporal attempt that got the answer."""
    from_record: bool = False
    """Answered from an earlier run's record: nothing was called, nothing is charged."""


def tokens_of(texts: tuple[str, ...]) -> Tokens:
    """The estimated length of texts, in tokens."""
    return sum(map(estimate_tokens, texts))
