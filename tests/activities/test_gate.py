"""The gate holds where the call is made: whatever a workflow asks for, forged or wrong."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
from activities.contracts.failures import FailureKind
from activities.contracts.grants import Approval, ArgumentRule, Grant, Verdict
from activities.contracts.messages import ToolCall
from activities.contracts.people import Choice, HumanDecision
from activities.contracts.profile import AgentProfile, Effect
from activities.contracts.steps import StepKey
from activities.gate import action_hash
from activities.object_store import ObjectStore
from activities.policy import Policy
from activities.records import Intent, Records, request_hash
from activities.tool_call import ToolActivities
from activities.tools.base import ToolContext, collect_tools, tool
from tests.support import tools

KNOWN = collect_tools([tools])
TASK = "run~a~b~t1.c0.ask"
MAIL = '{"to": "ann"}'
ASKS: dict[str, Any] = {"send_mail": (Grant(ask=True),)}


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "effects.txt"
    path.touch()
    monkeypatch.setenv("OSTINATO_TEST_EFFECTS", str(path))
    return path


def sent(noted: Path) -> list[str]:
    return [line.split(maxsplit=2)[2] for line in noted.read_text().splitlines()]


async def call(
    store: ObjectStore,
    *,
    tool: str = "send_mail",
    arguments: str = MAIL,
    step: str = "t1.c0",
    generation: int = 0,
    approval: Approval | None = None,
    policy: dict[str, Any] | None = None,
    run_id: str = "run-a",
    profile: dict[str, Any] | None = None,
) -> ToolResponse:
    """One call as the workflow of an agent ``t/a`` would ask for it."""
    agent = AgentProfile(
        agent="t/a@1", tools=tuple(known.spec for known in KNOWN.values()), **(profile or {"grants": ASKS})
    )
    request = ToolRequest(
        key=StepKey(scope_id="run", path="a/b", step=step, generation=generation),
        profile=await store.put_model("run", agent),
        call=ToolCall(tool_call_id="c", tool=tool, arguments=arguments),
        approval=approval,
    )
    environment = ActivityEnvironment()
    environment.info = environment.info.__class__(**{**environment.info.__dict__, "workflow_run_id": run_id})
    rules = (Policy.model_validate(policy, extra="forbid"),) if policy else ()
    response: ToolResponse = await environment.run(ToolActivities(store, KNOWN, policies=rules).call_tool, request)
    return response


def yes(arguments: str = MAIL, *, tool: str = "send_mail", task: str = TASK, seconds: float = 60.0) -> Approval:
    """An approval that is bound as it should be."""
    expires_at = time.time() + seconds
    return Approval(
        task_id=task, by="petra", action=action_hash(tool, arguments, task, expires_at), expires_at=expires_at
    )


async def said(store: ObjectStore, approval: Approval) -> Approval:
    """The same, on record as a person's decision."""
    decision = HumanDecision(
        choice=Choice.APPROVE,
        by=approval.by,
        task_id=approval.task_id,
        action=approval.action,
        expires_at=approval.expires_at,
    )
    _, *path, step = approval.task_id.split("~")
    key = StepKey(scope_id="run", path="/".join(path), step=step)
    await Records(store).settle(key, request_hash({"q": approval.action}), decision, "run")
    return approval


async def test_a_call_that_needs_a_yes_has_no_effect_and_no_record_without_one(store: ObjectStore, noted: Path) -> None:
    first, again = await call(store), await call(store)
    assert first.decision
    assert again.decision
    assert (first.decision.verdict, again.decision.verdict) == (Verdict.ASK, Verdict.ASK)
    assert (first.message, sent(noted)) == (None, [])
    assert [path async for path in store.list_paths("lineages/run/records/")] == []


async def test_an_approval_is_good_for_one_call_and_its_retries(store: ObjectStore, noted: Path) -> None:
    approval = await said(store, yes())
    made = await call(store, approval=approval)
    assert made.decision
    assert (made.decision.verdict, made.decision.by) == (Verdict.PROCEED, "petra")
    # A resumed run needs no yes for what was done, and shows whose it was.
    resumed = await call(store, run_id="run-b")
    assert (resumed.from_record, resumed.decision) == (True, made.decision)
    assert sent(noted) == ["ann"]


async def test_the_retry_of_a_call_that_died_uses_its_approval_again(store: ObjectStore, noted: Path) -> None:
    approval = await said(store, yes('{"room": "red"}', tool="book_room"))
    room: dict[str, Any] = {"tool": "book_room", "arguments": '{"room": "red"}', "approval": approval}
    grants = {"grants": {"book_room": (Grant(ask=True),)}}
    await call(store, **room, profile=grants)
    for path in [path async for path in store.list_paths("lineages/run/records/a/b/t1.c0/")]:
        Path(store.address.removeprefix("file://"), path).unlink()  # the worker died before it wrote one
    again = await call(store, **room, profile=grants)
    assert again.error is None
    assert sent(noted) == ["red", "red"]


