"""Each activity is run twice under one key, and what it does is counted once."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contracts.calls import ModelRequest, ModelResponse, ToolRequest, ToolResponse
from activities.contracts.failures import FailureKind
from activities.contracts.messages import ToolCall, UserMessage
from activities.contracts.profile import AgentProfile, ModelChoice
from activities.contracts.similarity import EmbedRequest, EmbedResponse
from activities.contracts.steps import StepKey, Usage
from activities.embed_call import EmbedActivities
from activities.model_call import ModelActivities
from activities.object_store import ObjectStore
from activities.providers.openai import OpenAIProvider
from activities.tool_call import ToolActivities
from activities.tools.base import collect_tools
from tests.providers.fake_openai import FakeOpenAI, embeddings
from tests.support import tools
from tests.support.scripted import ScriptedProvider, says

KEY = StepKey(scope_id="run", path="a", step="t1")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "effects.txt"
    path.touch()
    monkeypatch.setenv("OSTINATO_TEST_EFFECTS", str(path))
    return path


def environment(run_id: str) -> ActivityEnvironment:
    """An activity environment of one workflow run."""
    found = ActivityEnvironment()
    found.info = found.info.__class__(**{**found.info.__dict__, "workflow_run_id": run_id})
    return found


async def call_model(store: ObjectStore, provider: ScriptedProvider, run_id: str, text: str = "Hi.") -> ModelResponse:
    profile = AgentProfile(
        agent="t/a@1", models=(ModelChoice(provider="offline", model="m", input_usd_per_million=1.0),)
    )
    request = ModelRequest(key=KEY, profile=await store.put_model("run", profile), append=(UserMessage(text=text),))
    activities = ModelActivities(store, {"offline": provider})
    response: ModelResponse = await environment(run_id).run(activities.call_model, request)
    return response


async def test_a_model_call_is_made_once_and_paid_by_the_run_that_made_it(store: ObjectStore) -> None:
    provider = ScriptedProvider(lambda *_: says("Hello."))
    first = await call_model(store, provider, "run-a")
    again = await call_model(store, provider, "run-a")  # a retry whose first attempt died after the record
    resumed = await call_model(store, provider, "run-b")  # another run of the lineage
    assert len(provider.calls) == 1
    assert first.text == again.text == resumed.text == "Hello."
    assert first.thread == again.thread == resumed.thread
    assert first.usage == again.usage
    assert first.usage.model_calls == 1
    assert (resumed.usage, resumed.from_record) == (Usage(), True)


async def test_a_changed_request_is_another_call(store: ObjectStore) -> None:
    provider = ScriptedProvider(lambda *_: says("Hello."))
    await call_model(store, provider, "run-a")
    await call_model(store, provider, "run-a", "Something else.")
    assert len(provider.calls) == 2


async def compare(store: ObjectStore, server: FakeOpenAI, run_id: str, *texts: str) -> EmbedResponse:
    provider = OpenAIProvider(SecretStr("key"), server.base_url)
    request = EmbedRequest(key=KEY, provider="openai", model="m", texts=texts, input_usd_per_million=1.0)
    activities = EmbedActivities(store, {"openai": provider})
    try:
        response: EmbedResponse = await environment(run_id).run(activities.embed, request)
    finally:
        await provider.aclose()
    return response


async def test_texts_are_compared_once_and_paid_by_the_run_that_did_it(store: ObjectStore) -> None:
    with FakeOpenAI(embeddings([1, 0], [1, 1]), embeddings([1, 0], [0, 1])) as server:
        first = await compare(store, server, "run-a", "one", "two")
        again = await compare(store, server, "run-a", "one", "two")  # a retry whose first attempt died after the record
        resumed = await compare(store, server, "run-b", "one", "two")
        assert len(server.requests) == 1
        other = await compare(store, server, "run-a", "one", "three")
    assert first.cosines == again.cosines == resumed.cosines == (0.707107,)
    assert first.usage == again.usage == Usage(input_tokens=10, model_calls=1, cost_usd=0.00001)
    assert (resumed.usage, resumed.from_record) == (Usage(), True)
    assert other.cosines == (0.0,)


async def call_tool(store: ObjectStore, tool: str, arguments: str, run_id: str = "run-a") -> ToolResponse:
    known = collect_tools([tools])
    profile = AgentProfile(agent="t/a@1", tools=tuple(t.spec for t in known.values()))
    call = ToolCall(tool_call_id="c", tool=tool, arguments=arguments)
    request = ToolRequest(key=KEY, profile=await store.put_model("run", profile), call=call)
    response: ToolResponse = await environment(run_id).run(ToolActivities(store, known).call_tool, request)
    return response


@pytest.mark.parametrize(("tool", "arguments"), [("send_mail", '{"to": "ann"}'), ("book_room", '{"room": "blue"}')])
async def test_a_recorded_tool_call_is_not_made_again(
    store: ObjectStore, noted: Path, tool: str, arguments: str
) -> None:
    first = await call_tool(store, tool, arguments)
    second = await call_tool(store, tool, arguments, "run-b")
    assert len(noted.read_text().splitlines()) == 1
    assert first.message == second.message
    assert (first.from_record, second.from_record) == (False, True)


async def test_the_request_id_is_the_same_for_every_attempt_and_another_for_every_step(
    store: ObjectStore, noted: Path, tmp_path: Path
) -> None:
    await call_tool(store, "book_room", '{"room": "blue"}')
    await call_tool(ObjectStore((tmp_path / "other").as_uri()), "book_room", '{"room": "blue"}')  # its record was lost
    await call_tool(store, "book_room", '{"room": "red"}')
    blue, blue_again, red = (line.split()[1] for line in noted.read_text().splitlines())
    assert blue == blue_again
    assert red != blue


async def test_a_once_effect_that_was_begun_is_never_begun_again(store: ObjectStore, noted: Path) -> None:
    await call_tool(store, "send_mail", '{"to": "ann"}')
    records = [path async for path in store.list_paths("lineages/run/records/")]
    record = next(path for path in records if not path.endswith(".intent"))
    Path(store.address.removeprefix("file://"), record).unlink()  # the worker died before it wrote one
    with pytest.raises(ApplicationError) as caught:
        await call_tool(store, "send_mail", '{"to": "ann"}')
    assert caught.value.type == FailureKind.OUTCOME_UNKNOWN.value
    assert caught.value.non_retryable
    assert len(noted.read_text().splitlines()) == 1
