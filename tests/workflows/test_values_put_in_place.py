"""A value that a rewind or a fork puts in place of an answer is held to what its place wants, as the answer was."""

from typing import Any

from activities.contracts.failures import FailureKind
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.cases import Cases, agents, all_of
from tests.support.scripted import says, says_json
from workflows.contracts import RunResult, RunStatus
from workflows.rewinds import Rewind
from workflows.teams.tree import TeamSpec


def plays(name: str, _: ProviderCall) -> ProviderAnswer:
    if name == "comparer":
        return says_json({"groups": [[1, 2]]})
    if name == "editor":
        return says_json({"accepted": True, "score": 1, "problems": []})
    if name in {"a", "b"}:
        return says_json({"position": f"so says {name}", "confidence": 0.5, "reasons": []})
    if name in {"c", "d"}:
        return says_json({"position": "yes", "confidence": 0.5, "reasons": []})
    return says("A draft.")


def debate(*names: str, **more: Any) -> dict[str, Any]:
    debaters = {name: {"kind": "agent", "agent": name} for name in names}
    return {"kind": "debate", "name": "debate", "debaters": debaters, "rounds": 0, **more}


async def test_it_is_looked_at_like_an_answer(workers: Workers) -> None:
    cases = Cases(dict.fromkeys(("groups", "vote", "named", "review"), plays))
    async with workers(cases) as bench:

        async def run(case: str, root: dict[str, Any], step: str, value: Any) -> RunResult:
            known = agents(*"abcd", "comparer", "writer", "editor")
            spec = TeamSpec.model_validate({"team": "t", "agents": known, "root": root}, extra="forbid")
            admitted = await bench.admit(spec, f"[{case}] Is it so?")
            rewind = Rewind(kind="fork", run_id="none", number=1, values={step: value})
            return await bench.finish(admitted.model_copy(update={"rewind": rewind}))

        free = debate(*"ab", comparer={"kind": "agent", "agent": "comparer"})
        writer, editor = ({"kind": "agent", "agent": name} for name in ("writer", "editor"))
        refine = {"kind": "refine", "name": "refine", "writer": writer, "editor": editor, "iterations": 1}
        done = await all_of(
            groups=run("groups", free, "debate/compare-1", {"other": 1}),
            vote=run("vote", debate(*"cd", positions=["yes", "no"]), "debate/r1-c", {"position": "maybe", "confidence": 1, "reasons": []}),
            named=run("named", debate(*"cd", positions=["yes", "no"]), "debate/r1-c", {"position": "no", "confidence": 1, "reasons": []}),
            review=run("review", refine, "refine/review-1", {"accepted": "perhaps"}),
        )  # fmt: skip
    groups = done["groups"]
    assert groups.status is RunStatus.COMPLETE, groups.failure
    assert "only what is the same to the letter counted as the same in comparison 1" in groups.notes[0]
    assert len(groups.output["rounds"][0]["positions"]) == 2
    assert groups.output["agreement"] == 0.5
    vote = done["vote"]
    assert (vote.status, vote.output["position"], vote.output["agreement"]) == (RunStatus.PARTIAL, "yes", 1)
    assert any(line.startswith("c gave no vote in round 1") for line in vote.missing)
    assert "maybe" not in str(vote.output["rounds"]), "it is no vote"
    assert done["named"].output["votes"][0]["position"] == "no", "what fits its place counts"
    review = done["review"]
    assert review.failure
    assert review.failure.kind is FailureKind.CONTRACT_VIOLATED
