"""What is said of settings that cannot be read."""

from pathlib import Path

import pytest

from activities.errors import ConfigurationInvalid
from workers.settings import load_settings


@pytest.mark.parametrize("name", ["prices", "models", "mcp_allowed", "mcp_secrets", "assumed_price"])
def test_a_variable_that_is_no_json_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"OSTINATO_{name.upper()}"
    monkeypatch.setenv(variable, "hush=open-sesame")
    with pytest.raises(ConfigurationInvalid) as caught:
        load_settings(home=tmp_path)
    assert f"the variable {variable} in the environment is no JSON" in str(caught.value)
    assert f"write {variable} as JSON" in caught.value.fix
    assert "sesame" not in str(caught.value) + caught.value.fix


def test_json_of_another_shape_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_PRICES", "[1]")
    with pytest.raises(ConfigurationInvalid, match="'prices' is not valid") as caught:
        load_settings(home=tmp_path)
    assert "OSTINATO_PRICES" in caught.value.fix


def test_the_environment_is_read_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text(
        '[models]\nsmall = "openai:file"\n[prices."openai:file"]\ninput = 1\noutput = 2\n'
    )
    monkeypatch.setenv("OSTINATO_MODELS", '{"small": ["openai:variable"]}')
    settings = load_settings(home=tmp_path)
    assert settings.models == {"small": ("openai:variable",)}
    assert list(settings.prices) == ["openai:file"]


def test_a_file_that_is_no_toml_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("models = \n")
    with pytest.raises(ConfigurationInvalid, match=r"settings\.toml cannot be read"):
        load_settings(home=tmp_path)
