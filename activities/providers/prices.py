"""What models cost, from the price list that ``genai-prices`` carries. Offline: the list is never updated over a network.

The list takes a third of a second to load, so it is loaded with the first question and not with this module.
"""

from datetime import UTC, datetime
from decimal import Decimal

DEFAULT_MODELS: dict[str, dict[str, str]] = {
    # A step of ten in price from tier to tier, input and output: 0.1/0.5, 1/5 and 10/50 USD a million tokens.
    "openai": {"small": "gpt-6-luna", "mid": "gpt-6.1-terra", "frontier": "gpt-6-astra"},
}
"""Provider to tier to model, where nobody configured one."""


def price_of(provider: str, model: str) -> tuple[float, float] | None:
    """Return US dollars a million tokens, input and output, as of today; ``None`` where no price is known.

    Where the price grows with the length of the prompt, it is that of short prompts.
    """
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - slow to load, see above

    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    prices = info.get_prices(datetime.now(UTC))
    base = [getattr(price, "base", price) for price in (prices.input_mtok, prices.output_mtok)]
    known = [float(price) for price in base if isinstance(price, Decimal)]
    return (known[0], known[1]) if len(known) == 2 else None
