"""Prices and default models, offline."""

import subprocess
import sys
from itertools import pairwise

import pytest

from activities.providers.prices import DEFAULT_MODELS, price_of
from activities.providers.vendors import VENDORS


def test_known_models_have_a_price_and_others_none() -> None:
    assert price_of("openai", "gpt-4o-mini") == (0.15, 0.6)
    assert price_of("openai", "no-such-model") is None
    assert price_of("no-such-provider", "gpt-4o-mini") is None
    assert price_of("openai", "") is None


def test_a_price_that_grows_with_the_prompt_is_that_of_the_longest_expected() -> None:
    assert price_of("openai", "gpt-5.4") == (2.5, 15.0)
    assert price_of("gemini", "gemini-2.5-pro", 200_000) == (1.25, 10.0)
    assert price_of("gemini", "gemini-2.5-pro", 200_001) == (2.5, 15.0)


def test_a_family_is_found_under_the_name_that_the_list_has_for_it() -> None:
    assert price_of("gemini", "gemini-2.5-flash-lite") == (0.1, 0.4)
    assert price_of("anthropic", "claude-sonnet-4-5-20250929") == (3.0, 15.0)


def test_every_vendor_has_defaults() -> None:
    assert set(DEFAULT_MODELS) == set(VENDORS)


@pytest.mark.parametrize("provider", DEFAULT_MODELS)
def test_each_default_is_listed_and_a_higher_tier_costs_more(provider: str) -> None:
    tiers = DEFAULT_MODELS[provider]
    assert list(tiers) == ["small", "mid", "frontier"]
    prices = [price_of(provider, model) or (0.0, 0.0) for model in tiers.values()]
    assert min(prices) > (0, 0)
    assert all(low[0] < high[0] and low[1] < high[1] for low, high in pairwise(prices))


def test_the_price_list_is_loaded_with_the_first_question_only() -> None:
    code = "import sys, activities.providers.prices; print(any(m.startswith('genai_prices') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
