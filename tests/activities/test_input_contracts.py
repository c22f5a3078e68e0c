"""Input contracts: checked inside workflows, so in bounded time and always alike."""

import time
from typing import Any

import pytest

from activities.errors import ConfigurationInvalid
from activities.input_contracts import MAX_CHECKED, check_input_schema, input_problems, missing_properties


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "string", "pattern": "^a+$"}, "aaa", "ab"),
        ({"type": "array", "uniqueItems": True}, [1, {"a": 1}], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
        ({"type": "array", "uniqueItems": True}, [1, "1", True], [1, 1]),
        ({"type": "object", "required": ["a"]}, {"a": None}, {"b": 1}),
        ({"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}, [1], ["x"]),
    ],
)
def test_a_value_fits_or_it_is_said_why(schema: dict[str, Any], fits: Any, does_not: Any) -> None:
    check_input_schema(schema, "the node 'n'")
    assert input_problems(fits, schema) == ()
    assert len(input_problems(does_not, schema)) == 1


def test_a_pattern_that_blows_up_elsewhere_is_linear_here() -> None:
    began = time.perf_counter()
    assert input_problems("a" * 100_000 + "!", {"type": "string", "pattern": "^(a+)+$"})
    assert input_problems([{"n": n % 9_999} for n in range(10_000)], {"uniqueItems": True})
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "("])
def test_a_pattern_without_a_linear_form_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"node 'n' (has the pattern|: )|input schema of the node 'n'"):
        check_input_schema({"properties": {"a": {"pattern": pattern}}}, "the node 'n'")


def test_what_is_too_deep_or_too_long_does_not_fit() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    assert input_problems(deep, {}) == ("it is nested too deeply",)
    assert "characters" in input_problems("x" * (MAX_CHECKED + 1), {})[0]


def test_missing_properties_are_named() -> None:
    schema: dict[str, Any] = {"type": "object", "required": ["a", "b"]}
    assert missing_properties({"a": 1}, schema) == ("b",)
    assert missing_properties("text", schema) == ("a", "b")
    assert missing_properties({}, {"type": "object"}) == ()
