import time
from tests.workflows.test_network import (Workers, Got, Any, asyncio, AuthenticationFailed, played, network, event, sends, chain, chained, CHAIN, read_result)
async def test_dbg(workers: Workers) -> None:
    async with workers(played(a=chain, b=chained, c=chained, d=chained)) as bench:
        for n in (4000, 1, 20):
            t=time.time()
            handle = await bench.start(network(CHAIN), max_history_events=n)
            r = await read_result(handle)
            await asyncio.sleep(1)
            ex=[(w.status.name, w.history_length) async for w in bench.deployment.client.list_workflows(f'WorkflowId = "{handle.id}"')]
            print(n, time.time()-t-1, len(r.steps), ex)
def fails(got: Got) -> Any:
    raise AuthenticationFailed(f"no key for {got.event_type}", fix="set one")
async def test_dbg2(workers: Workers) -> None:
    person = {"kind": "person", "name": "boss", "question": "What now?", "asking": {
        "seconds": 0.3, "default": "answer", "default_answer": sends(event("boss.said", "so"))}}
    async with workers(played(p=fails)) as bench:
        r=await bench.run(network({"p":["goal"]}, escalate=person))
    print(r.log, r.steps, r.handoffs, r.failure)
