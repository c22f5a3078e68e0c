"""A human task: who may decide it and how, what is bound to the decision, and that nobody is asked twice."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.contracts.failures import FailureKind
from activities.contracts.grants import Verdict
from activities.contracts.people import Choice, DecideRequest, HumanDecision, HumanTask, HumanTaskView, ProposedAction
from activities.contracts.steps import StepKey
from activities.errors import ConfigurationInvalid
from activities.gate import action_hash
from tests.conftest import Bench, Workers, new_run_id
from tests.crash.sweep import worker
from tests.support.people import asks, says_yes, until_asked, until_waiting
from tests.support.scripted import in_order
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.inbox import decide, open_tasks, read_task
from workers.registration import bind_store, register_search_attributes
from workers.runs import read_result, start_run
from workers.server import ServerInfo
from workflows import steps
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

NOBODY = in_order()
REVIEW = {
    "team": "review",
    "root": {
        "kind": "pipeline",
        "stages": [
            {"kind": "call", "tool": "echo", "arguments": {"text": "the draft"}, "name": "write"},
            {
                "kind": "person",
                "name": "check",
                "question": "Is it good?",
                "choices": ["approve", "edit", "reject"],
                "answer": {"type": "string", "minLength": 3},
            },
            {"kind": "call", "tool": "echo", "arguments": {"text": "$input"}, "name": "send"},
        ],
    },
}


async def task_of(bench: Bench, **fields: Any) -> HumanTaskView:
    """A human task that stands alone, as the gate opens one."""
    run_id = new_run_id()
    given = {"question": "Pay?", "asking": {"people": ["Nora Ek", "ben"], "seconds": 60}, **fields}
    task = HumanTask(key=StepKey(scope_id=run_id, path="payer/a", step="t1.c0.ask"), **given)
    task_id = f"{run_id}~payer~a~t1.c0.ask"
    await bench.deployment.client.start_workflow("human_task", task, id=task_id, task_queue=steps.WORKFLOW_QUEUE)
    (view,) = await until_asked(bench.deployment.client, run_id)
    assert view.task_id == task_id
    return view


async def refusal(bench: Bench, task_id: str, **request: Any) -> str:
    """The type of the refusal, which has a reason and a fix."""
    return str((await refused(bench, task_id, **request)).type)


async def refused(bench: Bench, task_id: str, **request: Any) -> ApplicationError:
    handle = bench.deployment.client.get_workflow_handle(task_id)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("decide", DecideRequest.model_validate(request))
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.details[0]["message"]
    assert cause.details[0]["fix"]
    return cause


PAY = ProposedAction(tool="pay", arguments='{"amount": 3}', effect="once")
ALL = ("approve", "edit", "reject", "answer")


async def test_what_cannot_be_taken_is_refused_with_its_reason_and_leaves_no_event(workers: Workers) -> None:
    async with workers(NOBODY) as bench:
        view = await task_of(
            bench,
            action=PAY,
            choices=ALL[:3],
            agents=["t/payer@1"],
            asking={"people": ["Nora Ek", "ben"], "seconds": 60, "escalate_to": ["ann"], "escalate_seconds": 50},
        )
        handle = bench.deployment.client.get_workflow_handle(view.task_id)
        before = await until_waiting(handle)
        for expected, request in (
            ("no_person", {"by": "payer", "choice": "approve"}),
            ("no_person", {"by": "T/Payer@1", "choice": "approve"}),
            ("no_person", {"by": "other/agent@3", "choice": "approve"}),
            ("no_person", {"by": "4711@host", "choice": "approve"}),
            ("no_person", {"by": "4711@host/run", "choice": "approve"}),
            ("no_person", {"by": "default", "choice": "approve"}),
            ("no_person", {"by": " ", "choice": "approve"}),
            ("no_person", {"by": "be\u200bn", "choice": "approve"}),
            ("wrong_person", {"by": "eve", "choice": "approve"}),
            ("wrong_person", {"by": "ann", "choice": "approve"}),
            ("look_alike", {"by": "b\u0435n", "choice": "approve"}),
            ("look_alike", {"by": "N0ra Ek", "choice": "approve"}),
            ("choice_not_offered", {"by": "ben", "choice": "answer", "answer": "yes"}),
            ("action_changed", {"by": "ben", "choice": "approve", "action": "0" * 40}),
            ("decision_unfit", {"by": "ben", "choice": "approve", "arguments": "{}"}),
            ("decision_unfit", {"by": "ben", "choice": "edit"}),
            ("decision_unfit", {"by": "ben", "choice": "edit", "arguments": "[1]"}),
            ("decision_unfit", {"by": "ben", "choice": "edit", "arguments": "{"}),
            ("decision_unfit", {"by": "ben", "choice": "edit", "arguments": "{}", "answer": 1}),
            ("decision_unfit", {"by": "ben", "choice": "reject", "answer": "no"}),
        ):
            assert await refusal(bench, view.task_id, **request) == expected, request
        assert len((await handle.fetch_history()).events) == before
        # A name is a name in any case and width.
        said = await decide(bench.deployment.client, view.task_id, says_yes("NORA  \uff25k", action=view.action_hash))
        assert said.by == "Nora Ek"
        assert (await handle.result())["by"] == "Nora Ek"


async def test_an_answer_that_does_not_fit_is_refused_with_one_that_does(workers: Workers) -> None:
    label = {"type": "object", "required": ["label"], "properties": {"label": {"enum": ["ask", "planned"]}}}
    async with workers(NOBODY) as bench:
        view = await task_of(bench, choices=ALL, answer_schema=label)
        cause = await refused(bench, view.task_id, by="ben", choice="answer", answer="planned")
    assert cause.details[0]["fix"] == """give it as JSON, such as --answer '{"label": "planned"}'"""


async def test_a_decision_counts_once_and_the_same_one_gets_the_same_answer(workers: Workers) -> None:
    async with workers(NOBODY) as bench:
        client = bench.deployment.client
        view = await task_of(bench, choices=ALL, answer_schema={"type": "integer", "minimum": 1})
        assert await refusal(bench, view.task_id, by="ben", choice="answer", answer=0) == "decision_unfit"
        assert await refusal(bench, view.task_id, by="ben", choice="answer", answer="1") == "decision_unfit"
        request = DecideRequest(by="ben", choice=Choice.ANSWER, answer=7, reason="seven it is")
        racing = [decide(client, view.task_id, request), decide(client, view.task_id, says_yes("Nora Ek"))]
        first, second = await asyncio.gather(*racing, return_exceptions=True)
        said = first if isinstance(first, HumanDecision) else second
        lost = second if isinstance(first, HumanDecision) else first
        assert isinstance(said, HumanDecision)
        assert isinstance(lost, ConfigurationInvalid)
        again = request if said.choice is Choice.ANSWER else says_yes("Nora Ek")
        await client.get_workflow_handle(view.task_id).result()
        # Closed by now, and still the same answer.
        assert await decide(client, view.task_id, again) == said
        with pytest.raises(ConfigurationInvalid, match="takes no decision any more: decided"):
            await decide(client, view.task_id, says_yes("Nora Ek", reason="me too"))
        with pytest.raises(ConfigurationInvalid, match="no human task 'nobody'"):
            await decide(client, "nobody", says_yes())
        assert (await read_task(client, view.task_id, time.time())).view.decision == said
        assert view.task_id not in [task.task_id for task in (await open_tasks(client, time.time())).tasks]


@pytest.mark.parametrize("edited", [None, '{"amount": 2}'])
async def test_an_approval_is_bound_to_its_action_and_expires(workers: Workers, edited: str | None) -> None:
    async with workers(NOBODY) as bench:
        asking = {"people": ["ben"], "seconds": 60, "valid_seconds": 30}
        view = await task_of(bench, action=PAY, choices=ALL[:3], asking=asking)
        choice = Choice.EDIT if edited else Choice.APPROVE
        request = DecideRequest(by="ben", choice=choice, arguments=edited, action=view.action_hash)
        said = await decide(bench.deployment.client, view.task_id, request)
    assert view.expires_at is not None
    assert 89 < view.expires_at - view.opened_at < 92
    assert view.action_hash == action_hash("pay", PAY.arguments, view.task_id, view.expires_at)
    assert said.action == action_hash("pay", edited or PAY.arguments, view.task_id, view.expires_at)
    assert (said.expires_at, said.task_id, said.arguments) == (view.expires_at, view.task_id, edited)


async def test_the_query_and_the_history_tell_the_same(workers: Workers) -> None:
    async with workers(NOBODY) as bench:
        view = await task_of(bench, action=PAY, reasons=["a rule"], context={"a": 1})
        handle = bench.deployment.client.get_workflow_handle(view.task_id)
        asked = HumanTaskView.model_validate(await handle.query("task"))
        read = (await read_task(bench.deployment.client, view.task_id, time.time())).view
        await decide(bench.deployment.client, view.task_id, DecideRequest(by="ben", choice=Choice.REJECT))
    assert asked == read == view
    assert (view.reasons, view.context, view.people) == (("a rule",), {"a": 1}, ("Nora Ek", "ben"))


async def test_a_person_approves_edits_or_rejects_a_stage(workers: Workers) -> None:
    """With nothing kept in memory: every task of every workflow is a replay."""
    team = TeamSpec.model_validate(REVIEW)
    async with workers(NOBODY, workflow_cache=0) as bench:
        client = bench.deployment.client
        handles = [await bench.start(team) for _ in range(3)]
        views = [(await until_asked(client, handle.id))[0] for handle in handles]
        requests = (
            says_yes(),
            DecideRequest(by="nora", choice=Choice.EDIT, answer="a better draft"),
            DecideRequest(by="nora", choice=Choice.REJECT, reason="it lies"),
        )
        for view, request in zip(views, requests, strict=True):
            await decide(client, view.task_id, request)
        approved, edited, rejected = [await asyncio.wait_for(read_result(handle), 30) for handle in handles]
    view = views[0]
    assert view.task_id == f"{handles[0].id}~pipeline~check~ask"
    assert view.context == {"input": "the draft"}
    assert view.handoff is not None
    assert view.handoff.completed == ("write",)
    assert (approved.status, approved.output) == (RunStatus.COMPLETE, "the draft")
    assert edited.output == "a better draft"
    assert [commit.key for commit in edited.state] == ["write", "check", "send"]
    assert rejected.failure is not None
    assert rejected.failure.kind is FailureKind.NOT_ALLOWED
    assert "nora rejected 'check': it lies" in rejected.failure.message
    assert f"ostinato rewind {handles[2].id} --to CHECKPOINT --fresh asks again" in rejected.failure.fix
    for result, verdict in ((approved, Verdict.PROCEED), (edited, Verdict.EDIT), (rejected, Verdict.BLOCK)):
        (said,) = result.decisions
        assert (said.verdict, said.by, said.step) == (verdict, "nora", "pipeline/check")
    report = next(step for step in approved.steps if step.step == "pipeline/check")
    assert (report.agent, report.task) == ("review/check@1", "Is it good?")
    for result in (approved, rejected):
        assert [handoff.receiver for handoff in result.handoffs].count("review/check@1") == 1


async def test_a_question_alone_is_a_run(workers: Workers) -> None:
    async with workers(NOBODY) as bench:
        handle = await bench.start(asks(choices=["answer"], asking={"people": ["nora"]}))
        (view,) = await until_asked(bench.deployment.client, handle.id)
        await decide(
            bench.deployment.client, view.task_id, DecideRequest(by="nora", choice=Choice.ANSWER, answer="Yes.")
        )
        result = await asyncio.wait_for(read_result(handle), 30)
    assert (result.status, result.output, view.question) == (RunStatus.COMPLETE, "Yes.", "May it go out?")


async def test_nobody_is_asked_twice_in_a_lineage(workers: Workers) -> None:
    """A run that starts again under another workflow id, as a fork does, finds the decision on record."""
    team = TeamSpec.model_validate(REVIEW)
    async with workers(NOBODY) as bench:
        client = bench.deployment.client
        run = await bench.admit(team)
        first = await client.start_workflow("pipeline", run, id=run.scope_id, task_queue=steps.WORKFLOW_QUEUE)
        (view,) = await until_asked(client, run.scope_id)
        await decide(client, view.task_id, DecideRequest(by="nora", choice=Choice.EDIT, answer="mine"))
        await first.result()
        fork = await client.start_workflow(
            "pipeline", run, id=f"{run.scope_id}-f", task_queue=steps.WORKFLOW_QUEUE, result_type=RunResult
        )
        again = await asyncio.wait_for(read_result(fork), 30)
        fresh = run.model_copy(update={"generation": 1})
        anew = await client.start_workflow("pipeline", fresh, id=f"{run.scope_id}-n", task_queue=steps.WORKFLOW_QUEUE)
        (asked,) = await until_asked(client, f"{run.scope_id}-n")
        await anew.cancel()
    assert again.output == "mine"
    assert [said.by for said in again.decisions] == ["nora"]
    assert asked.step == "pipeline/check"


async def test_an_expired_approval_is_not_used_again(workers: Workers) -> None:
    async with workers(NOBODY) as bench:
        client = bench.deployment.client
        view = await task_of(bench, action=PAY, asking={"people": ["ben"], "seconds": 0.8, "valid_seconds": 0.001})
        said = await decide(client, view.task_id, says_yes("ben"))
        handle = client.get_workflow_handle(view.task_id)
        await asyncio.wait_for(handle.result(), 30)
        task = await _input_of(bench, view)
        found = await _again(bench, task, view.task_id)
        assert (found["by"], found["from_record"]) == ("ben", True)
        async with asyncio.timeout(10):
            while time.time() <= (said.expires_at or 0):
                await asyncio.sleep(0.05)
        late = task.model_copy(update={"asking": task.asking and task.asking.model_copy(update={"seconds": 60.0})})
        again = await client.start_workflow("human_task", late, id=view.task_id, task_queue=steps.WORKFLOW_QUEUE)
        (view,) = await until_asked(client, view.run_id)
        assert await refusal(bench, view.task_id, by="ben", choice="approve", action=said.action) == "action_changed"
        second = await decide(client, view.task_id, says_yes("ben", reason="still"))
        assert (await asyncio.wait_for(again.result(), 30))["reason"] == "still"
        third = await _again(bench, late, view.task_id)
        assert (third["reason"], third["action"]) == ("still", second.action)


async def _again(bench: Bench, task: HumanTask, task_id: str) -> dict[str, Any]:
    """The same question once more."""
    handle = await bench.deployment.client.start_workflow(
        "human_task", task, id=task_id, task_queue=steps.WORKFLOW_QUEUE
    )
    return dict(await asyncio.wait_for(handle.result(), 30))


async def _input_of(bench: Bench, view: HumanTaskView) -> HumanTask:
    history = await bench.deployment.client.get_workflow_handle(view.task_id).fetch_history()
    payload = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    return HumanTask.model_validate(json.loads(payload.data))


async def test_a_stopped_run_asks_nobody(workers: Workers) -> None:
    async with workers(NOBODY) as bench:
        client = bench.deployment.client
        handle = await bench.start(asks(asking={"people": ["nora"]}, choices=["approve", "reject"]))
        (view,) = await until_asked(client, handle.id)
        await handle.cancel()
        result = await asyncio.wait_for(read_result(handle), 30)
        assert result.failure is not None
        assert result.failure.kind is FailureKind.CANCELLED
        with pytest.raises(ConfigurationInvalid, match="its run was stopped"):
            await decide(client, view.task_id, says_yes())
        assert not [task for task in (await open_tasks(client, time.time())).tasks if task.run_id == handle.id]


async def test_a_client_that_speaks_http_decides_by_the_task_id_alone(workers: Workers, server: ServerInfo) -> None:
    """Temporal's own HTTP API: no client library of ours or theirs, no connection kept."""
    async with workers(NOBODY) as bench, httpx.AsyncClient() as http:
        view = await task_of(bench, action=PAY)
        task = f"{server.http_url}/api/v1/namespaces/default/workflows/{view.task_id}"

        async def post(update_id: str, **said: Any) -> httpx.Response:
            update = {"meta": {"updateId": update_id}, "input": {"args": [said]}}
            stage = "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"
            return await http.post(
                f"{task}/update/decide", json={"request": update, "waitPolicy": {"lifecycleStage": stage}}
            )

        seen = (await http.post(f"{task}/query/task", json={})).json()["queryResult"][0]
        refused = (await post("u-0", by="eve", choice="approve")).json()["outcome"]["failure"]
        rubbish = (await post("u-1", who="ben")).json()["outcome"]["failure"]
        said = (await post("u-2", by="ben", choice="approve", action=seen["action_hash"])).json()["outcome"]["success"][
            0
        ]
        await bench.deployment.client.get_workflow_handle(view.task_id).result()
        again = (await post("u-2", by="ben", choice="approve", action=seen["action_hash"])).json()["outcome"][
            "success"
        ][0]
        late = await post("u-3", by="ben", choice="reject")
    assert (seen["question"], seen["action"]["arguments"]) == ("Pay?", '{"amount": 3}')
    assert refused["message"] == "'eve' may not decide this; have one of these decide: Nora Ek, ben"
    assert "does not fit DecideRequest" in rubbish["message"]
    assert (said["by"], said["choice"], said["action"]) == ("ben", "approve", view.action_hash)
    assert again == said
    assert (late.status_code, "already completed" in late.text) == (404, True)


