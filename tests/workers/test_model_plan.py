"""Chains, prices and the policy for models without one, as admission resolves them."""

import json
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.profile import ModelChoice
from activities.errors import ConfigurationInvalid
from workers.model_plan import OFFLINE, resolve_models
from workers.settings import Settings, load_settings
from workflows.teams.agents import AgentSpec

UNKNOWN = "openai:no-such-model"
CHAIN = ["openai:gpt-4o-mini", "anthropic:claude-sonnet-5-5", "gemini:gemini-3.8-flash"]


def resolve(settings: Settings | None = None, provider: str = "openai", **agent: Any) -> tuple[ModelChoice, ...]:
    spec = AgentSpec.model_validate({"instructions": "Do it.", "tier": "mid", **agent})
    return resolve_models("a", spec, settings or load_settings(), provider)


def refused(settings: Settings | None = None, provider: str = "openai", **agent: Any) -> ConfigurationInvalid:
    with pytest.raises(ConfigurationInvalid) as caught:
        resolve(settings, provider, **agent)
    return caught.value


def addresses(chain: tuple[ModelChoice, ...]) -> list[str]:
    return [f"{choice.provider}:{choice.model}" for choice in chain]


def test_a_chain_crosses_providers_in_its_order_with_the_price_of_each() -> None:
    chain = resolve(load_settings(models={"mid": CHAIN}))
    assert addresses(chain) == CHAIN
    assert (chain[0].input_usd_per_million, chain[0].output_usd_per_million) == (0.15, 0.6)
    assert all(choice.priced and choice.input_usd_per_million > 0 for choice in chain)


def test_one_model_is_a_chain_of_one() -> None:
    assert addresses(resolve(load_settings(models={"mid": CHAIN[0]}))) == CHAIN[:1]


def test_an_explicit_model_has_no_fallbacks() -> None:
    assert addresses(resolve(load_settings(models={"mid": CHAIN}), model=CHAIN[2])) == [CHAIN[2]]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("tier", ["small", "mid", "frontier"])
def test_every_family_has_a_priced_model_in_every_tier(provider: str, tier: str) -> None:
    (choice,) = resolve(provider=provider, tier=tier)
    assert choice.provider == provider
    assert choice.priced


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_the_tier_local_has_no_built_in_model(provider: str) -> None:
    error = refused(provider=provider, tier="local")
    assert "tier 'local'" in str(error)
    assert f'[models] local = "{provider}:MODEL"' in error.fix


@pytest.mark.parametrize("agent", [{}, {"model": CHAIN[0]}, {"tier": "local"}, {"model": UNKNOWN}])
def test_offline_is_offline_and_never_falls_back_to_a_paid_model(agent: dict[str, Any]) -> None:
    settings = load_settings(models={"mid": CHAIN, "local": UNKNOWN}, openai_api_key="sk-in-the-environment")
    assert resolve(settings, "offline", **agent) == (OFFLINE,)


def test_the_offline_model_may_be_the_last_resort_and_nothing_else() -> None:
    assert resolve(load_settings(models={"mid": [CHAIN[0], "offline:extractive"]}))[-1] == OFFLINE
    error = refused(load_settings(models={"mid": ["offline:extractive", CHAIN[0]]}))
    assert "offline" in str(error)
    assert "last" in error.fix


def test_an_unknown_provider_names_the_nearest() -> None:
    error = refused(load_settings(models={"mid": [CHAIN[0], "antropic:claude"]}))
    assert "'antropic:claude'" in str(error)
    assert error.fix == "did you mean 'anthropic'?"


@pytest.mark.parametrize(
    "chain", [[], ["gpt-4o"], ["openai:"], ["openai:a b"], [CHAIN[0], CHAIN[0]], [f"openai:m{n}" for n in range(6)], 7]
)
def test_a_chain_that_is_none_is_refused(chain: object) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"models\.mid") as caught:
        load_settings(models={"mid": chain})
    assert "OSTINATO_MODELS " in caught.value.fix


def test_five_models_are_a_chain() -> None:
    settings = load_settings(models={"mid": [f"openai:m{n}" for n in range(5)]}, unpriced="count_tokens_only")
    assert len(resolve(settings)) == 5


def test_the_user_s_price_is_above_the_list_s() -> None:
    prices = {CHAIN[0]: {"input": 7, "output": 8}, UNKNOWN: {"input": 0, "output": 0}}
    settings = load_settings(models={"mid": [*CHAIN[:1], UNKNOWN]}, prices=prices)
    listed, free = resolve(settings)
    assert (listed.input_usd_per_million, listed.output_usd_per_million) == (7, 8)
    assert (free.input_usd_per_million, free.priced) == (0, True)