async def test_an_approval_is_used_once(store: ObjectStore, noted: Path) -> None:
    approval = await said(store, yes())
    await call(store, approval=approval)
    response = await call(store, approval=approval, generation=1)  # the same call, not to be answered from its record
    assert response.error is ToolErrorKind.BLOCKED
    assert "the approval was used for another call" in response.text
    assert sent(noted) == ["ann"]
    # The step is taken again with other arguments: its question has the id of the old one, and its yes is a new one.
    eve = '{"to": "eve"}'
    await call(store, arguments=eve, approval=await said(store, yes(eve)))
    assert sent(noted) == ["ann", "eve"]
    forged = approval.model_copy(update={"decided_at": 1.0})
    assert "no such approval" in (await call(store, approval=forged, generation=1)).text


async def test_what_was_made_as_a_person_edited_it_is_not_asked_about_again(store: ObjectStore, noted: Path) -> None:
    """However long ago: the approval may have expired since, and the call has been made all the same."""
    edited = '{"to": "bob"}'
    asked = request_hash({"tool": "send_mail", "arguments": MAIL, "snapshot": ""})
    approval = (await said(store, yes(edited))).model_copy(update={"asked": asked})
    await call(store, arguments=edited, approval=approval)
    again = await call(store, run_id="run-b")
    assert again.decision
    assert (again.decision.verdict, again.decision.by) == (Verdict.EDIT, "petra")
    assert (again.from_record, again.text, sent(noted)) == (True, "sent to bob", ["bob"])
    records = Path(store.address.removeprefix("file://"), "lineages/run/records/a/b/t1.c0/g0")
    (made,) = [path for path in records.iterdir() if path.suffix == ".intent"]
    made.with_suffix("").unlink()  # it was begun, and its worker died
    with pytest.raises(ApplicationError) as caught:
        await call(store, run_id="run-b")
    assert caught.value.type == FailureKind.OUTCOME_UNKNOWN.value


@pytest.mark.parametrize(
    ("approval", "changed", "why"),
    [
        (yes(), {"arguments": '{"to": "eve"}'}, "the approval is for another action"),
        (yes(), {"tool": "book_room", "arguments": '{"room": "x"}'}, "the approval is for another action"),
        (yes(), {"step": "t1.c1"}, "the approval is for another step"),
        (yes(task="run~a~c~t1.c0.ask"), {}, "the approval is for another step"),
        (yes(task="run~a~b~t1.c0./x"), {}, "the approval is for another step"),
        (yes().model_copy(update={"expires_at": time.time() + 9999}), {}, "the approval is for another action"),
        (yes(), {"record": False}, "no such approval is on record"),
    ],
)
async def test_an_approval_is_worth_nothing_for_anything_else(
    store: ObjectStore, noted: Path, approval: Approval, changed: dict[str, Any], why: str
) -> None:
    if changed.pop("record", True) and "./" not in approval.task_id:
        await said(store, approval)
    grants = {"grants": {"send_mail": (Grant(ask=True),), "book_room": (Grant(ask=True),)}}
    response = await call(store, approval=approval, profile=grants, **changed)
    assert response.error is ToolErrorKind.BLOCKED
    assert why in response.text
    assert sent(noted) == []


async def test_an_approval_that_has_expired_is_asked_for_again(store: ObjectStore, noted: Path) -> None:
    response = await call(store, approval=await said(store, yes(seconds=-1)))
    assert response.decision
    assert response.decision.verdict is Verdict.ASK
    assert "expired" in response.decision.reason
    assert sent(noted) == []


async def test_only_whom_the_policy_names_may_approve(store: ObjectStore, noted: Path) -> None:
    policy = {"rules": [{"tool": "send_mail", "verdict": "ask", "asking": {"people": ["Paul"]}}]}
    response = await call(store, approval=await said(store, yes()), policy=policy, profile={"grants": {}})
    assert response.decision
    assert (response.decision.verdict, response.decision.asking and response.decision.asking.people) == (
        Verdict.ASK,
        ("Paul",),
    ), "whoever may decide today is asked"
    assert "petra approved it, and may not any more" in response.decision.reason
    assert sent(noted) == []


