"""The offline model where it works in a pattern: debater, planner of a graph, batches, peers, a writer after an editor."""

import json
from typing import Any

import pytest

from activities.contracts.events import Event
from tests.providers.playing import play
from workflows.debating import prompts as debating
from workflows.debating.votes import Round, Vote
from workflows.fanning import prompts as fanning
from workflows.networking import prompts as networking
from workflows.networking.memory import Told
from workflows.planning import prompts as planning
from workflows.refining import prompts as refining
from workflows.teams.kinds.debate import DebateNode, vote
from workflows.teams.kinds.fan_out import FanOutNode, batched
from workflows.teams.kinds.network import NetworkNode, sent
from workflows.teams.kinds.plan import PlanNode, graph

AGENT = {"kind": "agent", "agent": "a"}
FERRY = (
    "The old ferry carries 40 people and burns 90 litres of diesel an hour.\n\n"
    "An electric ferry carries 60 people and needs no diesel. The electric ferry costs 2 million crowns.\n\n"
    "The quay has no power line for an electric ferry. The council has set aside 1 million crowns for a ferry."
)


def debate(*positions: str) -> DebateNode:
    return DebateNode.model_validate({"debaters": {"one": AGENT, "two": AGENT}, "positions": positions})


def first(question: str, given: str, node: DebateNode | None = None) -> str:
    return f"{debating.for_first_vote(question, node.positions if node else ())}\n\nInput:\n{given}"


def test_a_debater_takes_the_declared_position_that_its_reading_speaks_for() -> None:
    node = debate("keep the old ferry", "buy an electric ferry")
    said = play(vote(node), first("Which ferry should carry people?", FERRY, node))
    assert said["position"] == "buy an electric ferry"
    assert 0.5 <= said["confidence"] <= 1
    for reason in said["reasons"]:
        assert reason.split('"')[1] in " ".join(FERRY.split())
    assert said["abstain"] is False


def test_yes_and_no_follow_what_a_rule_denies() -> None:
    rules = "Dogs are not allowed on the ferry. Bicycles are allowed on the ferry after nine."
    for thing, position in (("dogs", "no"), ("bicycles", "yes")):
        said = play(vote(debate("yes", "no")), first(f"Are {thing} allowed on the ferry?", rules))
        assert (said["position"], said["abstain"]) == (position, False)


def test_a_debater_that_has_found_nothing_abstains() -> None:
    for node in (debate("buy", "sell"), debate()):
        said = play(vote(node), first("Who won the chess cup of 1931?", FERRY, node))
        assert (said["confidence"], said["reasons"], said["abstain"]) == (0.0, [], True)


def test_a_free_position_is_a_sentence_of_the_input_and_its_own_interest_chooses_it() -> None:
    prompt = first("What is known of the electric ferry?", FERRY)
    money = play(vote(debate()), prompt, instructions="You look at what a thing costs, in crowns.")
    power = play(vote(debate()), prompt, instructions="You look at the quay and its power line.")
    assert "2 million crowns" in money["position"]
    assert "power line" in power["position"]


def votes(*held: tuple[str, float, str]) -> str:
    made = [Vote(debater=f"d{at}", position=p, confidence=c, reasons=(r,)) for at, (p, c, r) in enumerate(held)]
    return debating.for_next_vote(made)


def test_only_an_unsure_debater_goes_over_to_those_who_have_more_to_show() -> None:
    node = debate("keep", "buy", "hire")
    others = votes(("keep", 0.9, "it runs"), ("keep", 0.8, "it is paid"), ("buy", 0.7, "it is new"))
    unsure: dict[str, Any] = {"position": "hire", "confidence": 0.4, "reasons": ["perhaps"]}
    sure: dict[str, Any] = {"position": "hire", "confidence": 0.9, "reasons": ["the yard has one"]}
    changed = play(vote(node), "Which ferry?", unsure, others)
    assert (changed["position"], changed["reasons"]) == ("keep", ["it runs"])
    assert changed["confidence"] < 0.9
    assert play(vote(node), "Which ferry?", sure, others)["position"] == "hire"
    weak = votes(("keep", 0.2, "who knows"))
    assert play(vote(node), "Which ferry?", unsure, weak)["position"] == "hire"


