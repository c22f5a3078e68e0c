"""What the plugin promises: bounds in both directions, the codec on history, one trace, secret-free JSON logs."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from pydantic import SecretStr
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.contracts.failures import FailureKind
from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore
from activities.policy import Policy
from tests.conftest import Workers, new_run_id
from tests.support.scripted import calls, in_order, says
from tests.support.teams import one_agent
from workers.client import connect
from workers.converter import MAX_PAYLOAD_BYTES
from workers.deployment import Deployment
from workers.registration import bind_policy, bind_store, register_search_attributes
from workers.runs import read_result
from workers.server import ServerInfo
from workers.settings import Settings, load_settings
from workers.telemetry import start_logging, trace_id
from workflows.steps import WORKFLOW_QUEUE


async def test_an_input_that_is_too_large_is_refused_at_the_client(deployment: Deployment) -> None:
    with pytest.raises(ApplicationError) as caught:
        await deployment.client.start_workflow("agent", "x" * (MAX_PAYLOAD_BYTES + 1), id="big", task_queue="none")
    assert caught.value.type == FailureKind.PAYLOAD_TOO_LARGE.value
    assert caught.value.non_retryable


async def test_a_result_that_is_too_large_ends_the_run_at_once(workers: Workers) -> None:
    """An endless retry is what the bound prevents: the tool is called once, the run fails by name."""
    async with workers(in_order(calls(("big", {"size": 9_000_000})))) as bench:
        result = await asyncio.wait_for(bench.run(one_agent(tools=["big"])), 30)
    assert result.failure
    assert result.failure.kind is FailureKind.PAYLOAD_TOO_LARGE
    assert result.steps[0].attempts == 1


async def test_a_large_payload_leaves_history_and_comes_back(workers: Workers) -> None:
    async with workers(in_order(says("word " * 40_000))) as bench:
        handle = await bench.start(one_agent())
        result = await read_result(handle)
        history = await handle.fetch_history()
        stored = [p async for p in bench.deployment.store.list_paths(f"lineages/{handle.id}/payloads/")]
    assert result.output == "word " * 40_000
    assert sum(event.ByteSize() for event in history.events) < 20_000
    assert stored


async def test_an_input_that_fits_no_contract_fails_the_run_instead_of_hanging(
    workers: Workers, server: ServerInfo
) -> None:
    plain = await Client.connect(server.address, data_converter=pydantic_data_converter)
    async with workers(in_order()):
        run_id = new_run_id()
        handle = await plain.start_workflow("agent", {"team": 3}, id=run_id, task_queue=WORKFLOW_QUEUE)
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(handle.result(), 10)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == FailureKind.CONFIGURATION_INVALID.value
    assert "RunInput" in caught.value.cause.message


async def test_history_passes_the_codec_with_its_context(server: ServerInfo, home: Path, settings: Settings) -> None:
    coded = settings.model_copy(update={"codec": "tests.activities.test_object_store:Rot"})
    client = await connect(coded, address=server.address)
    plain = await connect(settings, address=server.address)
    handle = await client.start_workflow("nobody", "secret words", id=new_run_id(), task_queue="nowhere")
    try:
        raw = (await plain.get_workflow_handle(handle.id).fetch_history()).events[0]
        payload = raw.workflow_execution_started_event_attributes.input.payloads[0]
        assert b"secret words" not in payload.SerializeToString()
        assert payload.metadata["run"] == handle.id.encode()
    finally:
        await handle.terminate()
    del home


class Spans(SpanProcessor):
    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


async def test_one_trace_runs_from_the_client_to_the_model_call(workers: Workers) -> None:
    spans = Spans()
    trace.get_tracer_provider().add_span_processor(spans)  # type: ignore[attr-defined] # the SDK's provider, not the API's
    seen: list[str] = []

    def script(*_: object) -> object:
        seen.append(trace_id())
        return says("ok")

    async with workers(script) as bench:
        await bench.run(one_agent())
    (ours,) = [f"{s.context.trace_id:032x}" for s in spans.ended if s.name == "start agent" and s.context]
    assert seen == [ours]
    chat = [span for span in spans.ended if span.name.startswith("chat")]
    assert [f"{span.context.trace_id:032x}" for span in chat if span.context] == [ours]
    assert chat[0].attributes
    assert chat[0].attributes["gen_ai.usage.input_tokens"] == 10


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    start_logging(load_settings(openai_api_key=SecretStr("hush-hush-hush"), log_level="info"))
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers, root.level = before, level


async def test_logs_are_json_with_identity_and_without_secrets(workers: Workers, log: io.StringIO) -> None:
    async with workers(in_order(says("ok"))) as bench:
        with trace.get_tracer("test").start_as_current_span("client"):
            ours = trace_id()
            handle = await bench.start(one_agent())
            await read_result(handle)
    try:
        raise ValueError("the key is hush-hush-hush")
    except ValueError:
        logging.getLogger("x").exception("bearer hush-hush-hush failed")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    call = next(line for line in lines if line["event"] == "model.call done")
    assert call["run"] == handle.id
    assert call["agent"] == "a"
    assert call["task"] == "a/t1"
    assert call["trace"] == ours
    assert "hush-hush" not in log.getvalue()


async def test_a_worker_with_another_store_refuses_to_start(deployment: Deployment, tmp_path: Path) -> None:
    await bind_store(deployment.client, deployment.store)
    await bind_store(deployment.client, deployment.store)  # the right one, again
    other = ObjectStore((tmp_path / "other").as_uri())
    with pytest.raises(ConfigurationInvalid, match="is not the one of the namespace"):
        await bind_store(deployment.client, other)


async def test_no_process_makes_tool_calls_without_the_policy_that_others_have(tmp_path: Path) -> None:
    store = ObjectStore((tmp_path / "store").as_uri())
    policy, other = (Policy.model_validate({"rules": [{"verdict": verdict}]}) for verdict in ("block", "proceed"))
    await bind_policy(store, None, given_up=False)
    await bind_policy(store, policy, given_up=False)
    await bind_policy(store, other, given_up=False)  # a change, as it is rolled out
    with pytest.raises(ConfigurationInvalid, match="has a policy on what may be done") as caught:
        await bind_policy(store, None, given_up=False)
    assert "OSTINATO_POLICY=none" in caught.value.fix
    await bind_policy(store, None, given_up=True)
    await bind_policy(store, None, given_up=False)


async def test_search_attributes_are_registered_once_and_found(workers: Workers, deployment: Deployment) -> None:
    await register_search_attributes(deployment.client)
    await register_search_attributes(deployment.client)
    async with workers(in_order(says("ok"))) as bench:
        handle = await bench.start(one_agent("findable"))
        await read_result(handle)
    query = "OstinatoTeam = 'findable' AND OstinatoPattern = 'agent' AND OstinatoAgents = 'a'"
    async with asyncio.timeout(15):  # visibility follows with a delay
        while not [found async for found in deployment.client.list_workflows(query)]:
            await asyncio.sleep(0.05)


async def test_a_store_of_another_namespace_is_refused_too(deployment: Deployment, tmp_path: Path) -> None:
    other = ObjectStore((tmp_path / "other").as_uri())
    await other.create("store.id", b"some-store some-namespace", scope_id="store.id")
    with pytest.raises(ConfigurationInvalid, match="is not the one of the namespace"):
        await bind_store(deployment.client, other)


async def test_a_namespace_that_takes_no_more_search_attributes_says_what_to_register(server: ServerInfo) -> None:
    """A namespace has room for ten keywords on SQL; here others have taken them all."""
    client = await connect(load_settings(), address=server.address)
    name = f"full-{new_run_id()}"
    period = Duration(seconds=86_400)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=period)
    )
    taken = {f"Taken{n}": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for n in range(10)}
    request = AddSearchAttributesRequest(namespace=name, search_attributes=taken)
    async with asyncio.timeout(20):
        while True:  # a new namespace is usable about a second later
            try:
                await client.operator_service.add_search_attributes(request)
                break
            except RPCError:
                await asyncio.sleep(0.1)
    full = await Client.connect(server.address, namespace=name)
    with pytest.raises(ConfigurationInvalid) as caught:
        await register_search_attributes(full)
    assert name in str(caught.value)
    assert "OstinatoTeam (keyword)" in caught.value.fix


async def test_a_client_finds_the_dev_server_of_its_home(server: ServerInfo, settings: Settings) -> None:
    found = await Deployment.connect(settings)
    assert found.client.service_client.config.target_host == server.address