async def test_a_killed_worker_and_a_killed_server_keep_the_question(
    deployment: Deployment, server: ServerInfo, tmp_path: Path
) -> None:
    """Real processes: the worker dies while it waits, and so does the server; the decision is taken by the next worker."""
    environment = {
        **os.environ,
        "OSTINATO_HOME": str(deployment.settings.home),
        "OSTINATO_TOOL_MODULES": "tests.support.tools",
        "OSTINATO_TEST_EFFECTS": str(tmp_path / "effects.txt"),
        "TEMPORAL_ADDRESS": server.address,
        "OPENAI_API_KEY": "test-key",
    }
    await register_search_attributes(deployment.client)
    await bind_store(deployment.client, deployment.store)
    team = asks(asking={"people": ["nora"]}, choices=["approve", "reject"])
    run = await admit(deployment, team, RunOrder(goal="Do it.", run_id=new_run_id()))
    with worker(environment) as first:
        handle = await start_run(deployment.client, run)
        (view,) = await until_asked(deployment.client, handle.id)
        await until_waiting(deployment.client.get_workflow_handle(view.task_id))
        first.kill()
    assert not (await read_task(deployment.client, view.task_id, time.time())).ended
    state = json.loads((deployment.settings.home / "server" / "state.json").read_text())
    os.kill(state["server_pid"], signal.SIGKILL)
    with worker(environment):
        said = await decide(deployment.client, view.task_id, says_yes())
        result = await asyncio.wait_for(read_result(handle), 30)
    assert (said.by, result.output) == ("nora", "approved")


