"""Networks to record."""

import asyncio
from typing import Any

from activities.errors import AuthenticationFailed
from tests.replay.composition import PEOPLE, left_asking
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.networks import Got, asks, event, network, played, sends
from workflows.teams.agents import AgentLimits
from workflows.teams.tree import TeamSpec

PEERS: dict[str, Any] = {
    "lead": {"subscribes": ["goal"], "asks": ["oracle"]},
    "w1": {"subscribes": ["job.*"], "group": "workers"},
    "w2": {"subscribes": ["job.*"], "group": "workers"},
    "oracle": {"subscribes": [], "asks": ["lead"]},
}
GOAL = {"quick": ["goal"], "slow": ["goal"]}
STORM = {"a": ["*"], "b": ["drop"]}
PERSON = {"kind": "person", "name": "boss", "question": "What now?", **PEOPLE}
SUM = {"kind": "call", "name": "sum", "tool": "strict_gate", "arguments": {"draft": "$events", "final": True}}


def lead(got: Got) -> Any:
    """Asks, then gives out jobs, one of them twice."""
    if not got.answer:
        return sends("begun", **asks("oracle", "How many?"))
    return sends(event("job.cut", 1), event("job.saw", 2, event_id="s"), event("job.saw", 2, event_id="s"))


def oracle(got: Got) -> Any:
    """Asks back, which would close a circle, and answers then."""
    return sends(answer="two") if got.answer else sends(**asks("lead", "What for?"))


def worker(got: Got) -> Any:
    return sends(event("done", got.payload))


async def slow(got: Got) -> Any:
    del got
    await asyncio.sleep(60)
    return sends()


async def quick(got: Got) -> Any:
    """Not before the other one is at work."""
    del got
    await asyncio.sleep(0.2)
    return sends(event("end", "enough"))


def storm(got: Got) -> Any:
    del got
    return sends("drop", "drop")


def fails(got: Got) -> Any:
    raise AuthenticationFailed(f"no key for {got.event_type}", fix="set one")


def team(**node: Any) -> TeamSpec:
    """Four peers: jobs for a group, and questions in a circle."""
    return network(PEERS, **node)


def children(spec: TeamSpec) -> TeamSpec:
    """With agents whose bounds make each of their steps a workflow of its own."""
    wide = AgentLimits(model_calls=500)
    return spec.model_copy(
        update={"agents": {name: agent.model_copy(update={"limits": wide}) for name, agent in spec.agents.items()}}
    )


PLAY = played(lead=lead, oracle=oracle, w1=worker, w2=worker)
BROKEN = played(lead=lead, oracle=oracle, w1=fails, w2=fails)
SCENARIOS = (
    Scenario("network", "success", team(), PLAY),
    Scenario("network", "success_children", children(team(result=SUM)), PLAY),
    Scenario("network", "success_continued", team(max_parallel=1), PLAY, changes={"max_history_events": 30}),
    Scenario("network", "success_goal", network(GOAL, goal_event="end"), played(quick=quick, slow=slow)),
    Scenario(
        "network", "success_goal_children", children(network(GOAL, goal_event="end")), played(quick=quick, slow=slow)
    ),
    Scenario("network", "partial_storm", network(STORM, max_events=12), played(a=storm, b=storm)),
    Scenario("network", "failure", team(), BROKEN),
    Scenario("network", "failure_limit", network(STORM, max_hops=2, at_limit="fail"), played(a=storm, b=storm)),
    Scenario("network", "waiting", team(), end=scheduled, pools=("workflows",)),
    Scenario("network", "waiting_for_a_person", team(escalate=PERSON), BROKEN, end=left_asking),
    Scenario("network", "cancelled", team(), end=stopped, pools=("workflows",)),
)
