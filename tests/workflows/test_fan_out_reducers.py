"""What is made of branches' answers: ties, conflicts, what does not fit, and nothing at all; batches taken apart."""

from typing import Any

import pytest
from pydantic import JsonValue, ValidationError

from activities.errors import LimitExceeded
from activities.grants import same_json
from workflows.fanning.batches import entry, items_of, packed
from workflows.fanning.jobs import jobs_of
from workflows.fanning.outcome import Outcome
from workflows.fanning.reducers import Answer, canonical, merged, ranked, reduced, unfit, voted
from workflows.fanning.slots import Slot
from workflows.stages import MAX_SHOWN, as_shown
from workflows.teams.tree import FanOutNode


def answers(**outputs: Any) -> list[Answer]:
    return [Answer(name, output) for name, output in outputs.items()]


def test_answers_are_collected_by_name_and_those_for_items_in_their_places() -> None:
    assert reduced("collect", answers(b=1, a=None)).output == {"b": 1, "a": None}
    items = [Answer("i1", "one", 0, "x"), Answer("i3", "three", 2, "z")]
    assert reduced("collect", items, places=4).output == ["one", None, "three", None]
    assert reduced("collect", [], places=0).output == []
    assert reduced("collect", []).output == {}
    assert items[1].shown() == {"branch": "i3", "index": 2, "item": "z", "output": "three"}


def test_the_first_answer_is_the_one_that_came_first_and_not_the_first_in_order() -> None:
    assert reduced("first", answers(a=1, b=2), first="b").output == 2
    assert reduced("first", []).output is None


def test_objects_are_merged_and_a_conflict_is_told() -> None:
    made = merged(
        answers(
            a={"city": "Ulm", "tags": ["x", {"n": 1}], "deep": {"one": 1}},
            b={"city": "Bonn", "tags": [{"n": 1}, "y"], "deep": {"two": 2}, "more": True},
            c={"city": "Ulm"},
            d=["not", "an", "object"],
        )
    )
    assert made.output == {"city": "Ulm", "tags": ["x", {"n": 1}, "y"], "deep": {"one": 1, "two": 2}, "more": True}
    assert made.remarks == ("'b' says \"Bonn\" of 'city', where \"Ulm\" was there before and stands",)
    assert made.unused == {"d": "its answer is a list, and that of 'a' is an object"}
    many = merged(answers(a={str(n): 0 for n in range(30)}, b={str(n): 1 for n in range(30)}))
    assert len(many.remarks) == 21
    assert many.remarks[-1] == "10 more conflicts were settled in the same way"


def test_lists_are_put_together_without_what_is_there_already() -> None:
    assert merged(answers(a=[1, 2], b=[2, 3], c=[])).output == [1, 2, 3]
    assert merged(answers(a=[1, 1], b=[2, 1.0, 2], c=[1])).output == [1, 1, 2, 2], "as often as one of them says it"
    assert merged(answers(a=[1, 1])).output == [1, 1]
    assert not merged(answers(a={"n": 1, "e": "\u00e9"}, b={"n": 1.0, "e": "e\u0301"})).remarks
    assert merged([]).output is None


def test_the_most_frequent_answer_wins_and_the_tally_is_kept() -> None:
    made = voted(answers(a="Yes", b="no", c=" yes ", d={"v": 1}))
    assert made.tied == ()
    assert made.output == {
        "winner": "Yes",
        "votes": 2,
        "of": 4,
        "tied": False,
        "tally": [
            {"value": "Yes", "votes": 2, "branches": ["a", "c"]},
            {"value": "no", "votes": 1, "branches": ["b"]},
            {"value": {"v": 1}, "votes": 1, "branches": ["d"]},
        ],
    }
    by = voted(answers(a={"v": 1, "why": "x"}, b={"v": True}, c={"v": 1}), "v").output
    assert isinstance(by, dict)
    assert (by["winner"], by["votes"]) == (1, 2)


def test_what_is_the_same_counts_as_one_value_and_null_is_no_vote() -> None:
    values: list[JsonValue] = [
        1,
        1.0,
        True,
        "\u00e9",
        "E\u0301",
        {"n": [2.0]},
        {"n": [2]},
        2**53 + 1,
        float(2**53),
        None,
    ]
    for one in values:
        for other in values:
            composed = isinstance(one, str) and isinstance(other, str)
            assert (canonical(one) == canonical(other)) == same_json(one, other) or composed, (one, other)
    made = voted([Answer(f"b{n}", value) for n, value in enumerate(values)]).output
    assert isinstance(made, dict)
    assert (made["winner"], made["votes"], made["of"], made["tied"]) == (1, 2, 9, True)
    assert isinstance(made["tally"], list)
    assert [one["votes"] for one in made["tally"] if isinstance(one, dict)] == [2, 2, 2, 1, 1, 1]


