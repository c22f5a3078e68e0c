"""Refinements and debates to record."""

import json
from collections.abc import Callable
from typing import Any

from activities.contracts.people import Choice
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.replay.composition import PEOPLE, left_asking, says, stopped_asking
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.scripted import Script
from tests.support.scripted import says as answers
from workflows.teams.agents import AgentLimits
from workflows.teams.tree import TeamSpec

NEAR = "The head of finance approves all expenses above five hundred euros"
PERSON = {"kind": "person", "name": "chief", **PEOPLE, "choices": ["approve", "edit", "answer", "reject"]}


def _team(kind: str, shape: dict[str, Any], **node: Any) -> TeamSpec:
    names = ("writer", "editor", "a", "b", "c", "judge")
    root = {"kind": kind, **shape, **node}
    used = [name for name in names if f'"agent": "{name}"' in json.dumps(root)]
    agents = {
        name: {"instructions": f"You are {name}.", "limits": {"model_calls": 4, "tool_calls": 2}} for name in used
    }
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def _agent(name: str) -> dict[str, Any]:
    return {"kind": "agent", "agent": name}


def refine(**node: Any) -> TeamSpec:
    """A writer and an editor."""
    return _team("refine", {"writer": _agent("writer"), "editor": _agent("editor")}, **node)


def debate(**node: Any) -> TeamSpec:
    """Three debaters and a judge."""
    shape = {"debaters": {name: _agent(name) for name in "abc"}, "judge": _agent("judge"), "positions": ["yes", "no"]}
    return _team("debate", shape, **node)


def _child(team: TeamSpec, name: str) -> TeamSpec:
    """With an agent whose bounds make it a workflow of its own."""
    agent = team.agents[name].model_copy(update={"limits": AgentLimits(model_calls=500)})
    return team.model_copy(update={"agents": {**team.agents, name: agent}})


def edited(accept_at: int, draft: Callable[[int], str] = "draft {}".format) -> Script:
    """An editor that accepts one of the drafts."""
    state = {"drafts": 0}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        if "editor" in call.instructions:
            accepted, score = state["drafts"] >= accept_at, min(1.0, state["drafts"] / 10)
            return answers(json.dumps({"accepted": accepted, "score": score, "problems": ["It is too long."]}))
        state["drafts"] += 1
        return answers(draft(state["drafts"]))

    return script


def voting(**votes: str) -> Script:
    """Who votes for what, one word a round, the last one again; ``-`` abstains, ``!`` fails."""
    left = {name: said.split() for name, said in votes.items()}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        name = call.instructions.removeprefix("You are ").rstrip(".")
        if name == "judge":
            return answers("so it is")
        said = left[name].pop(0) if len(left[name]) > 1 else left[name][0]
        if said == "!":
            raise AuthenticationFailed("no key", fix="set one")
        position = "yes" if said == "-" else said.replace("_", " ")
        vote = {"position": position, "confidence": 0.5, "reasons": [f"says {name}"], "abstain": said == "-"}
        return answers(json.dumps(vote))

    return script


_ASKING = {"iterations": 1, "escalate": PERSON}
_SPLIT = {"rounds": 0, "max_disagreement": 0.3, "escalate": {**PERSON, "choices": ["answer", "approve", "reject"]}}
SCENARIOS = (
    Scenario("refine", "success", refine(criteria=["It is short."]), edited(2)),
    Scenario("refine", "success_shifted", refine(shift_after=1, shifts=[{"tier": "frontier"}]), edited(2)),
    Scenario("refine", "success_children", _child(_child(refine(), "writer"), "editor"), edited(2)),
    Scenario("refine", "success_continued", refine(), edited(3), changes={"max_history_events": 1}),
    Scenario("refine", "success_approved", refine(**_ASKING), edited(9), says(Choice.APPROVE)),
    Scenario(
        "refine",
        "partial_stuck",
        refine(iterations=5, stuck={"threshold": 0.9}),
        edited(9, lambda number: NEAR + "!" * number),
    ),
    Scenario("refine", "failure", refine(iterations=1, at_cap="fail"), edited(9)),
    Scenario("refine", "waiting", refine(), end=scheduled, pools=("workflows",)),
    Scenario("refine", "waiting_asked", refine(**_ASKING), edited(9), left_asking),
    Scenario("refine", "cancelled", refine(), end=stopped, pools=("workflows",)),
    Scenario("debate", "success", debate(), voting(a="yes", b="yes", c="yes")),
    Scenario("debate", "success_argued", debate(), voting(a="yes yes", b="no no", c="no no")),
    Scenario("debate", "success_children", _child(debate(), "a"), voting(a="yes yes", b="no yes", c="no yes")),
    Scenario(
        "debate",
        "success_free",
        debate(positions=[], rounds=0),
        voting(a="salt_pays_no_duty", b="salt_pays_no_duty!", c="the_moon_is_far"),
    ),
    Scenario(
        "debate",
        "success_continued",
        debate(rounds=2),
        voting(a="yes yes yes", b="no no yes", c="no yes yes"),
        changes={"max_history_events": 1},
    ),
    Scenario(
        "debate", "success_chosen", debate(**_SPLIT), voting(a="yes", b="no", c="no"), says(Choice.ANSWER, answer="yes")
    ),
    Scenario("debate", "partial", debate(), voting(a="yes", b="yes", c="!")),
    Scenario("debate", "failure", debate(), voting(a="-", b="-", c="-")),
    Scenario("debate", "waiting", debate(), end=scheduled, pools=("workflows",)),
    Scenario("debate", "waiting_asked", debate(**_SPLIT), voting(a="yes", b="no", c="no"), left_asking),
    Scenario("debate", "cancelled", debate(**_SPLIT), voting(a="yes", b="no", c="no"), stopped_asking),
)
