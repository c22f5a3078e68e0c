"""Networks to record."""

import asyncio
import json
from typing import Any

from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderCall
from tests.replay.composition import PEOPLE, left_asking
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.networks import Got, asks, event, name_of, network, played, sends
from workflows.teams.tree import TeamSpec

PEERS: dict[str, Any] = {
    "lead": {"subscribes": ["goal"], "asks": ["oracle"]},
    "w1": {"subscribes": ["job.*"], "group": "workers"},
    "w2": {"subscribes": ["job.*"], "group": "workers"},
    "oracle": {"subscribes": [], "asks": ["lead"]},
}


def lead(got: Got) -> Any:
    """Asks, then gives out two jobs."""
    if not got.answer:
        return sends("begun", **asks("oracle", "How many?"))
    return sends(event("job.cut", 1), event("job.saw", 2, event_id="second"), event("job.saw", 2, event_id="second"))


def oracle(got: Got) -> Any:
    """Asks back, which would close a circle, and answers then."""
    return sends(answer="two") if got.answer else sends(**asks("lead", "What for?"))


def worker(got: Got) -> Any:
    return sends(event("done", got.payload))


def hangs(got: Got) -> Any:
    async def later() -> Any:
        await asyncio.sleep(60)

    return later()


def fails(got: Got) -> Any:
    raise AuthenticationFailed(f"no key for {got.event_type}", fix="set one")


def storm(got: Got) -> Any:
    del got
    return sends("drop", "drop")


def summed(call: ProviderCall, index: int) -> Any:
    """The network's peers, and who makes its result."""
    if name_of(call) == "sum":
        return PLAY({"text": call.messages[-1].text})
    return ALL(call, index)


ALL = played(lead=lead, oracle=oracle, w1=worker, w2=worker)


def PLAY(value: Any) -> Any:  # noqa: N802 -- replaced below
    return json.dumps(value)


def team(**node: Any) -> TeamSpec:
    return network(PEERS, **node)


SCENARIOS: tuple[Scenario, ...] = ()
del scheduled, stopped, left_asking, PEOPLE
