"""An example of what a schema wants, for whoever reads no schemas."""

import json
from typing import Any

import pytest

from activities.outputs import read_output
from activities.schema_example import choices, example

LABEL: dict[str, Any] = {
    "type": "object",
    "required": ["label"],
    "properties": {"label": {"enum": ["ask", "planned"]}, "why": {"type": "string"}},
}
SELF: dict[str, Any] = {
    "$defs": {"a": {"type": "object", "properties": {f"p{n}": {"$ref": "#/$defs/a"} for n in range(20)}}},
    "$ref": "#/$defs/a",
}


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        (LABEL, {"label": "ask"}),
        ({"type": "array", "minItems": 2, "items": {"type": "number", "exclusiveMinimum": 0}}, [1, 1]),
        ({"properties": {"a": {"type": ["string", "null"]}, "b": {"const": 7}}}, {"a": "...", "b": 7}),
        ({"$defs": {"x": {"type": "boolean"}}, "anyOf": [{"$ref": "#/$defs/x"}, {"type": "null"}]}, True),
        ({"type": "integer", "minimum": 3}, 3),
        ({}, "..."),
    ],
)
def test_an_example_fits_its_schema(schema: dict[str, Any], shown: Any) -> None:
    assert json.loads(example(schema)) == shown
    assert read_output(example(schema), schema) == (shown, ())


def test_a_word_that_somebody_has_said_stands_where_it_may_and_the_others_are_told() -> None:
    assert example(LABEL, "planned") == '{"label": "planned"}'
    assert example(LABEL, "nothing") == '{"label": "ask"}'
    assert choices(LABEL) == ["label is one of ask, planned"]


def test_what_is_too_long_or_has_no_end_is_not_shown() -> None:
    assert example(SELF) == ""
    assert example({"type": "object", "properties": {f"name{n}": {} for n in range(60)}}) == ""
