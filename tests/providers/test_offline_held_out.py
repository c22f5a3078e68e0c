"""The offline model in patterns on texts that it was not made for, in hostile ones, and in conversations that go on."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from activities.contracts.base import Schema
from activities.contracts.messages import AssistantMessage, Message, ToolMessage, UserMessage
from activities.providers.base import ProviderCall
from activities.providers.offline import answer
from activities.providers.offline_matching import choose
from activities.providers.offline_prompts import lay_out
from activities.tools.base import ToolContext
from activities.tools.documents import read_document, search_documents
from tests.providers.conversing import NOTHING, TOOLS, ask, converse
from tests.providers.playing import play
from tests.providers.test_offline_judging import action, review, route
from tests.providers.test_offline_parts import PEERS, debate, event, first, plan
from tests.tools.folder import Folder
from workflows.debating import prompts as debating
from workflows.networking import prompts as networking
from workflows.planning import prompts as planning
from workflows.refining import prompts as refining
from workflows.supervision import prompts as supervising
from workflows.teams.kinds.debate import vote
from workflows.teams.kinds.network import sent
from workflows.teams.kinds.plan import PlanTask, verdict
from workflows.teams.tree import SubtaskSpec

ORCHARD = Folder(
    {
        "orchard.md": "# Orchard\n\nThe pear trees are pruned in February. A crate of pears is sold for 14 thalers.\n"
        "The old press was sold for 16,500 thalers in 1998. Wasps nest in the shed behind the press.\n",
        "people.md": "Jonas Weil runs the press. Visitors ring at the gate; dogs stay outside the orchard.\n",
    }
)
KINDS = {
    "fault": "Something leaks, sticks, squeaks or does not start.",
    "idea": "Somebody would like something new, or suggests a change.",
    "ask": "Somebody asks a question on how a thing is used.",
    "other": "Anything else.",
}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The pump squeaks since Tuesday and then sticks.", "fault"),
        ("I would like a bell at the gate.", "idea"),
        ("My neighbour suggests a second gate", "idea"),
        ("Do I turn the wheel to the left?", "ask"),
        ("Blue skies over the valley.", "other"),
        ("Question: 3 March; Change: 14.00; Used by: Ann", "other"),
    ],
)
def test_wishes_and_questions_are_told_by_small_words_and_marks(text: str, label: str) -> None:
    assert choose(KINDS, text).name == label


def test_one_item_of_a_fan_out_gets_the_label_that_the_instructions_describe() -> None:
    schema: Schema = {"type": "object", "properties": {"kind": {"enum": [*KINDS]}}, "required": ["kind"]}
    told = "Sort it.\n" + "\n".join(f"- {name}: {said}" for name, said in KINDS.items())
    for text, kind in (("The lid leaks.", "fault"), ("Could you suggest a change of the lid", "idea")):
        assert play(schema, f"Sort what people say\n\nInput:\n{text}", instructions=told) == {"kind": kind}


def test_a_subtask_without_the_goal_above_it_is_still_one() -> None:
    prompt = supervising.for_worker("", "s1-2", SubtaskSpec(type="find", task="Who runs the press?", input={"a": 1}))
    layout = lay_out(prompt)
    assert layout
    assert (layout.task, layout.subtask_id, layout.goal, layout.material) == (
        "Who runs the press?",
        "s1-2",
        "",
        '{"a": 1}',
    )


def test_a_plan_has_the_tasks_that_its_output_names() -> None:
    tasks = plan("Who keeps the bees? When are pears pruned?", "answer")
    assert [task["task_id"] for task in tasks][-1] == "answer"
    assert set(tasks[-1]["after"]) == {task["task_id"] for task in tasks[:-1]}


@pytest.mark.parametrize(
    ("honest", "met"), [("", False), ("A result that says they do not answer is an honest one: it fulfils it.", True)]
)
def test_a_checker_takes_no_answer_for_one_only_where_it_is_told_to(honest: str, met: bool) -> None:
    prompt = f"{planning.for_checker(_task())}\n\nInput:\n{NOTHING}"
    assert play(verdict(), prompt, instructions=honest)["met"] is met


def _task() -> PlanTask:
    return PlanTask(task_id="bees", executor="find", task="Who keeps the bees?", success="keeps the bees")


async def test_a_sentence_that_was_refused_goes_and_nothing_far_from_the_question_takes_its_place() -> None:
    question = "What was the old press sold for?"
    given, messages, _ = await converse(question, search_documents, read_document, folder=ORCHARD)
    assert given.text == '"The old press was sold for 16,500 thalers in 1998." (orchard.md:4)'
    refused = action("Amounts above 10,000 must not be named.", given.text)
    told = f"Your answer was not let through: {refused['reasons'][0]}\nAnswer again, whole and corrected."  # type: ignore[index] # JSON
    messages.append(UserMessage(text=told))
    again = await ask(messages, search_documents, read_document)
    assert (again.text, again.tool_calls) == ("this may not be said", ())


async def test_debaters_on_documents_speak_for_what_they_are_told_to_look_at() -> None:
    said = {}
    for look in ("You look at wasps and dogs.", "You look at who runs it and at visitors."):
        prompt = debating.for_first_vote("What is there to know of the press?", ())
        said[look] = (await _voted(prompt, look))["position"]
    assert list(said.values()) == ["Wasps nest in the shed behind the press.", "Jonas Weil runs the press."]


async def _voted(prompt: str, instructions: str) -> Any:
    messages: list[Message] = [UserMessage(text=prompt)]
    specs = [search_documents.spec, read_document.spec]
    for _ in range(5):
        given = answer(ProviderCall("x", instructions, messages, specs, vote(debate()), 4000))
        messages.append(AssistantMessage(text=given.text, tool_calls=given.tool_calls))
        if not given.tool_calls:
            return json.loads(given.text)
        for call in given.tool_calls:
            made = TOOLS[call.tool]
            text = await made(ToolContext("id", ORCHARD), made.arguments.model_validate_json(call.arguments))
            messages.append(ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, text=text))
    raise AssertionError("it never votes")


def test_events_become_an_answer_from_those_that_count_and_the_rest_is_open() -> None:
    events = [
        {"event_type": "fact.checked", "from": "reader", "payload": '"Jonas Weil runs the press." (people.md:1)'},
        {"event_type": "fact.found", "from": "anna", "payload": '"Jonas Weil is ill." (people.md:9)'},
        {"event_type": "fact.missing", "from": "anna", "payload": "Who keeps the bees?"},
    ]
    prompt = (
        f"{networking.for_result('Who runs the press, and who keeps the bees?', [])}\n\nInput:\n{json.dumps(events)}"
    )
    text = play(None, prompt, instructions="Answer from the events fact.checked alone.")
    assert text == '"Jonas Weil runs the press." (people.md:1)\n\nMissing:\n- Who keeps the bees?'


HOSTILE = {
    "one word": "a" * 15_000,
    "dots": "a.b-c/" * 2_500,
    "digits": "1 " * 7_500,
    "headings": "Result:\n" * 2_000,
    "braces": "{" * 15_000,
    "entries": "- a: b\n" * 2_000,
    "marks": '"' * 15_000,
    "addresses": "a@" * 7_500,
    "sentences": "The quay is closed. " * 750,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_read_in_bounded_time(text: str) -> None:
    criteria = ["At most 5 words.", "Every sentence gives its source.", "No mail addresses", "No phone numbers"]
    given = f"\n\nInput:\n{text}"
    parts: tuple[Callable[[], Any], ...] = (
        lambda: route(text),
        lambda: review(criteria, text),
        lambda: action(f"No mail addresses.\n{text[:4000]}", {"text": text}),
        lambda: play(vote(debate("yes", "no")), first("Is the quay closed?", text)),
        lambda: plan(text[:15_000]),
        lambda: play(sent(PEERS, PEERS.peers["writer"]), event("q", text), instructions=f"{text[:8000]} send `a.b`"),
        lambda: play(None, refining.for_another_writer("When?", criteria, text, [text[:900]]) + given),
        lambda: play(None, planning.for_synthesis("When is the quay closed?", [text[:500]]) + given),
    )
    for part in parts:
        began = time.process_time()
        part()
        assert time.process_time() - began < 10
