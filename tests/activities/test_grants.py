"""Conditions on arguments, and the decision that is made of them: pure functions."""

import time
from typing import Any

import pytest

from activities.contracts.grants import ArgumentRule, Grant, Verdict
from activities.contracts.profile import Effect
from activities.errors import ConfigurationInvalid
from activities.gate import decide
from activities.grants import check_rules, misfit, same_json
from activities.lookalikes import lookalike
from activities.policy import Action, Policy
from tests.support.growth import calls_of


@pytest.mark.parametrize(
    ("rule", "fits", "not_"),
    [
        ({"one_of": ["a", 1]}, ["a", 1, 1.0], ["b", True, "1", None, [1]]),
        ({"one_of": [True]}, [True], [1, "true"]),
        ({"pattern": "a|bc"}, ["a", "bc"], ["abc", "a\n", "", 1, None, ["a"], "\ud800"]),
        ({"pattern": "(?i)re: .*"}, ["RE: x"], ["RE: x\ny"]),
        ({"maximum": 100}, [100, -5.5], [100.1, "5", True, None, float("nan"), float("inf")]),
        ({"minimum": 1}, [1, 2**70], [0, "2", False, float("nan")]),
        ({"max_length": 2}, ["ab", [1], ""], ["abc", [1, 2, 3], 1, {"a": 1}]),
        ({"minimum": 1, "maximum": 2}, [1.5], [0, 3]),
        ({}, [None, 1], []),
    ],
)
def test_a_rule_fits_what_it_says_and_nothing_of_another_type(
    rule: dict[str, Any], fits: list[Any], not_: list[Any]
) -> None:
    rules = {"x": ArgumentRule.model_validate(rule)}
    assert [value for value in fits if misfit(rules, {"x": value})] == []
    assert [value for value in not_ if not misfit(rules, {"x": value})] == []
    assert misfit(rules, {}) == ("x", "x has to be given")


def test_json_equality_is_deep_and_knows_truth_from_numbers() -> None:
    assert same_json({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]})
    assert not same_json({"a": [1]}, {"a": [True]})
    assert not same_json([1, 2], [1])


@pytest.mark.parametrize("pattern", ["(a", "a)|(b", "(?=a)", r"(a)\1", r"\w{500}{500}"])
def test_a_pattern_that_cannot_be_held_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        check_rules({"x": ArgumentRule(pattern=pattern)}, "here")


def test_a_rule_that_nothing_fits_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid, match="over its maximum"):
        check_rules({"x": ArgumentRule(minimum=2, maximum=1)}, "here")


def test_a_patterns_time_grows_with_the_text_and_no_faster() -> None:
    rules = {"x": ArgumentRule(pattern="(a+)+(a|aa)*b")}
    began = time.perf_counter()
    assert misfit(rules, {"x": "a" * 16_000})
    assert misfit({"x": ArgumentRule(pattern="b*")}, {"x": "b" * 10_000_000})  # too long to be looked at
    assert time.perf_counter() - began < 1


def act(tool: str = "pay", effect: Effect = Effect.ONCE, **arguments: Any) -> Action:
    return Action(tool, effect, "books", "clerk", arguments)


def policy(*rules: dict[str, Any]) -> Policy:
    return Policy.model_validate({"rules": rules})


PAYS = policy(
    {"name": "small", "tool": "pay", "arguments": {"amount": {"maximum": 10}}, "verdict": "proceed"},
    {"tool": "pay", "agent": ["cl*"], "arguments": {"amount": {"maximum": 100}}, "verdict": "ask", "reason": "much"},
    {"tool": "pay", "arguments": {"amount": {"maximum": 1000}}, "verdict": "halt"},
    {"tool": "files__*", "team": "books", "verdict": "edit", "limit": {"n": {"maximum": 5, "minimum": 1}}},
)


@pytest.mark.parametrize(
    ("action", "verdict", "rule"),
    [
        (act(amount=5), None, ""),
        (act(amount=50), Verdict.ASK, "rule 2"),
        (act(amount=500), Verdict.HALT, "rule 3"),
        (act(amount=5000), Verdict.BLOCK, ""),
        (act(amount=float("nan")), Verdict.BLOCK, ""),
        (act("mail"), Verdict.BLOCK, ""),
        (act("mail", Effect.IDEMPOTENT), Verdict.BLOCK, ""),
        (act("mail", Effect.READ), None, ""),
        (act("files__write", n=50), Verdict.EDIT, "rule 4"),
        (act("files__write", n=3), None, ""),
        (act("files__write", n="50"), Verdict.BLOCK, "rule 4"),
        (act("files__write", n=float("nan")), Verdict.BLOCK, "rule 4"),
        (act("files__write"), None, ""),
    ],
)
def test_the_first_rule_that_matches_decides_and_what_matches_none_is_blocked(
    action: Action, verdict: Verdict | None, rule: str
) -> None:
    decision = decide(action, (), PAYS)
    assert (decision and decision.verdict, decision.rule if decision else "") == (verdict, rule)


def test_without_a_policy_what_is_granted_proceeds_under_all_conditions_at_once() -> None:
    assert decide(act(amount=5), (), None) is None
    both = (Grant(arguments={"amount": ArgumentRule(maximum=10)}), Grant(arguments={"to": ArgumentRule(one_of=("a",))}))
    assert decide(act(amount=5, to="a"), both, None) is None
    refused = decide(act(amount=5, to="b"), both, None)
    assert refused
    assert (refused.verdict, refused.by, refused.rule) == (Verdict.BLOCK, "grant", "to")


def test_grants_only_narrow_what_the_policy_says() -> None:
    asks = (Grant(ask=True),)
    assert (found := decide(act(amount=5), asks, PAYS))
    assert (found.verdict, found.by) == (Verdict.ASK, "grant")
    assert (found := decide(act(amount=500), asks, PAYS))
    assert found.verdict is Verdict.HALT
    assert (found := decide(act("files__write", n=50), asks, PAYS))
    assert (found.verdict, found.arguments) == (Verdict.ASK, '{"n": 5}')


def test_the_work_on_rules_grows_with_their_number_and_no_faster() -> None:
    def work(count: int) -> int:
        rules = ({"tool": f"t{n}", "arguments": {"x": {"maximum": n}}, "verdict": "proceed"} for n in range(count))
        known = policy(*rules)
        assert decide(act(x=1), (), known)
        return calls_of(lambda: decide(act(x=1), (), known))

    assert work(1000) < 11 * work(100)


@pytest.mark.parametrize(
    "name", ["p\u0430y", "p\u03b1y", "\uff50\uff41\uff59", "pa\u0443", "pa\u200by", "p\u00e1y", "PAY"]
)
def test_names_that_look_alike_are_told_apart(name: str) -> None:
    assert lookalike(name, ["pay", "add"]) == "pay"
    assert lookalike("pay", ["pay"]) is None
    assert lookalike("play", ["pay"]) is None
