"""Debates whose debaters fail, and what patterns had come to when they fail, also over a continue-as-new."""

from pathlib import Path
from typing import Any

from activities.contracts.failures import FailureKind
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.cases import Cases, Play, agents, all_of
from tests.support.plans import FIND, doing, task
from tests.support.plans import team as plan
from tests.support.scripted import says_json
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

SEND = {"kind": "call", "name": "send", "tool": "send_slowly", "arguments": {}}


def votes(**who: list[str]) -> Play:
    """Who votes for what, round by round: a position, ``fail``, or nothing at all."""
    left = {name: iter(said) for name, said in who.items()}

    def script(name: str, _: ProviderCall) -> ProviderAnswer:
        said = next(left[name])
        if said == "fail":
            raise AuthenticationFailed("no key", fix="set one")
        return says_json({"position": said or "yes", "confidence": 0.5, "reasons": [], "abstain": not said})

    return script


def team(**debate: Any) -> TeamSpec:
    debaters = {name: {"kind": "agent", "agent": name} for name in "ab"}
    root = {"kind": "debate", "debaters": debaters, "positions": ["yes", "no"], "rounds": 2, **debate}
    return TeamSpec.model_validate({"team": "t", "agents": agents(*"ab"), "root": root}, extra="forbid")


async def test_it_fails_as_its_debaters_did_and_says_what_there_was(workers: Workers, effects: Path) -> None:
    assert effects.exists()
    cases = Cases(
        {
            "dead": votes(a=["fail"], b=["fail"]),
            "dies": votes(a=["fail", "fail"], b=["", "fail"]),
            "later": votes(a=["yes", "fail"], b=["no", "fail"]),
            "broke": votes(a=["yes", "yes"], b=["no", "no"]),
            "plan": doing(),
            "bare": doing("a"),
        }
    )
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, **changes: Any) -> RunResult:
            return await read_result(await bench.start(spec, f"[{case}] Is it so?", **changes))

        executors = {"find": {"node": FIND}, "send": {"node": SEND}}
        sent = plan(task("plan", "a"), task("plan", "b", "a", executor="send"), executors=executors)
        poor: dict[str, Any] = {
            "budget": {"model_calls": 3, "on_breach": "partial"},
            "executors": {"find": {"node": FIND}},
        }
        done = await all_of(
            dead=run("dead", team()),
            dies=run("dies", team()),
            later=run("later", team()),
            broke=run("broke", team(budget={"model_calls": 3}), max_history_events=1),
            plan=run("plan", sent, max_history_events=1),
            bare=run("bare", plan(task("bare", "a"), **poor)),
        )
    for case, calls in (("dead", 2), ("dies", 4)):
        failure = done[case].failure
        assert failure, case
        assert failure.kind is FailureKind.AUTHENTICATION_FAILED, failure
        assert len(cases.calls[case]) == calls, "no further round is held where nobody is left"
        assert not any("count" in line for line in done[case].missing), "a round without votes has none that count"
        assert done[case].so_far is None
    later = done["later"]
    assert (later.status, later.output["decided_by"]) == (RunStatus.PARTIAL, "votes")
    assert any(line.startswith("the votes of round 1 count, as round 2") for line in later.missing)
    broke = done["broke"]
    assert broke.failure
    assert broke.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert isinstance(broke.so_far, dict), "what was voted before it continued as new"
    assert len(broke.so_far["rounds"]) == 1
    assert done["plan"].failure
    assert done["plan"].failure.kind is FailureKind.OUTCOME_UNKNOWN
    assert done["plan"].so_far == {"a": "finder did a"}
    assert done["bare"].so_far is None, "nothing is no result"
