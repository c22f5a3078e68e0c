"""Supervised runs to record: hierarchies, and what goes to people where nobody else can do it."""

from collections.abc import Awaitable, Callable
from typing import Any

from activities.contracts.people import Choice
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.replay import composition as made
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.hierarchies import hierarchy, played, prompt, role
from tests.support.people import decides
from tests.support.scripted import says
from tests.support.supervision import SUBTASKS, failing, growing, obedient, team
from workers.runs import RunHandle, read_result

PERSON = {"kind": "person", "name": "lead", "choices": ["approve", "answer", "reject"], **made.PEOPLE}
CLOSED = {"kind": "call", "name": "gate", "tool": "closed_gate", "arguments": {"draft": "$draft"}}
MAYOR = hierarchy(escalate=PERSON)


def lazy(call: ProviderCall, index: int) -> ProviderAnswer:
    """One worker does nothing."""
    return says("") if role(call) == "worker" and "north 1" in prompt(call) else played(call, index)


def idle(call: ProviderCall, index: int) -> ProviderAnswer:
    """No worker does anything."""
    return says("") if role(call) == "worker" else played(call, index)


def answers(*given: tuple[Choice, Any]) -> Callable[[RunHandle], Awaitable[object]]:
    """Somebody decides one thing after the other, and the run goes on to its end."""

    async def end(handle: RunHandle) -> None:
        last = None
        for choice, answer in given:
            last = await decides(handle._client, handle.id, choice, answer=answer, after=last)
        await read_result(handle)

    return end


ANSWERED = {"subtask_id": "s1-1", "answer": "by hand"}
SCENARIOS = (
    Scenario("hierarchy", "success", hierarchy(), played),
    Scenario("hierarchy", "success_escalated", MAYOR, lazy, answers((Choice.ANSWER, "dug: by hand"))),
    Scenario("hierarchy", "partial", hierarchy(), lazy),
    Scenario("hierarchy", "failure", hierarchy(), idle),
    Scenario("hierarchy", "waiting", hierarchy(), end=scheduled, pools=("workflows",)),
    Scenario("hierarchy", "waiting_asked", MAYOR, lazy, made.left_asking),
    Scenario("hierarchy", "cancelled", hierarchy(), end=stopped, pools=("workflows",)),
    Scenario(
        "supervisor",
        "success_continued",
        team(planner="boss", rounds=5),
        growing,
        changes={"max_history_events": 12},
    ),
    Scenario(
        "supervisor",
        "success_escalated",
        team(subtasks=SUBTASKS, gate=CLOSED, corrections=0, escalate=PERSON),
        failing("a"),
        answers((Choice.ANSWER, ANSWERED), (Choice.APPROVE, None)),
    ),
    Scenario(
        "supervisor",
        "failure_refused",
        team(subtasks=SUBTASKS, gate=CLOSED, escalate=PERSON),
        obedient,
        answers((Choice.REJECT, None)),
    ),
    Scenario(
        "pipeline",
        "success_escalated",
        made.pipeline(made.A, made.BOOM, made.ECHO, escalate=PERSON),
        lambda *_: says("so far"),
        answers((Choice.ANSWER, "by hand")),
    ),
)