PLAN = PlanNode.model_validate(
    {
        "executors": {
            "finder": {"node": AGENT, "description": "Finds what the documents say on one question."},
            "counter": {"node": AGENT, "description": "Counts and adds up prices, fees and sums."},
            "writer": {"node": AGENT, "description": "Writes one text from the results of others."},
        },
        "planner": AGENT,
        "max_tasks": 5,
    }
)


def plan(goal: str, *outputs: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = play(graph(PLAN), planning.for_planner(goal, PLAN.executors, 5, outputs))["tasks"]
    return found


def test_a_planner_lays_out_the_parts_of_a_goal_and_one_task_after_them() -> None:
    tasks = plan("Who may fish in the bay? What fees add up to the price of a licence? When does the season end?")
    assert [task["executor"] for task in tasks] == ["finder", "counter", "finder", "writer"]
    assert tasks[-1]["after"] == [task["task_id"] for task in tasks[:-1]]
    assert len({task["task_id"] for task in tasks}) == 4
    many = plan(" ".join(f"What is the {name} fee?" for name in ("first", "bay", "pier", "boat", "rod", "net", "hut")))
    assert len(many) == 5
    assert [task["executor"] for task in plan("Who keeps the keys?")] == ["finder", "writer"]


def test_a_batch_is_answered_item_by_item_under_the_ids() -> None:
    one = {"enum": ["food", "travel", "tools"], "type": "string"}
    node = FanOutNode.model_validate({"each": AGENT, "batch": 4, "answer": one})
    told = (
        "Which kind of spending is each?\n\n- food: meals, bread, wine\n- travel: trains, taxis\n- tools: saws, drills"
    )
    items = [
        {"item_id": f"i{at}", "item": said} for at, said in enumerate(["Taxi to Kell", "Two drills", "bread and wine"])
    ]
    answers = play(batched(node), f"{fanning.for_batch(told)}\n\nInput:\n{json.dumps(items)}")["answers"]
    assert [(each["item_id"], each["answer"]) for each in answers] == [
        ("i0", "travel"),
        ("i1", "tools"),
        ("i2", "food"),
    ]


def test_a_batch_of_texts_is_answered_in_the_words_of_its_items() -> None:
    node = FanOutNode.model_validate({"each": AGENT, "batch": 4})
    items = [
        {"item_id": "a", "item": "The lamp is out. The keeper is ill."},
        {"item_id": "b", "item": "Fog at the bar."},
    ]
    answers = play(
        batched(node), f"{fanning.for_batch('Say what each report is about.')}\n\nInput:\n{json.dumps(items)}"
    )["answers"]
    assert {each["item_id"]: each["answer"].split(" (")[0] for each in answers}["b"].startswith("Fog at the bar")
    assert "lamp" in answers[0]["answer"]


PEERS = NetworkNode.model_validate(
    {
        "peers": {
            "finder": {"node": AGENT, "subscribes": ["question.*"], "asks": ["archive"]},
            "archive": {"node": AGENT},
            "writer": {"node": AGENT, "subscribes": ["fact.found"]},
        }
    }
)


def event(kind: str, payload: Any, peer: str = "writer", *, is_question: bool = False) -> str:
    sent_to = Event(event_id="e1", event_type=kind, task_id="t", agent_id="x", payload=payload, timestamp=1.0)
    prompt = networking.for_event("Tell us of the ferry.", PEERS, peer, sent_to, is_question=is_question)
    return f"{prompt}\n\nInput:\n{payload if isinstance(payload, str) else json.dumps(payload)}"


@pytest.mark.parametrize(
    ("instructions", "kind", "payload", "expected"),
    [
        ("Send `question.asked` for each part of the goal.", "goal", "Who steers? When does it sail?",
         [("question.asked", "Who steers?", None), ("question.asked", "When does it sail? (about: steers)", None)]),
        ("On fact.found send report.done with the text. On fact.missing send report.empty.", "fact.found", "It sails.",
         [("report.done", "It sails.", None)]),
        ("Send fact.found with what you know; where there is nothing, send fact.missing.", "question.asked",
         "not in these documents", [("fact.missing", "not in these documents", None)]),
        ("Send `fact.found` to the writer.", "question.asked", {"text": "It sails at noon."},
         [("fact.found", "It sails at noon.", "writer")]),
        ("Read log.md and write a line.", "goal", "Who steers?", []),
    ],
)  # fmt: skip
def test_a_peer_sends_the_events_that_its_instructions_name(
    instructions: str, kind: str, payload: Any, expected: list[tuple[str, str, str | None]]
) -> None:
    value = play(sent(PEERS, PEERS.peers["writer"]), event(kind, payload), instructions=instructions)
    assert [(each["event_type"], each["payload"], each.get("to")) for each in value["events"]] == expected


def test_a_peer_asks_once_and_goes_on_with_the_answer() -> None:
    schema, told = sent(PEERS, PEERS.peers["finder"]), "Ask the archive, then send `fact.found` with what it says."
    begun = event("question.asked", "Who steers the ferry?", "finder")
    asked = play(schema, begun, instructions=told)
    assert asked == {"events": [], "ask": {"to": "archive", "question": "Who steers the ferry?"}}
    came = Told(by="archive", question="Who steers the ferry?", answer="Mia Holt steers the ferry since May.")
    answered = play(
        schema, begun, asked, f"{networking.for_answer(came, 1)}\n\nInput:\n{came.answer}", instructions=told
    )
    assert '"Mia Holt steers the ferry since May." (archive)' in answered["events"][0]["payload"]
    head, _, payload = begun.partition("\n\nInput:\n")
    assert play(schema, f"{networking.with_answer(head, came, 1)}\n\nInput:\n{payload}", instructions=told) == answered
    refused = came.model_copy(update={"answer": None, "refused": "it would close a circle"})
    nothing = play(schema, begun, asked, networking.for_answer(refused, 1), instructions=told)
    assert "ask" not in nothing
    assert [each["event_type"] for each in answered["events"]] == ["fact.found"]
    assert "Mia Holt steers the ferry" in answered["events"][0]["payload"]
    assert "ask" not in answered


REGISTER = (
    "The library opens at nine. The library lends books for four weeks. Sorry, the library lends no maps.\n\n"
    "Members of the library pay 12 crowns a year. The library is closed on feast days."
)


def test_a_writer_mends_what_an_editor_complains_about() -> None:
    task = refining.for_writer("What does the library lend?", ["It is plain."])
    prompt = f"{task}\n\nInput:\n{REGISTER}"
    first = play(None, prompt)
    assert "Sorry" in first
    problems = [
        'It holds "sorry" (criterion: It does not say "sorry".)',
        "It does not mention members (criterion: It mentions members.)",
    ]
    second = play(None, prompt, first, refining.for_same_writer(problems))
    assert "Sorry" not in second
    assert "Members of the library pay" in second
    short = play(None, prompt, second, refining.for_same_writer(["At most 12 words."]))
    assert 0 < len(short.split()) <= 12
    lacking = play(None, prompt, first, refining.for_same_writer(["Mention the cellar."]))
    assert lacking.endswith("On cellar: not in these documents.")
    other = refining.for_another_writer("What does the library lend?", [], first, problems)
    assert play(None, f"{other}\n\nInput:\n{REGISTER}") == second


def test_results_become_one_text_of_quotations_that_keep_their_sources() -> None:
    results = [
        {"task_id": "fee", "output": '"Members pay 12 crowns a year." (house.md:4)'},
        {"task_id": "hours", "output": "The library opens at nine."},
        {"task_id": "cats", "output": "not in these documents"},
    ]
    listed = "\n".join(map(json.dumps, results))
    text = play(
        None, f"What do members pay, and when is the library open?\n\nThe results:\n{listed}\n\nMissing:\n- cats failed"
    )
    assert '"Members pay 12 crowns a year." (house.md:4)' in text
    assert '"The library opens at nine." (hours)' in text
    assert text.endswith("Missing:\n- cats failed\n- cats: not in these documents")


def test_votes_become_the_position_that_holds_with_its_reasons_and_the_minority() -> None:
    made = [
        Vote(debater="a", position="keep", confidence=0.6, reasons=('"It still runs." (log.md:2)',)),
        Vote(debater="b", position="buy", confidence=0.9, reasons=("It is loud.",)),
        Vote(debater="c", position="keep", confidence=0.5, reasons=("It is paid.",)),
    ]
    goal = "Should we keep the engine that still runs?"
    text = play(None, debating.for_judge(goal, Round(2, made, [[0, 2], [1]]), "keep", made[1:2], "votes"))
    assert text.startswith("keep\n\n")
    assert '"It still runs." (log.md:2)' in text
    assert text.endswith("Against it: buy, as It is loud.")
    person = play(None, debating.for_judge(goal, Round(2, made, [[0, 2], [1]]), "buy", [made[0], made[2]], "a person"))
    assert person.startswith("buy\n\n")
