"""What a run compares texts with, as admission resolves it."""

from typing import Any

import pytest

from activities.contracts.similarity import Similarity
from activities.errors import ConfigurationInvalid
from scripts.plan import make_plan
from scripts.results import is_offline
from workers.admission import RunOrder, admit, admit_again
from workers.deployment import Deployment
from workers.embedding_plan import OFFLINE, Embeddings, compared_in, resolve_embeddings
from workers.settings import load_settings
from workflows import steps
from workflows.teams.tree import TeamSpec

SMALL = "openai:text-embedding-3-small"
QUEUES = {provider: steps.model_queue(provider) for provider in ("offline", "openai", "anthropic", "gemini")}


def resolve(provider: str, *models: str | None, queues: tuple[str, ...] = (), **settings: Any) -> Embeddings:
    similarities = [Similarity(model=model) for model in models or (None,)]
    return resolve_embeddings(load_settings(**settings), provider, similarities, queues)


def refused(*arguments: Any, **settings: Any) -> ConfigurationInvalid:
    with pytest.raises(ConfigurationInvalid) as caught:
        resolve(*arguments, **settings)
    return caught.value


@pytest.mark.parametrize(
    ("provider", "model", "price"), [("openai", SMALL, 0.02), ("gemini", "gemini:gemini-embedding-001", 0.15)]
)
def test_a_provider_has_its_usual_model_at_the_list_s_price(provider: str, model: str, price: float) -> None:
    found = resolve(provider)
    route = found.routes[""]
    assert (route.model, route.queue, route.input_usd_per_million) == (model, QUEUES[provider], price)
    assert found.notes == ()


def test_offline_is_offline_whatever_is_named_and_free() -> None:
    found = resolve("offline", SMALL, None, embedding="gemini:gemini-embedding-001")
    assert {route.model for route in found.routes.values()} == {OFFLINE}
    assert {route.input_usd_per_million for route in found.routes.values()} == {0.0}
    assert set(found.routes) == {SMALL, ""}
    assert found.notes == ()


def test_where_the_provider_has_none_wording_is_compared_by_the_workers_that_are_there_anyway() -> None:
    found = resolve("anthropic", queues=(QUEUES["anthropic"],))
    assert (found.routes[""].model, found.routes[""].queue) == (OFFLINE, QUEUES["anthropic"])
    (note,) = found.notes
    assert "anthropic has no embeddings" in note
    assert "OSTINATO_EMBEDDING" in note


def test_a_server_of_one_s_own_may_have_no_such_model() -> None:
    found = resolve("openai", queues=(QUEUES["openai"],), openai_base_url="http://127.0.0.1:11434/v1")
    assert found.routes[""].model == OFFLINE
    assert "OPENAI_BASE_URL" in found.notes[0]


def test_the_deployment_names_one_and_a_team_another() -> None:
    found = resolve("anthropic", None, SMALL, embedding="gemini:gemini-embedding-001")
    assert [(name, route.model) for name, route in found.routes.items()] == [
        ("", "gemini:gemini-embedding-001"),
        (SMALL, SMALL),
    ]
    assert found.routes[SMALL].queue == QUEUES["openai"]


def test_a_provider_without_embeddings_is_refused_by_name() -> None:
    error = refused("openai", "anthropic:claude-sonnet-5-5")
    assert "the provider 'anthropic' has no embeddings" in str(error)
    assert error.fix == f"name a model of openai or gemini, or {OFFLINE}"
    assert refused("openai", "opnai:m").fix == "did you mean 'openai'?"


def test_a_model_without_a_price_is_what_the_policy_says() -> None:
    unknown = "openai:my-embedding"
    error = refused("openai", unknown)
    assert unknown in str(error)
    assert "[prices]" in error.fix
    priced = resolve("openai", unknown, prices={unknown: {"input": 3, "output": 0}})
    assert priced.routes[unknown].input_usd_per_million == 3
    assumed = resolve("openai", unknown, unpriced="assume", assumed_price={"input": 4, "output": 8})
    assert assumed.routes[unknown].input_usd_per_million == 4
    free = resolve("openai", unknown, unpriced="count_tokens_only")
    assert free.routes[unknown].input_usd_per_million == 0


def test_a_team_that_compares_nothing_resolves_nothing() -> None:
    agent = {"kind": "agent", "agent": "a"}
    agents = {"a": {"instructions": "Do it."}}
    plain = TeamSpec.model_validate({"team": "t", "agents": agents, "root": agent})
    assert compared_in(plain) == ()
    assert resolve_embeddings(load_settings(), "openai", ()) == Embeddings()


def debate(**node: Any) -> TeamSpec:
    agents = {name: {"instructions": "Do it."} for name in "abc"}
    debaters = {name: {"kind": "agent", "agent": name} for name in "ab"}
    stages = [{"kind": "debate", "debaters": debaters, **node}, {"kind": "agent", "agent": "c"}]
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": {"kind": "pipeline", "stages": stages}})


def test_what_a_team_says_is_found_at_any_depth() -> None:
    said = {"threshold": 0.7, "model": SMALL}
    assert compared_in(debate(similar=said)) == (Similarity(threshold=0.7, model=SMALL),)
    assert compared_in(debate(similar=said, positions=["yes", "no"])) == (), "names are the same or not"


def test_the_pools_that_a_run_needs_are_those_of_its_embeddings_too() -> None:
    order = RunOrder(goal="Which one?", run_id="", provider="anthropic")
    plain = make_plan(load_settings(), debate(), order)
    assert plain.queues == {QUEUES["anthropic"]}, "every worker of models compares wording"
    with_gemini = make_plan(load_settings(embedding="gemini:gemini-embedding-001"), debate(), order)
    assert with_gemini.queues == {QUEUES["anthropic"], QUEUES["gemini"]}


async def test_admission_freezes_it_and_says_what_is_worth_knowing(deployment: Deployment) -> None:
    order = RunOrder(goal="Which one?", run_id="embedding-plan", provider="anthropic")
    run = await admit(deployment, debate(), order)
    assert (run.embeddings[""].model, run.queues) == (OFFLINE, {QUEUES["anthropic"]})
    assert any("anthropic has no embeddings" in note for note in run.notes)
    assert (await admit_again(deployment, run)).embeddings == run.embeddings
    assert not is_offline(run), "a language model did the work"
