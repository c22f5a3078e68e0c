"""The output contract: JSON or problems, bounded, and never a look outside."""

import json
from typing import Any

import pytest

from activities.contracts.base import Schema
from activities.errors import ConfigurationInvalid
from activities.json_values import read_json
from activities.outputs import MAX_PROBLEMS, check_schema, read_output

NUMBERS: Schema = {"type": "array", "items": {"type": "integer"}}


def test_an_answer_that_fits_has_no_problems() -> None:
    assert read_output("[1, 2]", NUMBERS) == ([1, 2], ())
    assert read_output("```json\n[1, 2]\n```", NUMBERS) == ([1, 2], ())


def test_problems_name_their_place_and_are_bounded() -> None:
    value, problems = read_output('["a", 1, "b", "c", "d", "e", "f", "g"]', NUMBERS)
    assert value
    assert len(problems) == MAX_PROBLEMS
    assert problems[0] == "$[0]: 'a' is not of type 'integer'"


@pytest.mark.parametrize(
    "text", ["", "[1", "NaN", "[1] and more", "[" * 100_000, "Infinity", "-1e999", "1" + "0" * 400]
)
def test_what_is_no_json_is_a_problem(text: str) -> None:
    value, problems = read_output(text, NUMBERS)
    assert value is None
    assert len(problems) == 1


@pytest.mark.parametrize("text", ['{"x": NaN}', "[1e999]", '"\\ud800"', "1" + "0" * 400])
def test_a_value_that_cannot_be_passed_on_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- whatever it says
        read_json(text)


def test_local_references_are_followed() -> None:
    schema: Schema = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    check_schema(schema)
    assert read_output("3", schema) == (3, ())
    assert read_output('"x"', schema)[1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integre"},
        {"$ref": "#/$defs/nothing"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"$ref": "other.json"}}},
        {"properties": 3},
    ],
)
def test_a_contract_that_cannot_work_is_refused_before_anything_is_spent(schema: Schema) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        check_schema(schema)
    assert caught.value.fix


def test_a_catastrophic_pattern_is_a_problem_and_not_a_blocked_worker() -> None:
    schema: Schema = {"type": "string", "pattern": "^(a+|[a-z A-Z.,]+)+$"}
    check_schema(schema)
    _, problems = read_output('"' + "a" * 5000 + '!"', schema)
    assert len(problems) == 1
    assert "cannot be checked" in problems[0]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"patternProperties": {"^a": {"type": "string"}}},
    ],
)
def test_circles_and_property_patterns_are_refused(schema: Schema) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        check_schema(schema)
    assert caught.value.fix


@pytest.mark.parametrize("text", ["[" * 150 + "1" + "]" * 150, '["\\ud800"]'])
def test_what_cannot_be_passed_on_is_a_problem(text: str) -> None:
    value, problems = read_output(text, {"type": "array"})
    assert value is None
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        ({"properties": {"claim": {"maxLength": 500}}}, {"claim": "long " * 300}, "is too long"),
        ({"properties": {"claims": {"maxItems": 3}}}, {"claims": [{"claim": "x" * 200}] * 9}, "is too long"),
        ({"properties": {"kind": {"enum": ["a", "b"]}}}, {"kind": "y" * 5_000}, "is not one of"),
    ],
)
def test_the_reason_survives_a_long_value(schema: dict[str, Any], value: Any, reason: str) -> None:
    _, problems = read_output(json.dumps(value), {"type": "object", **schema})
    assert len(problems) == 1
    assert reason in problems[0]
    assert len(problems[0]) <= 300
