"""Free text of workers that are given no documents: plain sentences in the words of the task."""

import json
from typing import Any

import pytest
from pydantic import JsonValue

from activities.contracts.messages import UserMessage
from activities.contracts.profile import ToolSpec
from activities.providers.base import ProviderCall
from activities.providers.offline import answer
from activities.tools.documents import search_documents
from workflows.supervision import prompts
from workflows.teams.tree import SubtaskSpec

WRITE = "Write one sentence for the person who decides on this expense."
JUDGE = "What, if anything, speaks against this expense?"
LINE: JsonValue = {"line": "expenses.csv:10", "merchant": "Flowers Anna", "description": "gift basket for client"}
NOTE = {"note": {"type": "string", "maxLength": 300}}
VERDICT = {
    "reason": {"type": "string", "maxLength": 300},  # before its label, on purpose
    "objection": {"enum": ["gift", "private", "alcohol", "fine", "none"]},
}


def worker(task: str, fields: dict[str, Any], given: JsonValue = None, tools: tuple[ToolSpec, ...] = ()) -> Any:
    """What a worker answers to a subtask, by a contract with these fields."""
    prompt = prompts.for_worker("Settle the expenses.", "s1-1", SubtaskSpec(type="work", task=task, input=given))
    properties = {"subtask_id": {"type": "string"}, **fields}
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }
    said = answer(ProviderCall("extractive", "", [UserMessage(text=prompt)], tools, schema, 300))
    value = json.loads(said.text) if said.text else said.tool_calls[0].tool
    assert isinstance(value, str) or list(value) == list(properties)
    return value


@pytest.mark.parametrize(
    "given", [None, LINE, [LINE], {"line": "a.csv:3", "reasons": ["612.00 EUR is over the limit"]}]
)
@pytest.mark.parametrize(
    ("task", "note"),
    [
        (f"{WRITE} Flowers Anna: gift basket for client", "Flowers Anna: gift basket for client."),
        (
            f"{WRITE} Hotel Ibis: 2 nights. 612.00 EUR is over the limit of 500 for hotel; the same date as a.csv:4.",
            "Hotel Ibis: 2 nights; it is over the limit for hotel; the same date.",
        ),
        (f'{WRITE} Kiosk: cards. gift: It says "cards 3".', 'Kiosk: cards; gift: It says "cards".'),
        ("Say what to check: Bar Rossi: wine, 3 crates. It cost 80.", "Bar Rossi: wine, 3 crates; It cost."),
        ("Bar Rossi: wine.", "Bar Rossi: wine."),
        ("Check it.", "Check it."),
    ],
)
def test_a_note_is_the_task_without_its_instruction_and_without_figures_of_the_record(
    task: str, note: str, given: JsonValue
) -> None:
    assert worker(task, NOTE, given)["note"] == note


@pytest.mark.parametrize("given", [None, LINE])
def test_a_reason_is_in_the_words_that_match_its_label(given: JsonValue) -> None:
    said = worker(f"{JUDGE} Flowers Anna: gift basket for client", VERDICT, given)
    assert (said["objection"], said["reason"]) == ("gift", 'It says "gift basket for client".')


def test_a_reason_for_a_label_that_no_word_matches_says_what_there_was() -> None:
    said = worker(f"{JUDGE} Hotel Ibis: 2 nights", VERDICT)
    assert (said["objection"], said["reason"]) == ("none", 'It comes closest to "Hotel Ibis: 2 nights".')


@pytest.mark.parametrize("name", ["note", "comment", "summary", "message", "reason", "remarks", "answer", "text"])
def test_no_free_text_holds_json_or_points_to_the_prompt(name: str) -> None:
    for given in (None, LINE, "The ferry sails at nine. A gift basket costs four crowns."):
        said = worker(f"{JUDGE} Flowers Anna: gift basket for client", {name: {"type": "string"}}, given)[name]
        assert said
        assert not any(mark in said for mark in ("{", "prompt:", "not in these documents"))


def test_who_can_search_still_does_and_who_extracts_still_quotes() -> None:
    assert worker(f"{WRITE} Bar Rossi: wine", NOTE, tools=(search_documents.spec,)) == "search_documents"
    quoted = {"claim": {"type": "string"}, "quote": {"type": "string"}, "source": {"type": "string"}}
    found = worker("When does the ferry sail?", quoted, {"source": "log.md:3", "text": "The ferry sails on Mondays."})
    assert (found["quote"], found["source"]) == ("The ferry sails on Mondays.", "log.md:3")
