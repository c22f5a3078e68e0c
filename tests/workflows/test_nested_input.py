"""What a pattern works on where it stands in place of an agent: the material itself, and no sentence of the platform."""

import json
from typing import Any

import pytest

from activities.providers.base import ProviderCall
from tests.conftest import Workers
from tests.support.patterns import LEAF, MARK, SHAPES, around, leaf, said, team
from tests.support.scripted import says, says_json
from workflows.contracts import RunStatus

GOAL = "Say it."
DRAFT = MARK
ECHO = {"kind": "call", "name": "work", "tool": "echo", "arguments": {"text": MARK}}
WORKERS = {"w": {"node": ECHO}}
TASKS = [{"type": "w", "task": "Work."}]
GATE = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$draft", "final": True}}
VOTE = {"debater": "a", "position": MARK, "confidence": 1.0}
PLACES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "synthesis": ("supervisor", {"workers": WORKERS, "subtasks": TASKS, "synthesis": "$inner"}, [{"output": MARK}]),
    "review": (
        "supervisor",
        {"workers": WORKERS, "subtasks": TASKS, "synthesis": "@writer", "review": "$inner", "gate": GATE},
        DRAFT,
    ),
    "summary": (
        "hierarchy",
        {"tiers": [{"name": "~tier0", "planner": "~boss", "summary": "$inner"}], "workers": WORKERS, "max_depth": 4},
        [{"output": MARK}],
    ),
    "judge": ("debate", SHAPES["debate"], {"position": MARK, "votes": [VOTE, {**VOTE, "debater": "b"}]}),
    "debater": ("debate", {"debaters": {"a": "$inner", "b": "@b"}}, GOAL),
    "writer": ("refine", SHAPES["refine"], GOAL),
    "editor": ("refine", {"writer": "@writer", "editor": "$inner"}, DRAFT),
    "classifier": ("router", {"routes": {"here": {"node": ECHO}}, "classifier": "$inner"}, GOAL),
    "reducer": ("fan_out", {"branches": {"one": ECHO}, "reducer": "$inner"}, [{"branch": "one", "output": MARK}]),
}
"""Of every place whose agent reads in its prompt what it is to work on: the pattern around it, and what is given there."""
ANSWERS: dict[str, Any] = {
    "debater": {"position": MARK, "confidence": 1, "reasons": []},
    "editor": {"accepted": True, "score": 1, "problems": []},
    "classifier": {"label": "here", "confidence": 1},
}
"""Of places that want an answer of a form."""


def holds(given: Any, wanted: Any) -> bool:
    """Whether a value has all that is wanted of it."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(holds(given.get(name), part) for name, part in wanted.items())
    if isinstance(wanted, list):
        return isinstance(given, list) and len(given) == len(wanted) and all(map(holds, given, wanted))
    return bool(given == wanted)


@pytest.mark.parametrize("place", PLACES)
async def test_a_nested_pattern_works_on_what_an_agent_would_read(
    workers: Workers, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, shape, wanted = PLACES[place]
    monkeypatch.setitem(SHAPES, kind, shape)
    bottom, agents = leaf()
    agents["leaf"] |= {"output": {"schema": {"type": "object"}}} if place in ANSWERS else {}
    inner, more = around("pipeline", bottom, "i")
    top, most = around(kind, inner, "o")
    told: list[str] = []

    def script(call: ProviderCall, index: int) -> Any:
        del index
        if LEAF in call.instructions:
            told.append(call.messages[-1].text)
            return says_json(ANSWERS[place]) if place in ANSWERS else says(MARK)
        return says(said(call.output_schema))

    async with workers(script) as bench:
        result = await bench.run(team(top, agents, more, most), GOAL)
    assert (result.status, result.failure) == (RunStatus.COMPLETE, None)
    aim, _, given = told[0].partition("\n\nInput:\n")
    shown = given if isinstance(wanted, str) else json.loads(given)
    assert holds(shown, wanted), told[0]
    assert GOAL in aim
    assert aim.count(MARK) <= (place == "judge"), "what is given is not told a second time"