def test_a_batch_holds_whole_items_and_what_no_prompt_shows_is_cut_and_named() -> None:
    items: list[JsonValue] = [
        *["s"] * 3,
        *["x" * (MAX_SHOWN // 2)] * 2,
        "\n" * MAX_SHOWN,
        {"deep": "y" * (MAX_SHOWN + 9)},
        4,
        5,
        6,
        7,
    ]
    slots = [Slot(f"i{n + 1}", n, item) for n, item in enumerate(items)]
    batches = packed(slots, 4)
    assert [[slot.name for slot in batch] for batch in batches] == [
        ["i1", "i2", "i3", "i4"], ["i5"], ["i6"], ["i7", "i8", "i9", "i10"], ["i11"]
    ]  # fmt: skip
    for batch in batches:
        given: JsonValue = [entry(slot)[0] for slot in batch]
        assert len(as_shown(given)) <= MAX_SHOWN
    cuts = [line for slot in slots for line in entry(slot)[1]]
    assert [line.rpartition(" of ")[2] for line in cuts] == ["item i6", "item i7"]
    assert "[cut: " in str(entry(slots[6])[0])
    node = FanOutNode.model_validate({"each": {"kind": "agent", "agent": "a"}, "batch": 5, "max_branches": 5})
    with pytest.raises(LimitExceeded, match="take 5 batches, and 2 are the most"):
        jobs_of(node, [Slot(f"i{n}", n, "x" * MAX_SHOWN) for n in range(5)])


@pytest.mark.parametrize("least", [True, 1.0, 2.0, 0.0])
def test_what_could_be_a_number_or_a_share_is_refused(least: Any) -> None:
    with pytest.raises(ValidationError, match="neither a number of answers"):
        FanOutNode.model_validate({"at_least": least})


def test_a_tied_vote_goes_to_the_first_in_order_and_says_so() -> None:
    made = voted(answers(b="x", a="y", c="y", d="x", e="z"))
    assert isinstance(made.output, dict)
    assert (made.output["winner"], made.output["tied"]) == ("x", True)
    assert made.tied == ("x", "y")
    assert made.remarks == ('the vote is tied between "x", "y": the first in the order of branches stands',)
    nobody = voted([]).output
    assert nobody == {"winner": None, "votes": 0, "of": 0, "tied": False, "tally": []}


def test_answers_are_ranked_by_a_number_and_equal_ones_keep_their_order() -> None:
    made = ranked(answers(a={"score": 0.5}, b={"score": 2}, c={"score": "9"}, d={"score": 0.5}, e={"score": True}))
    assert isinstance(made, list)
    assert [(one["branch"], one["score"]) for one in made if isinstance(one, dict)] == [
        ("b", 2),
        ("a", 0.5),
        ("d", 0.5),
    ]
    assert ranked(answers(a=1, b=3), None) == [
        {"branch": "b", "score": 3, "output": 3},
        {"branch": "a", "score": 1, "output": 1},
    ]
    assert ranked([]) == []


def test_an_answer_of_which_nothing_can_be_made_says_why() -> None:
    assert unfit("merge", None, "text") == "its answer is neither an object nor a list, so it cannot be merged"
    assert unfit("rank", None, {"score": "9"}) == "its answer has no number 'score' to be ranked by"
    assert unfit("rank", "size", {"size": float("nan")}) == "its answer has no number 'size' to be ranked by"
    assert unfit("rank", "size", 7), "a number alone has no size"
    assert unfit("vote", "label", {"other": 1}) == "its answer has no 'label' to be counted"
    assert unfit("vote", None, None) == "its answer is null, which is no vote"
    assert unfit("vote", "label", {"label": None}) == "", "it abstains"
    none = voted([Answer("a", {"label": None})], "label")
    assert none.unused == {"a": "it gave no vote"}
    fine: list[tuple[Any, str | None, JsonValue]] = [
        ("merge", None, []), ("rank", None, 7), ("rank", None, 10**400), ("vote", None, False), ("collect", None, None), ("first", "x", 1)
    ]  # fmt: skip
    assert not any(unfit(*one) for one in fine)


def test_the_answer_to_a_batch_is_taken_apart_by_ids() -> None:
    slots = [Slot(f"i{n}", n - 1, n) for n in range(1, 6)]
    output: JsonValue = {
        "answers": [
            {"item_id": "i3", "answer": "c"},
            {"item_id": "i1", "answer": "a"},
            {"item_id": "i1", "answer": "a"},
            {"item_id": "i2", "answer": "b"},
            {"item_id": "i2", "answer": "another"},
            {"item_id": "i9", "answer": "?"},
            {"item_id": "i4", "answer": ""},
        ]
    }
    found, remarks = items_of(output, slots, lambda answer: "" if answer else "it is empty")
    assert list(found.items()) == [("i1", "a"), ("i3", "c")], "in the order of the items"
    assert remarks == [
        "i4: it is empty",
        "it answers what was not asked: i9",
        "it answers twice, and differently: i2",
    ]
    nothings: list[JsonValue] = [None, "text", {}, {"answers": "no"}, {"answers": [1, {"answer": "x"}]}]
    for nothing in nothings:
        assert items_of(nothing, slots)[0] == {}


def test_everybody_who_was_lost_is_named_however_many_there_are() -> None:
    outcome = Outcome([Slot(f"i{n}") for n in range(400)], 400, races=False)
    for n in range(400):
        outcome.lose(f"i{n}", f"it failed: reason {n if n < 60 else 'of all others'}")
    lines = list(outcome.losses())
    assert len(lines) <= 60
    assert all(len(line) <= 1000 for line in lines)
    named = {name for line in lines for name in line.partition(":")[0].split(" ", 1)[1].split(", ")}
    assert named == {f"i{n}" for n in range(400)}
