"""The ready teams ``decide`` and ``polish`` on real input, with the offline model."""

import asyncio
from pathlib import Path
from typing import Any

from tests.workflows.test_ready_pipelines import offline
from workers.deployment import Deployment
from workers.runs import read_result
from workflows.contracts import RunResult, RunStatus

RULES = """# Pilots

A pilot is paid 40 crowns for each ship that is brought in by day, provided that the harbour master has noted the hour of it.

A pilot is paid 60 crowns for each ship that is brought in by night, provided that the light on the mole was burning then.

Fishing from the mole is forbidden.
"""


async def test_a_question_is_decided_and_a_notice_is_polished(deployment: Deployment, tmp_path: Path) -> None:
    async with offline(deployment, tmp_path) as start:
        (tmp_path / "documents" / "rules.md").write_text(RULES)

        async def run(team: str, question: str) -> RunResult:
            return await read_result(await start(team, question))

        decided, open_, polished, nothing = await asyncio.gather(
            run("decide", "Is fishing from the mole allowed?"),
            run("decide", "Does the king own a castle?"),
            run("polish", "What is a pilot paid?"),
            run("polish", "Who keeps the lighthouse?"),
        )
    quoted = '"Fishing from the mole is forbidden." (rules.md:7)'
    output: Any = decided.output
    assert (decided.status, output["position"], output["decided_by"]) == (RunStatus.COMPLETE, "no", "agreement")
    assert quoted in output["answer"]
    assert [vote["reasons"][0] for vote in output["votes"]] == [quoted] * 3
    assert open_.status is RunStatus.FAILED, "nobody knows, and says so"
    assert open_.failure
    assert "literal, exceptions, purpose abstained" in open_.failure.message
    assert len(open_.steps) == 3, "who knows nothing has nothing to argue"

    first, last = (commit.value for commit in polished.state if commit.key in {"draft-1", "draft-2"})
    assert (polished.status, polished.output) == (RunStatus.COMPLETE, last), polished.missing
    assert len(str(first).split()) > 40 >= len(str(last).split())
    assert "rules.md:" in str(last)
    assert polished.log[0] == "draft 1 was not accepted, with score 0.5"
    assert (nothing.status, nothing.output) == (RunStatus.PARTIAL, "not in these documents")
    assert [line.partition(" of the writer")[0] for line in nothing.log if line.startswith("shift")] == [
        "shift 1",
        "shift 2",
    ]
