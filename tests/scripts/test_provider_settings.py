"""What commands say about providers: whose key is there, which models a tier has, and never a key."""

import pytest

from activities.errors import ConfigurationInvalid
from activities.providers.vendors import VENDORS
from scripts.session import check_keys
from tests.scripts.support import Cli
from workers.pools import POOLS, PROVIDERS
from workers.settings import load_settings

KEY = "sk-not-a-real-key-0123456789"


@pytest.mark.parametrize("name", VENDORS)
def test_a_provider_is_served_with_a_key_or_an_address_only(name: str) -> None:
    vendor, pools = VENDORS[name], ["workflows", f"models-{name}"]
    with pytest.raises(ConfigurationInvalid) as caught:
        check_keys(load_settings(), pools)
    assert f"'{name}'" in str(caught.value)
    assert vendor.key_variable in caught.value.fix
    assert vendor.address_variable in caught.value.fix
    check_keys(load_settings(**{f"{name}_api_key": KEY}), pools)
    check_keys(load_settings(**{f"{name}_base_url": "http://127.0.0.1:1"}), pools)
    check_keys(load_settings(), ["workflows", "tools", "models-offline"])


def test_every_vendor_has_a_pool() -> None:
    assert set(PROVIDERS) == {"offline", *VENDORS}
    assert {f"models-{name}" for name in VENDORS} < set(POOLS)


def test_the_doctor_tells_keys_and_chains(cli: Cli) -> None:
    cli.extra = {
        "OSTINATO_PROVIDER": "anthropic",
        "ANTHROPIC_API_KEY": KEY,
        "OSTINATO_MODELS": '{"mid": ["anthropic:claude-sonnet-5-5", "gemini:gemini-3.8-flash"], "small": "openai:none"}',
    }
    ended = cli.run("doctor", "--json")
    assert KEY not in ended.out + ended.err
    checks = {check["what"]: check for check in ended.json()["checks"]}
    assert checks["provider anthropic"]["state"] == "ok"
    assert "a key is set" in checks["provider anthropic"]["found"]
    assert (checks["provider gemini"]["state"], checks["provider gemini"]["fix"][:18]) == ("warn", "set GEMINI_API_KEY")
    chain = checks["tier mid"]["found"]
    assert "anthropic:claude-sonnet-5-5 (2/10 USD), then gemini:gemini-3.8-flash" in chain
    assert checks["tier small"]["state"] == "fail"
    assert "'openai:none'" in checks["tier small"]["found"]
    assert checks["tier local"]["found"] == "no model"
    assert ended.code == 1


def test_the_doctor_needs_a_key_for_the_provider_that_is_set(cli: Cli) -> None:
    cli.extra = {"OSTINATO_PROVIDER": "gemini", "GEMINI_API_KEY": ""}
    ended = cli.run("doctor", "--json")
    checks = {check["what"]: check for check in ended.json()["checks"]}
    assert (ended.code, checks["provider gemini"]["state"]) == (1, "fail")
