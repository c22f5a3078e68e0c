"""Who stands behind each provider family: plain data, for workers, commands and messages that load no client library."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Vendor:
    """The maker of a protocol, whose own address is used where no other is set."""

    name: str
    """The word before the colon in ``provider:model``; the settings are ``<name>_api_key`` and ``<name>_base_url``."""
    title: str
    """What people call it."""
    address: str
    """Where its API is, in the form that its client library wants: OpenAI's with ``/v1``, the others' without."""
    price_list: str
    """What ``genai-prices`` calls it."""

    @property
    def key_variable(self) -> str:
        """The environment variable of its key."""
        return f"{self.name.upper()}_API_KEY"

    @property
    def address_variable(self) -> str:
        """The environment variable of an address in place of its own."""
        return f"{self.name.upper()}_BASE_URL"


VENDORS = {
    vendor.name: vendor
    for vendor in (
        Vendor("openai", "OpenAI", "https://api.openai.com/v1", "openai"),
        Vendor("anthropic", "Anthropic", "https://api.anthropic.com", "anthropic"),
        Vendor("gemini", "Gemini", "https://generativelanguage.googleapis.com", "google"),
    )
}
"""Every provider that is no part of this program."""
