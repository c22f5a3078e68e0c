"""The trace on its way to an activity: packed in history, whole on both ends."""

import json

import pytest
from temporalio.api.common.v1 import Payload

from tests.conftest import Workers
from tests.support.scripted import in_order, says
from tests.support.teams import one_agent
from workers.telemetry import pack_trace, unpack_trace

PARENT = "00-8c7db4ab193b487fe35058f670c85037-73333c3de5c13bf8-01"


def carried(**carrier: str) -> dict[str, Payload]:
    """The header as the SDK writes it."""
    return {"_tracer-data": Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(carrier).encode())}


def test_what_is_packed_is_unpacked() -> None:
    other = {"mine": Payload(data=b"1")}
    packed = pack_trace({**carried(traceparent=PARENT), **other})
    assert set(packed) == {"trace", "mine"}
    assert len(packed["trace"].data) == 25
    unpacked = unpack_trace(packed)
    assert json.loads(unpacked["_tracer-data"].data) == {"traceparent": PARENT}
    assert unpacked["mine"] == other["mine"]


@pytest.mark.parametrize(
    "carrier",
    [
        {"traceparent": PARENT, "tracestate": "a=1"},
        {"traceparent": PARENT, "baggage": "a=1"},
        {"traceparent": PARENT.replace("00-", "01-", 1)},
        {"traceparent": PARENT[:-1]},
        {},
    ],
)
def test_what_is_more_than_a_trace_stays_as_it_is(carrier: dict[str, str]) -> None:
    headers = carried(**carrier)
    assert pack_trace(headers) == headers
    assert unpack_trace(headers) == headers  # so do histories from before
    assert pack_trace({}) == {}


def test_a_damaged_header_is_no_trace() -> None:
    headers = {"trace": Payload(data=b"short")}
    assert unpack_trace(headers) == headers


async def test_history_holds_the_packed_trace(workers: Workers) -> None:
    """That the trace is the same at both ends is told in ``test_plugin``."""
    async with workers(in_order(says("Done."))) as bench:
        handle = await bench.start(one_agent())
        await handle.result()
    history = await handle.fetch_history()
    (headers,) = [
        event.activity_task_scheduled_event_attributes.header.fields
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert set(headers) == {"trace"}
    assert headers["trace"].ByteSize() < 60
