"""What a deployment says about models: a tier's chain, a price, and what to do where a price is not known."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Tier = Literal["small", "mid", "frontier", "local"]

ModelAddress = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*:\S+$", max_length=200)]
"""``provider:model``, such as ``openai:gpt-4o-mini``."""

MAX_CHAIN = 5
"""Models of one tier: the first is asked, each other one costs an agent at most one fallback."""

Unpriced = Literal["refuse", "assume", "count_tokens_only"]
"""What to do with a model for which no price is known, neither by the user's table nor by the built-in list.

``refuse``, the default: a run that would use it is not admitted. Budgets in US dollars are hard, and one that counts a
model as free is none: nobody who wrote ``cost_usd: 5`` expects that a model which is new today is exempt. It costs one
sentence, before anything is spent. The tier ``local`` is exempt, because its models run on machines of one's own.
``assume``: ``assumed_price`` is charged. ``count_tokens_only``: it costs nothing, and only the limits on tokens and
calls hold.
"""


class Price(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input: Annotated[float, Field(ge=0, le=100_000)]
    output: Annotated[float, Field(ge=0, le=100_000)]


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("a model stands in this chain twice")
    return value


Chain = Annotated[
    tuple[ModelAddress, ...],
    Field(min_length=1, max_length=MAX_CHAIN),
    BeforeValidator(_as_list),
    AfterValidator(_distinct),
]
"""One ``provider:model``, or a list of them: the first is asked, the others are its fallbacks in this order."""
