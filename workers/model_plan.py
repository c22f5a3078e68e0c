"""Which real models an agent gets: the chain of its tier with prices, resolved at admission.

The chain of the settings is used as it stands, whichever real provider a run asks for; a provider's built-in model
serves where the settings name none for the tier. Which model of the chain is asked is the workflow's decision.
"""

from activities.contracts.profile import ModelChoice
from activities.errors import ConfigurationInvalid
from activities.providers.prices import DEFAULT_MODELS, price_of
from workers.model_settings import Price
from workers.pools import PROVIDERS
from workers.settings import Settings
from workers.team_file import nearest
from workflows.teams.agents import AgentSpec

OFFLINE = ModelChoice(provider="offline", model="extractive")


def resolve_models(name: str, agent: AgentSpec, settings: Settings, provider: str) -> tuple[ModelChoice, ...]:
    """The real models of an agent, the first to ask first. The offline model alone unless a provider is asked for.

    Args:
        name: The agent, for messages.
        agent: Its tier, or a model in place of it, which has no fallbacks.
        settings: Chains, prices, and the policy for models without a price.
        provider: Whose built-in models serve where the settings name none; ``offline``: nothing leaves, nothing costs.

    Raises:
        ConfigurationInvalid: the tier has no model, a model's provider is not known or its price is and must not be,
            or the offline model stands before a paid one.
    """
    if provider == "offline":
        return (OFFLINE,)
    addresses = (agent.model,) if agent.model else settings.models.get(agent.tier) or _built_in(name, agent, provider)
    chain = tuple(_choice(name, agent, settings, address) for address in addresses)
    if OFFLINE in chain[:-1]:
        raise ConfigurationInvalid(
            f"the tier {agent.tier!r} of the agent {name!r} falls back from the offline model to others",
            fix="put it last, or leave it out: who asks the offline model first does not expect to pay",
        )
    return chain


def _built_in(name: str, agent: AgentSpec, provider: str) -> tuple[str, ...]:
    model = DEFAULT_MODELS.get(provider, {}).get(agent.tier)
    if model is None:
        raise ConfigurationInvalid(
            f"the tier {agent.tier!r} of the agent {name!r} has no model at the provider {provider!r}",
            fix=f'set [models] {agent.tier} = "{provider}:MODEL" in settings.toml',
        )
    return (f"{provider}:{model}",)


def _choice(name: str, agent: AgentSpec, settings: Settings, address: str) -> ModelChoice:
    family, _, model = address.partition(":")
    if family not in PROVIDERS or not model:
        raise ConfigurationInvalid(
            f"the model {address!r} of the agent {name!r} has no known provider", fix=nearest(family, list(PROVIDERS))
        )
    if family == "offline":
        return OFFLINE
    price = _price(name, agent, settings, address)
    if price is None:
        return ModelChoice(provider=family, model=model, priced=False)
    return ModelChoice(
        provider=family, model=model, input_usd_per_million=price.input, output_usd_per_million=price.output
    )


def _price(name: str, agent: AgentSpec, settings: Settings, address: str) -> Price | None:
    """The user's price, else the list's at the agent's longest prompt, else as the policy says; ``None``: no price."""
    if address in settings.prices:
        return settings.prices[address]
    family, _, model = address.partition(":")
    listed = price_of(family, model, agent.limits.context_tokens)
    if listed is not None:
        return Price(input=listed[0], output=listed[1])
    own_machine = not agent.model and agent.tier == "local"
    return without_price(f"the model {address!r} of the agent {name!r}", settings, address, exempt=own_machine)


def without_price(what: str, settings: Settings, address: str, *, exempt: bool = False) -> Price | None:
    """What the policy says of a model whose price nobody knows; ``None``: it costs nothing.

    Args:
        what: the model and its use, for the message.
        settings: the policy.
        address: ``provider:model``.
        exempt: it is not refused.

    Raises:
        ConfigurationInvalid: the policy refuses it.
    """
    if settings.unpriced == "assume":
        return settings.assumed_price
    if settings.unpriced == "refuse" and not exempt:
        raise ConfigurationInvalid(
            f"no price is known for {what}, so its budget would not hold",
            fix=f'set [prices] "{address}" = {{input = USD, output = USD}} (a million tokens) in settings.toml, '
            "or OSTINATO_UNPRICED to count_tokens_only, or to assume with OSTINATO_ASSUMED_PRICE",
        )
    return None
