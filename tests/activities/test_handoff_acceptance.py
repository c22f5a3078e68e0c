"""A handoff is taken or rejected inside the receiver's first activity, before anything is paid, done or recorded."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.budgets import Amounts, Budget
from activities.contracts.calls import ModelRequest, ModelResponse, ToolRequest, ToolResponse
from activities.contracts.handoffs import Handoff, RejectionReason
from activities.contracts.mcp_endpoint import McpToolRef
from activities.contracts.messages import ToolCall, UserMessage
from activities.contracts.profile import AgentProfile, ModelChoice, ToolSpec
from activities.contracts.steps import StepKey, Usage
from activities.handoffs import missing_tools, taken, unfit
from activities.model_call import ModelActivities
from activities.object_store import ObjectStore
from activities.tool_call import ToolActivities
from activities.tools.base import collect_tools
from tests.support import tools
from tests.support.growth import calls_of
from tests.support.scripted import ScriptedProvider, says

KEY = StepKey(scope_id="run", path="a", step="t1")
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KNOWN = collect_tools([tools])
OFFER = Handoff(task_id="a", owner="t/a@1", path=("t/line@1",), offered_at=NOW.timestamp() - 0.025)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


def environment(attempt: int = 1) -> ActivityEnvironment:
    found = ActivityEnvironment()
    found.info = replace(found.info, started_time=NOW, attempt=attempt)
    return found


async def ask(
    store: ObjectStore,
    handoff: Handoff | None,
    here: Collection[str] | None = KNOWN,
    providers: Collection[str] = ("offline",),
    attempt: int = 1,
) -> tuple[ModelResponse, ScriptedProvider]:
    provider = ScriptedProvider(lambda *_: says("Hello."))
    profile = AgentProfile(
        agent="t/a@1",
        tools=(KNOWN["add"].spec,),
        models=(ModelChoice(provider="offline", model="m", output_usd_per_million=2.0),),
        max_output_tokens=100,
    )
    request = ModelRequest(
        key=KEY, profile=await store.put_model("run", profile), append=(UserMessage(text="Hi."),), handoff=handoff
    )
    activities = ModelActivities(store, dict.fromkeys(providers, provider), here)
    return await environment(attempt).run(activities.call_model, request), provider


async def test_an_acceptance_is_measured_from_the_offer_to_the_start_by_one_clock(store: ObjectStore) -> None:
    answer, _ = await ask(store, OFFER)
    assert answer.text == "Hello."
    assert answer.accepted is not None
    assert answer.accepted.milliseconds == 25
    given = len(UserMessage(text="Hi.").model_dump_json())
    assert answer.accepted.size_bytes == len(OFFER.model_dump_json()) + given, "the prompt is handed over too"


@pytest.mark.parametrize(
    ("changes", "reason", "missing"),
    [
        ({"here": ()}, RejectionReason.TOOL_MISSING, ("add",)),
        ({"providers": ("openai",)}, RejectionReason.MODEL_MISSING, ("offline",)),
        ({"needs": ("facts", "style"), "given": ("style",)}, RejectionReason.NEEDS_MISSING, ("facts",)),
        ({"deadline": NOW.timestamp()}, RejectionReason.DEADLINE, ()),
        ({"budget": Budget(model_calls=0)}, RejectionReason.BUDGET, ()),
        ({"budget": Budget(tokens=99)}, RejectionReason.BUDGET, ()),
        ({"budget": Budget(cost_usd=0.000199)}, RejectionReason.BUDGET, ()),
    ],
)
async def test_a_rejection_is_an_answer_and_leaves_nothing(
    store: ObjectStore, changes: dict[str, Any], reason: RejectionReason, missing: tuple[str, ...]
) -> None:
    here = {name: changes.pop(name) for name in ("here", "providers") if name in changes}
    answer, provider = await ask(store, OFFER.model_copy(update=changes), **here)
    assert answer.rejected is not None
    assert (answer.rejected.reason, answer.rejected.missing) == (reason, missing)
    assert (answer.thread, answer.usage, answer.accepted, provider.calls) == (None, Usage(), None, [])
    # Nothing is on record: a worker that has what it takes answers the same request.
    answer, provider = await ask(store, OFFER)
    assert (answer.text, answer.from_record, len(provider.calls)) == ("Hello.", False, 1)


async def test_just_enough_is_taken(store: ObjectStore) -> None:
    enough = {"budget": Budget(tokens=100, cost_usd=0.0002, model_calls=1), "deadline": NOW.timestamp() + 0.001}
    answer, _ = await ask(store, OFFER.model_copy(update=enough))
    assert answer.rejected is None


async def test_a_recorded_answer_is_given_by_whoever_has_the_record(store: ObjectStore) -> None:
    """A resumed run is answered although the tool has gone from the deployment, and the time was another."""
    await ask(store, OFFER)
    late = OFFER.model_copy(update={"deadline": NOW.timestamp() - 60})
    answer, provider = await ask(store, late, here=(), providers=())
    assert (answer.text, answer.rejected, provider.calls) == ("Hello.", None, [])
    assert answer.accepted is not None


async def test_without_a_handoff_nobody_is_asked(store: ObjectStore) -> None:
    answer, provider = await ask(store, None, here=())
    assert (answer.text, answer.accepted, len(provider.calls)) == ("Hello.", None, 1)


async def test_an_attempt_that_was_lost_before_a_rejection_is_still_counted(store: ObjectStore) -> None:
    answer, _ = await ask(store, OFFER, here=(), attempt=3)
    assert answer.rejected is not None
    assert answer.usage.model_calls == 2
    assert answer.usage.unsettled_tokens >= 200
    assert answer.usage.cost_usd > 0


async def test_a_call_of_a_tool_that_is_not_here_is_rejected_and_can_be_made_elsewhere(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "effects.txt"
    noted.touch()
    monkeypatch.setenv("OSTINATO_TEST_EFFECTS", str(noted))
    profile = AgentProfile(agent="t/mail@1", tools=(KNOWN["send_mail"].spec,))
    request = ToolRequest(
        key=KEY,
        profile=await store.put_model("run", profile),
        call=ToolCall(tool_call_id="c", tool="send_mail", arguments='{"to": "ann"}'),
        handoff=OFFER,
    )
    answer: ToolResponse = await environment().run(ToolActivities(store, {}).call_tool, request)
    assert answer.rejected is not None
    assert (answer.rejected.missing, answer.message, answer.error) == (("send_mail",), None, None)
    assert noted.read_text() == ""
    answer = await environment().run(ToolActivities(store, KNOWN).call_tool, request)
    assert (answer.text, answer.rejected) == ("sent to ann", None)
    assert answer.accepted is not None
    assert len(noted.read_text().splitlines()) == 1


def test_tools_of_mcp_servers_and_of_the_platform_are_not_looked_for() -> None:
    spec = KNOWN["add"].spec
    elsewhere = McpToolRef.model_validate(
        {"server": "s", "endpoint": {"command": ["x"]}, "tool": "t", "schema_hash": "0" * 40}
    )
    own = spec.model_copy(update={"name": "read_state", "platform": True})
    assert missing_tools([own, spec.model_copy(update={"name": "s__t", "mcp": elsewhere})], ()) is None
    assert missing_tools([spec, own], ()) is not None


def test_an_acceptance_is_little_work_however_much_is_handed_on() -> None:
    specs: list[ToolSpec] = [spec.spec for spec in KNOWN.values()] * 20
    full = OFFER.model_copy(
        update={
            "goal": "g" * 2000,
            "needs": tuple(f"k{n}" for n in range(64)),
            "given": tuple(f"k{n}" for n in range(64)),
            "decisions": ("d" * 500,) * 20,
            "deadline": (NOW + timedelta(seconds=9)).timestamp(),
        }
    )

    def take() -> None:
        assert missing_tools(specs, KNOWN) is None
        assert unfit(full, Amounts(model_calls=1), NOW) is None
        assert taken(full, NOW, 0).size_bytes > 12_000

    take()
    assert calls_of(take) < 150  # 59: less than a tenth of a millisecond, whatever the handoff holds
