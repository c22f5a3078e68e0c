"""The only reader of the environment: ``OSTINATO_*`` variables, the providers' usual key variables, and settings.toml.

Order: environment, then ``settings.toml`` in the home folder, then the defaults here. Temporal's own ``TEMPORAL_*``
variables and profiles are read by its SDK (``workers.client``).
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from activities.errors import ConfigurationInvalid, redact
from activities.mcp.policy import McpAllowed
from activities.store_backends import with_options
from activities.tools.addresses import FetchPolicy
from workers.model_settings import Chain, ModelAddress, Price, Tier, Unpriced


class _Environment(EnvSettingsSource):
    """The environment; who writes no JSON where it is wanted is told in which variable."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError as error:
            name = f"{self.env_prefix}{field_name}".upper()
            raise ConfigurationInvalid(
                f"the variable {name} in the environment is no JSON: {error}",
                fix=f"write {name} as JSON, or {field_name!r} in settings.toml instead",
            ) from None


class Settings(BaseSettings):
    """Everything that a deployment sets. Keys are secrets: they stay on the worker and print as stars."""

    model_config = SettingsConfigDict(
        env_prefix="OSTINATO_", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    home: Path = Path(".ostinato")
    """The folder of the dev server's data, the object store, logs and results."""
    store: str = ""
    """The object store's address: ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix``,
    ``az://container/prefix`` or ``memory://name``. Empty: ``store`` in the home folder."""
    store_endpoint: str = ""
    """Where a cloud store is, for MinIO and others: ``https://host`` or ``http://host:port``. Empty: the cloud's own."""
    store_region: str = ""
    """The region of an ``s3://`` bucket. Empty: that of ``AWS_REGION``, or ``us-east-1``."""
    retention_days: int = Field(default=30, ge=1, le=36_500)
    """How long ``ostinato gc`` keeps a lineage after its last use. Never shorter than the namespace keeps histories."""
    codec: str = ""
    """``module:factory`` of a Temporal PayloadCodec for history and blobs. Empty: none."""
    tool_modules: Annotated[tuple[str, ...], NoDecode] = ()
    """Modules whose ``@tool`` functions this deployment offers, besides the built-in ones. Comma-separated."""
    workflow_modules: Annotated[tuple[str, ...], NoDecode] = ()
    """Modules whose ``@workflow.defn`` classes the pool ``workflows`` runs, besides the built-in ones. Comma-separated."""
    policy: Path | None = None
    """A YAML or TOML file with rules on all proposed actions, read by workers of the pool ``tools`` at their start. With
    it, what has an effect and matches no rule is blocked; absent: what teams grant proceeds. Once workers of a namespace
    had one, none starts without; ``none`` gives it up."""
    fetch_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """What the tool ``fetch_url`` may reach besides the public Internet at ports 80 and 443: host names, addresses or
    networks, each with ``:port`` or without. Comma-separated."""
    mcp_allowed: Annotated[tuple[McpAllowed, ...], Field(max_length=100)] = ()
    """MCP servers that a team may use, as JSON or TOML: an address (``https://host/path``, and what is below it), the
    words that a command begins with, or ``{command or url, secrets}``. Empty: none."""
    mcp_secrets: Annotated[dict[str, SecretStr], Field(max_length=100)] = {}
    """Values that allowed MCP servers get, by the names that teams and ``mcp_allowed`` use."""
    user: str = Field(default="", max_length=100)
    """Who decides with ``ostinato decide``. Empty: the name that you are logged in with."""
    provider: str = "offline"
    """The provider of the tiers where a run does not ask for one. A key in the environment alone changes nothing."""
    models: dict[Tier, Chain] = {}
    """Tier to ``provider:model``, over the built-in table, as a TOML table or JSON. A list is a chain: the first is
    asked, the others are its fallbacks, at most five in all, of whichever providers."""
    embedding: ModelAddress | None = None
    """The ``provider:model`` that compares texts where a real provider is asked for. Absent: the provider's usual one;
    where it has none, or has an address of its own, ``offline:ngrams``."""
    prices: Annotated[dict[ModelAddress, Price], Field(max_length=1000)] = {}
    """``provider:model`` to US dollars for a million tokens, ``{input, output}``, over the built-in list."""
    unpriced: Unpriced = "refuse"
    """What to do with a model for which no price is known: ``refuse``, ``assume`` or ``count_tokens_only``."""
    assumed_price: Price | None = None
    """The price of models without one where ``unpriced`` is ``assume``."""
    openai_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    """The key of the OpenAI-compatible provider."""
    openai_base_url: str = Field(default="", validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"))
    """The address of any OpenAI-compatible provider (Ollama, vLLM, ...). Empty: OpenAI."""
    anthropic_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("ANTHROPIC_API_KEY", "anthropic_api_key")
    )
    """The key of Anthropic."""
    anthropic_base_url: str = Field(
        default="", validation_alias=AliasChoices("ANTHROPIC_BASE_URL", "anthropic_base_url")
    )
    """The address of a server that speaks Anthropic's Messages API, without ``/v1``. Empty: Anthropic."""
    gemini_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("GEMINI_API_KEY", "GOOGLE_API_KEY", "gemini_api_key")
    )
    """The key of the Gemini API."""
    gemini_base_url: str = Field(default="", validation_alias=AliasChoices("GEMINI_BASE_URL", "gemini_base_url"))
    """The address of a server that speaks the Gemini API, without ``/v1beta``. Empty: Google."""
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

    health_address: str = Field(default="", pattern=r"^$|^(\[[0-9a-fA-F:.]+\]|[^:\s\[\]]+):\d{1,5}$")
    """Where ``ostinato worker`` answers /healthz and /readyz, ``HOST:PORT``; port 0: any free one. Empty: nowhere."""
    grace_seconds: float = Field(default=10, ge=0, le=3600)
    """How long calls under way may go on after SIGTERM; then they are cancelled, and another worker makes them again."""

    @field_validator("tool_modules", "workflow_modules", "fetch_allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("fetch_allowed_hosts")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        FetchPolicy.parse(value)
        return value

    @model_validator(mode="after")
    def _has_assumed_price(self) -> "Settings":
        if self.unpriced == "assume" and self.assumed_price is None:
            raise ValueError("unpriced is assume, and there is no assumed_price")
        return self

    @cached_property
    def cache(self) -> Path:
        """Where server programs are kept between runs."""
        return self.cache_home.expanduser() / "ostinato"

    @cached_property
    def store_address(self) -> str:
        """The object store's address with the default filled in, and where and in which region it is."""
        address = self.store or (self.home.absolute() / "store").as_uri()
        return with_options(address, endpoint=self.store_endpoint, region=self.store_region)

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never leave this process."""
        keys = (self.openai_api_key, self.anthropic_api_key, self.gemini_api_key, *self.mcp_secrets.values())
        return tuple(value for key in keys if (value := key.get_secret_value().strip()))

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
        del env_settings, dotenv_settings, file_secret_settings
        given: dict[str, Any] = init_settings()
        home = Path(given.get("home") or os.environ.get("OSTINATO_HOME") or cls.model_fields["home"].default)
        return init_settings, _Environment(settings_cls), TomlConfigSettingsSource(settings_cls, home / "settings.toml")


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
            fix=f"correct OSTINATO_{name.partition('.')[0].upper()} in the environment or {name!r} in settings.toml",
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(
            f"settings.toml cannot be read: {redact(str(error))}", fix="correct the file, or move it away"
        ) from error
