"""Long waits, on skipped time: what takes minutes out there ends as it should."""

import asyncio
from datetime import timedelta

from temporalio.testing import TimeSkipper

from activities.errors import RateLimited
from tests.conftest import new_run_id
from tests.support.scripted import ScriptedProvider, in_order, says
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.client import connect
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import read_result, start_run
from workers.server import ServerInfo


async def test_a_provider_that_asks_for_minutes_gets_them(deployment: Deployment, server: ServerInfo) -> None:
    skipper = TimeSkipper(await connect(deployment.settings, address=server.address))
    skipping = Deployment(deployment.settings, skipper.client, deployment.store, deployment.tools)
    limited = RateLimited("slow down", retry_after=timedelta(minutes=9))
    provider = ScriptedProvider(in_order(limited, says("patience")))
    async with running_pools(skipping, ["workflows", "models-offline"], {"offline": provider}):
        run = await admit(skipping, one_agent(), RunOrder(goal="Do it.", run_id=new_run_id()))
        handle = await start_run(skipping.client, run)
        result = await asyncio.wait_for(read_result(handle), 30)
    assert result.output == "patience"
    assert result.steps[0].attempts == 2
    assert result.steps[0].milliseconds >= 9 * 60_000
