"""The only reader of the environment: ``OSTINATO_*`` variables, the providers' usual key variables, and settings.toml.

Order: environment, then ``settings.toml`` in the home folder, then the defaults here. Temporal's own ``TEMPORAL_*``
variables and profiles are read by its SDK (``workers.client``).
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from activities.errors import ConfigurationInvalid, redact

Tier = Literal["small", "mid", "frontier", "local"]


class Settings(BaseSettings):
    """Everything that a deployment sets. Keys are secrets: they stay on the worker and print as stars."""

    model_config = SettingsConfigDict(
        env_prefix="OSTINATO_", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    home: Path = Path(".ostinato")
    """The folder of the dev server's data, the object store, logs and results."""
    store: str = ""
    """The object store's address: ``file:///folder`` or ``memory://name``. Empty: ``store`` in the home folder."""
    codec: str = ""
    """``module:factory`` of a Temporal PayloadCodec for history and blobs. Empty: none."""
    tool_modules: Annotated[tuple[str, ...], NoDecode] = ()
    """Modules whose ``@tool`` functions this deployment offers, besides the built-in ones. Comma-separated."""
    provider: str = "offline"
    """The provider of the tiers where a run does not ask for one. A key in the environment alone changes nothing."""
    models: dict[Tier, str] = {}
    """Tier to ``provider:model``, over the built-in table, as a TOML table or JSON."""
    openai_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    """The key of the OpenAI-compatible provider."""
    openai_base_url: str = Field(default="", validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"))
    """The address of any OpenAI-compatible provider (Ollama, vLLM, ...). Empty: OpenAI."""
    temporal_cli: Path | None = None
    """A ``temporal`` program to start the dev server with, before the one on the PATH."""
    temporal_port: int = Field(default=7233, ge=0, le=65535)
    """The dev server's port; where it is taken a free one is used. 0: any free one."""
    ui_port: int = Field(default=8233, ge=0, le=65535)
    """The web UI's port; where it is taken a free one is used. 0: any free one."""
    cache_home: Path = Field(default=Path("~/.cache"), validation_alias=AliasChoices("XDG_CACHE_HOME", "cache_home"))
    """The folder above the cache folder ``ostinato`` that keeps server programs."""
    otlp_endpoint: str = Field(
        default="", validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint")
    )
    """Where spans go (OTLP over HTTP). Empty: nowhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged."""
    model_concurrency: int = Field(default=50, ge=1, le=1000)
    """Model calls that one worker process has under way at once."""
    tool_concurrency: int = Field(default=50, ge=1, le=1000)
    """Tool calls that one worker process has under way at once."""
    workflow_cache: int = Field(default=500, ge=0, le=100_000)
    """Workflows that one worker keeps in memory between tasks. 0 replays every task from history."""

    @field_validator("tool_modules", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @cached_property
    def cache(self) -> Path:
        """Where server programs are kept between runs."""
        return self.cache_home.expanduser() / "ostinato"

    @cached_property
    def store_address(self) -> str:
        """The object store's address with the default filled in."""
        return self.store or (self.home.absolute() / "store").as_uri()

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never leave this process."""
        return tuple(s for s in (self.openai_api_key.get_secret_value(),) if s)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then settings.toml in the home folder."""
        del dotenv_settings, file_secret_settings
        given: dict[str, Any] = init_settings()
        home = Path(given.get("home") or os.environ.get("OSTINATO_HOME") or cls.model_fields["home"].default)
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, home / "settings.toml")


def child_environment(*only: str, **extra: str) -> dict[str, str]:
    """The environment of a process that we start: this one's, or ``only`` these variables of it, and ``extra``."""
    kept = {name: os.environ[name] for name in only if name in os.environ} if only else dict(os.environ)
    return {**kept, **extra}


def debugging() -> bool:
    """Whether tracebacks are wanted, asked where the settings themselves may be what is wrong."""
    return os.environ.get("OSTINATO_LOG_LEVEL", "").lower() == "debug"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings, with ``overrides`` on top.

    Raises:
        ConfigurationInvalid: naming the setting and what it accepts.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        raise ConfigurationInvalid(
            f"the setting {name!r} is not valid: {first['msg']}",
            fix=f"correct OSTINATO_{name.upper()} in the environment or {name!r} in settings.toml",
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(
            f"settings.toml cannot be read: {redact(str(error))}", fix="correct the file, or move it away"
        ) from error
