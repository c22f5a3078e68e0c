"""What models cost, from the price list that ``genai-prices`` carries. Offline: the list is never updated over a network.

The list takes a third of a second to load, so it is loaded with the first question and not with this module.
"""

from datetime import UTC, datetime
from decimal import Decimal

from activities.providers.vendors import VENDORS

DEFAULT_MODELS: dict[str, dict[str, str]] = {
    # US dollars a million tokens, input/output, from tier to tier: 0.1/0.5, 1/5, 10/50.
    "openai": {"small": "gpt-6-luna", "mid": "gpt-6.1-terra", "frontier": "gpt-6-astra"},
    # 0.1/0.5, 2/10, 8/40.
    "anthropic": {"small": "claude-haiku-5-5", "mid": "claude-sonnet-5-5", "frontier": "claude-fable-5-2"},
    # 0.25/1.5, 0.75/3.75, 2/10. All of the third generation or later: older ones take a schema or tools, not both.
    "gemini": {"small": "gemini-3.1-flash-lite", "mid": "gemini-3.8-flash", "frontier": "gemini-4-argon"},
}
"""Provider to tier to model, where nobody configured one. The tier ``local`` has none: only its owner knows."""


DEFAULT_EMBEDDINGS = {"openai": "text-embedding-3-small", "gemini": "gemini-embedding-001"}
"""Provider to embedding model, where nobody configured one: 0.02 and 0.15 US dollars a million tokens."""


def price_of(provider: str, model: str, prompt_tokens: int = 0) -> tuple[float, float] | None:
    """Return US dollars a million tokens, input and output, as of today; ``None`` where no price is known.

    Args:
        provider: Our name of the family.
        model: The model.
        prompt_tokens: The longest prompt that is expected. Where the price grows with a prompt's length, it is that of
            a prompt this long, so that a budget which counts with it holds.
    """
    price_in, price_out = _listed(provider, model, prompt_tokens)
    return None if price_in is None or price_out is None else (price_in, price_out)


def embedding_price_of(provider: str, model: str) -> float | None:
    """US dollars a million tokens of an embedding model, which writes nothing; ``None`` where no price is known."""
    return _listed(provider, model, 0)[0]


def _listed(provider: str, model: str, prompt_tokens: int) -> tuple[float | None, float | None]:
    """The list's prices as of today, input and output."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - slow to load, see above

    listed_as = VENDORS[provider].price_list if provider in VENDORS else provider
    try:
        _, info = get_snapshot().find_provider_model(model, None, listed_as, None)
    except LookupError:
        return None, None
    prices = info.get_prices(datetime.now(UTC))
    price_in, price_out = (_at(price, prompt_tokens) for price in (prices.input_mtok, prices.output_mtok))
    return _number(price_in), _number(price_out)


def _number(price: object) -> float | None:
    return float(price) if isinstance(price, Decimal) else None


def _at(price: object, prompt_tokens: int) -> object:
    """A price at a prompt's length: the last of its steps that begins below."""
    reached = [tier.price for tier in getattr(price, "tiers", ()) if prompt_tokens > tier.start]
    return reached[-1] if reached else getattr(price, "base", price)
