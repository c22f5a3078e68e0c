"""Admission refuses what cannot work, in one sentence with a fix, before anything is started or spent."""

from typing import Any

import pytest

from activities.errors import ConfigurationInvalid
from activities.tools.base import collect_tools
from tests.support import tools
from tests.support.teams import one_agent, one_call
from workers.admission import check_goal, check_run_id
from workers.model_plan import resolve_models
from workers.profiles import build_profiles
from workers.settings import Settings, load_settings
from workers.team_check import complete
from workflows.teams.tree import TeamSpec

KNOWN = collect_tools([tools])


def refused(team: TeamSpec, provider: str = "offline", settings: Settings | None = None) -> ConfigurationInvalid:
    with pytest.raises(ConfigurationInvalid) as caught:
        build_profiles(complete(team), settings or load_settings(), KNOWN, provider)
    return caught.value


@pytest.mark.parametrize(
    ("agent", "said", "fix"),
    [
        ({"tools": ["ad"]}, "'ad'", "did you mean 'add'?"),
        ({"output": {"schema": {"type": "objekt"}}}, "no JSON Schema", "correct it"),
        ({"output": {"schema": {}, "checks": ["send_mail"]}}, "has effects", "effect read"),
        ({"output": {"schema": {}, "checks": ["nothing"]}}, "'nothing'", "known are"),
    ],
)
def test_an_agent_that_cannot_work_is_refused(agent: dict[str, Any], said: str, fix: str) -> None:
    error = refused(one_agent(**agent))
    assert said in str(error)
    assert fix in error.fix


def test_a_root_that_the_team_does_not_have_is_refused() -> None:
    team = one_agent()
    error = refused(team.model_copy(update={"root": team.root.model_copy(update={"agent": "b"})}))
    assert "'b'" in str(error)


@pytest.mark.parametrize("arguments", [{"a": 1}, {"a": 1, "b": "x"}, {"a": 1, "b": 2, "c": 3}])
def test_a_call_whose_arguments_do_not_fit_is_refused(arguments: dict[str, Any]) -> None:
    assert "do not fit the tool 'add'" in str(refused(one_call("add", arguments)))


def test_a_call_whose_arguments_fit_is_admitted() -> None:
    profiles = build_profiles(one_call("explode", {"what": "$goal"}), load_settings(), KNOWN, "offline")
    assert [tool.name for tool in profiles["call"].tools] == ["explode"]


def test_an_unknown_provider_names_the_nearest() -> None:
    assert refused(one_agent(), "openia").fix == "did you mean 'openai'?"


def test_models_are_offline_unless_a_provider_is_asked_for() -> None:
    agent = one_agent(model="openai:gpt-x").agents["a"]
    settings = load_settings(
        models={"mid": "openai:mine"}, openai_api_key="sk-in-the-environment", unpriced="count_tokens_only"
    )
    assert resolve_models("a", agent, settings, "offline")[0].provider == "offline"
    assert resolve_models("a", agent, settings, "openai")[0].model == "gpt-x"
    assert resolve_models("a", one_agent(tier="mid").agents["a"], settings, "openai")[0].model == "mine"
    with pytest.raises(ConfigurationInvalid, match="tier 'local'"):
        resolve_models("a", one_agent(tier="local").agents["a"], settings, "openai")


@pytest.mark.parametrize("run_id", ["", "a/b", "../x", "-x", "x" * 101, "a b", "ü", "a\n"])
def test_run_ids_are_names_of_folders_and_nothing_else(run_id: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        check_run_id(run_id)


@pytest.mark.parametrize("goal", ["", "  ", "x" * 16_001])
def test_goals_are_bounded(goal: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        check_goal(goal)
    assert "16,000" in caught.value.fix