async def test_a_forged_profile_does_not_get_past_the_policy(store: ObjectStore, noted: Path) -> None:
    read = KNOWN["send_mail"].spec.model_copy(update={"effect": Effect.READ})
    policy: dict[str, Any] = {"rules": [{"effect": "read", "verdict": "proceed"}]}
    forged = AgentProfile(agent="trusted/ceo@1", tools=(read,), checks=(read,))
    digest = await store.put_model("run", forged)
    for check in (False, True):
        request = ToolRequest(
            key=StepKey(scope_id="run", path="a", step="t1"),
            profile=digest,
            call=ToolCall(tool_call_id="c", tool="send_mail", arguments=MAIL),
            check=check,
        )
        rules = (Policy.model_validate(policy),)
        response: ToolResponse = await ActivityEnvironment().run(
            ToolActivities(store, KNOWN, policies=rules).call_tool, request
        )
        assert response.error is ToolErrorKind.BLOCKED
    assert sent(noted) == []


async def test_arguments_that_could_be_read_in_two_ways_are_put_before_nobody(store: ObjectStore, noted: Path) -> None:
    response = await call(store, arguments='{"to": "ann", "to": "eve"}')
    assert response.error is ToolErrorKind.BLOCKED
    assert "name one thing twice" in response.text
    assert sent(noted) == []


async def test_a_refusal_does_not_hide_an_effect_that_was_begun(store: ObjectStore, noted: Path) -> None:
    key = StepKey(scope_id="run", path="a/b", step="t1.c0")
    hashed = request_hash({"tool": "send_mail", "arguments": MAIL, "snapshot": ""})
    await Records(store).intend(key, hashed, Intent(request_id="r", tool="send_mail", attempt=1))
    with pytest.raises(ApplicationError) as caught:
        await call(store)
    assert caught.value.type == FailureKind.OUTCOME_UNKNOWN.value
    assert sent(noted) == []


async def test_what_the_policy_edits_is_judged_by_the_grants_again(store: ObjectStore, noted: Path) -> None:
    policy = {"rules": [{"tool": "send_mail", "verdict": "edit", "replace": {"to": "eve"}}]}
    only_ann = {"grants": {"send_mail": (Grant(arguments={"to": ArgumentRule(one_of=("ann",))}),)}}
    response = await call(store, policy=policy, profile=only_ann)
    assert response.error is ToolErrorKind.BLOCKED
    assert 'edited by the policy, to has to be one of ["ann"]' in response.text
    assert sent(noted) == []


async def test_a_person_is_asked_about_what_the_policy_has_edited(store: ObjectStore, noted: Path) -> None:
    policy = {"rules": [{"tool": "send_mail", "verdict": "edit", "limit": {"to": {"max_length": 2}}}]}
    asked = await call(store, policy=policy)
    assert asked.decision
    assert (asked.decision.verdict, asked.decision.arguments) == (Verdict.ASK, '{"to": "an"}')
    # A yes to the unedited call changes nothing; one to the edited call does.
    again = await call(store, policy=policy, approval=await said(store, yes()))
    assert again.decision
    assert again.decision.verdict is Verdict.ASK
    edited = '{"to": "an"}'
    await call(store, policy=policy, arguments=edited, approval=await said(store, yes(edited)))
    assert sent(noted) == ["an"]


@pytest.mark.parametrize("name", ["s\u0435nd_mail", "send_rnail", "send\u200b_mail"])
async def test_a_name_that_looks_like_a_tool_is_none(store: ObjectStore, noted: Path, name: str) -> None:
    response = await call(store, tool=name)
    assert response.error is ToolErrorKind.UNKNOWN_TOOL
    assert "It looks like 'send_mail'" in response.text
    assert sent(noted) == []


@tool(effect="once")
def pay(context: ToolContext, amount: Decimal, to: str = "nobody") -> str:
    """Pay."""
    return f"paid {amount} to {to} as {bool(context.request_id)}"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"amount": "500", "to": "ann"}', "amount has to be at most 100, and is 500"),
        ('{"amount": 5e2, "to": "ann"}', "amount has to be at most 100, and is 500"),
        ('{"amount": 1, "amount": 500, "to": "ann"}', "amount has to be at most 100"),
        ('{"amount": 5}', 'to has to be one of ["ann"], and is "nobody"'),
    ],
)
async def test_what_is_judged_is_what_the_tool_would_get(store: ObjectStore, arguments: str, why: str) -> None:
    rules = {"amount": ArgumentRule(maximum=100), "to": ArgumentRule(one_of=("ann",))}
    agent = AgentProfile(agent="t/a@1", tools=(pay.spec,), grants={"pay": (Grant(arguments=rules),)})
    request = ToolRequest(
        key=StepKey(scope_id="run", path="a", step="t1"),
        profile=await store.put_model("run", agent),
        call=ToolCall(tool_call_id="c", tool="pay", arguments=arguments),
    )
    response: ToolResponse = await ActivityEnvironment().run(ToolActivities(store, {"pay": pay}).call_tool, request)
    assert response.error is ToolErrorKind.BLOCKED
    assert why in response.text