@pytest.mark.parametrize(
    "price", [{"input": 1}, {"input": -1, "output": 1}, {"input": 1, "output": "inf"}, {"input": 1, "output": 1, "x": 1}, 3]
)  # fmt: skip
def test_a_price_that_is_none_is_refused(price: object) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"prices\.openai:m"):
        load_settings(prices={"openai:m": price})


def test_a_price_that_grows_with_the_prompt_is_that_of_the_agent_s_longest() -> None:
    settings = load_settings(models={"mid": "gemini:gemini-2.5-pro"})
    short, long = (resolve(settings, limits={"context_tokens": tokens})[0] for tokens in (100_000, 400_000))
    assert (short.input_usd_per_million, long.input_usd_per_million) == (1.25, 2.5)


def test_a_model_without_a_price_is_refused_with_the_ways_on() -> None:
    for settings, agent in ((load_settings(models={"mid": UNKNOWN}), {}), (load_settings(), {"model": UNKNOWN})):
        error = refused(settings, **agent)
        assert UNKNOWN in str(error)
        assert "'a'" in str(error)
        assert "[prices]" in error.fix
        assert "OSTINATO_UNPRICED" in error.fix


def test_so_is_a_fallback_without_a_price() -> None:
    assert UNKNOWN in str(refused(load_settings(models={"mid": [CHAIN[0], UNKNOWN]})))


def test_models_of_one_s_own_machines_need_no_price() -> None:
    (choice,) = resolve(load_settings(models={"local": "openai:llama3.2"}), tier="local")
    assert (choice.priced, choice.cost_usd(10**6, 10**6)) == (False, 0)


def test_tokens_alone_are_counted_where_the_operator_says_so() -> None:
    settings = load_settings(models={"mid": [UNKNOWN, CHAIN[0]]}, unpriced="count_tokens_only")
    assert [choice.priced for choice in resolve(settings)] == [False, True]


def test_the_assumed_price_is_charged_where_there_is_no_other() -> None:
    assumed = {"input": 3, "output": 15}
    settings = load_settings(models={"mid": [UNKNOWN, CHAIN[0]]}, unpriced="assume", assumed_price=assumed)
    unknown, listed = resolve(settings)
    assert (unknown.input_usd_per_million, unknown.output_usd_per_million, unknown.priced) == (3, 15, True)
    assert listed.input_usd_per_million == 0.15


def test_assuming_needs_a_price_to_assume() -> None:
    with pytest.raises(ConfigurationInvalid, match="assumed_price"):
        load_settings(unpriced="assume")


def test_all_of_it_can_be_said_in_the_environment_and_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text(
        'unpriced = "assume"\nassumed_price = {input = 1, output = 2}\n'
        f'[models]\nmid = {json.dumps(CHAIN)}\nsmall = "openai:small"\n'
        '[prices]\n"openai:small" = {input = 0.5, output = 1.5}\n'
    )
    from_file = load_settings(home=tmp_path)
    assert addresses(resolve(from_file)) == CHAIN
    assert resolve(from_file, tier="small")[0].output_usd_per_million == 1.5
    monkeypatch.setenv("OSTINATO_MODELS", json.dumps({"mid": ["openai:small", CHAIN[1]]}))
    monkeypatch.setenv("OSTINATO_PRICES", json.dumps({"openai:small": {"input": 4, "output": 5}}))
    monkeypatch.setenv("OSTINATO_ASSUMED_PRICE", '{"input": 9, "output": 9}')
    first, second = resolve(load_settings(home=tmp_path))
    assert (first.model, first.input_usd_per_million) == ("small", 4)
    assert second.provider == "anthropic"


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("OPENAI_API_KEY", "openai_api_key"),
        ("ANTHROPIC_API_KEY", "anthropic_api_key"),
        ("GEMINI_API_KEY", "gemini_api_key"),
        ("GOOGLE_API_KEY", "gemini_api_key"),
    ],
)
def test_every_key_is_a_secret(variable: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "hush-hush-hush")
    settings = load_settings()
    assert getattr(settings, field).get_secret_value() == "hush-hush-hush"
    assert "hush-hush-hush" in settings.secrets
    assert "hush" not in repr(settings) + settings.model_dump_json()
