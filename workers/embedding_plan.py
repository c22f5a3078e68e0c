"""Which embedding models a run gets: resolved at admission like all other models, and frozen with it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from activities.contracts.profile import AgentProfile
from activities.contracts.similarity import Similarity
from activities.errors import ConfigurationInvalid
from activities.providers.prices import DEFAULT_EMBEDDINGS, embedding_price_of
from activities.providers.vendors import VENDORS
from workers.model_plan import without_price
from workers.settings import Settings
from workers.team_file import nearest
from workflows import steps
from workflows.contracts import ModelRoute
from workflows.teams.tree import PatternBase, TeamSpec, walk

OFFLINE = "offline:ngrams"
EMBEDDING_PROVIDERS = ("offline", *DEFAULT_EMBEDDINGS)


@dataclass(frozen=True)
class Embeddings:
    """What a run compares texts with."""

    routes: dict[str, ModelRoute] = field(default_factory=dict)
    """The model that a team names, ``""`` where it names none, to what is asked."""
    notes: tuple[str, ...] = ()
    """What is worth knowing of it."""


def compared_in(team: TeamSpec) -> tuple[Similarity, ...]:
    """What the patterns of a team say of similarity, as far as they ask an embedding model."""
    asked = (node.comparisons() for node in walk(team.root) if isinstance(node, PatternBase))
    return tuple(comparisons.similarity for comparisons in asked if comparisons)


def embeddings_of(
    team: TeamSpec, profiles: Mapping[str, AgentProfile], settings: Settings, provider: str
) -> Embeddings:
    """The embedding models of a team whose other models were resolved.

    Raises:
        ConfigurationInvalid: as ``resolve_embeddings``.
    """
    queues = {steps.model_queue(model.provider) for profile in profiles.values() for model in profile.models}
    return resolve_embeddings(settings, provider, compared_in(team), queues)


def resolve_embeddings(
    settings: Settings, provider: str, similarities: Iterable[Similarity], queues: Collection[str] = ()
) -> Embeddings:
    """The embedding models of a run; nothing where nothing is compared.

    Args:
        settings: the deployment's embedding model, prices, and the policy for models without one.
        provider: whose models the run asks; ``offline``: nothing leaves, nothing costs, whatever a team names.
        similarities: what the team says.
        queues: the task queues of the run's other models. Each worker of models has n-grams too, so these need no pool
            of their own.

    Raises:
        ConfigurationInvalid: a model whose provider is not known or has no embeddings, or that has no price and must.
    """
    wanted = dict.fromkeys(similarity.model or "" for similarity in similarities)
    routes, notes = {}, list[str]()
    for name in wanted:
        address, note = (OFFLINE, "") if provider == "offline" else _address(settings, provider, name)
        routes[name] = _route(settings, address, queues)
        notes += [note] if note else []
    return Embeddings(routes, tuple(notes))


def _address(settings: Settings, provider: str, named: str) -> tuple[str, str]:
    """The model that is asked, and what is worth knowing of that."""
    chosen = named or settings.embedding
    if chosen:
        return chosen, ""
    if provider not in DEFAULT_EMBEDDINGS:
        why = f"{provider} has no embeddings"
    elif getattr(settings, f"{provider}_base_url").strip():
        why = f"which embeddings the server at {VENDORS[provider].address_variable} has is not known"
    else:
        return f"{provider}:{DEFAULT_EMBEDDINGS[provider]}", ""
    return OFFLINE, f"texts are compared by their wording ({OFFLINE}): {why}; OSTINATO_EMBEDDING names another model"


def _route(settings: Settings, address: str, queues: Collection[str]) -> ModelRoute:
    provider, _, model = address.partition(":")
    if provider not in EMBEDDING_PROVIDERS:
        known = provider in VENDORS
        raise ConfigurationInvalid(
            f"the provider {provider!r} has no embeddings, and {address!r} is to compare texts"
            if known
            else f"the model {address!r} that is to compare texts has no known provider",
            fix=f"name a model of {' or '.join(DEFAULT_EMBEDDINGS)}, or {OFFLINE}"
            if known
            else nearest(provider, list(EMBEDDING_PROVIDERS)),
        )
    queue = steps.model_queue(provider)
    if provider == "offline":
        return ModelRoute(model=OFFLINE, queue=queue if queue in queues else min(queues, default=queue))
    return ModelRoute(model=address, queue=queue, input_usd_per_million=_price(settings, address, provider, model))


def _price(settings: Settings, address: str, provider: str, model: str) -> float:
    """The user's price, else the list's, else as the policy says."""
    if address in settings.prices:
        return settings.prices[address].input
    listed = embedding_price_of(provider, model)
    if listed is not None:
        return listed
    price = without_price(f"the model {address!r} that compares texts", settings, address)
    return price.input if price else 0.0