async def test_a_person_stands_in_and_is_told_why(workers: Workers) -> None:
    """What people read may be long, of any script, and full of Markdown that must not be obeyed."""
    question = "Who fixes it? ![x](http://example.com/x.png) ``` # no heading " + "\U0001f642" * 3000
    stage = {
        "kind": "call",
        "name": "risky",
        "tool": "explode",
        "arguments": {"what": "$goal"},
        "fallback": {"kind": "person", "name": "clerk", "question": question, "asking": {"people": ["nora"]}},
    }
    team = TeamSpec.model_validate({"team": "t", "root": {"kind": "pipeline", "stages": [stage]}})
    async with workers(NOBODY) as bench:
        client = bench.deployment.client
        handle = await bench.start(team)
        (view,) = await until_asked(client, handle.id)
        description = await client.get_workflow_handle(view.task_id).describe()
        shown = await description.static_details()
        await decide(client, view.task_id, DecideRequest(by="nora", choice=Choice.ANSWER, answer={"by": "hand"}))
        result = await asyncio.wait_for(read_result(handle), 30)
    assert view.step == "pipeline/risky/fallback"
    assert view.handoff is not None
    assert any("risky failed, clerk stands in" in line for line in view.handoff.decisions)
    assert (result.output, result.steps[-1].agent) == ({"by": "hand"}, "t/clerk@1")
    assert shown is not None
    assert shown.startswith("````text\nWho fixes it?")
    assert len(shown.encode()) < 10_000
