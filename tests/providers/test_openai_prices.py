"""Prices and default models, offline."""

import subprocess
import sys

import pytest

from activities.providers.prices import DEFAULT_MODELS, price_of


def test_known_models_have_a_price_and_others_none() -> None:
    assert price_of("openai", "gpt-4o-mini") == (0.15, 0.6)
    assert price_of("openai", "no-such-model") is None
    assert price_of("no-such-provider", "gpt-4o-mini") is None
    assert price_of("openai", "") is None


def test_a_price_that_grows_with_the_prompt_is_that_of_short_prompts() -> None:
    assert price_of("openai", "gpt-5.4") == (2.5, 15.0)


@pytest.mark.parametrize("provider", DEFAULT_MODELS)
def test_each_default_is_listed_and_a_higher_tier_costs_more(provider: str) -> None:
    tiers = DEFAULT_MODELS[provider]
    assert list(tiers) == ["small", "mid", "frontier"]
    prices = [price_of(provider, model) for model in tiers.values()]
    assert all(price is not None for price in prices)
    assert prices == sorted(prices, key=lambda price: price or (0, 0))
    assert len(set(prices)) == 3


def test_the_price_list_is_loaded_with_the_first_question_only() -> None:
    code = "import sys, activities.providers.prices; print(any(m.startswith('genai_prices') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
