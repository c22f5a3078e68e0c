"""Whatever the schema, the offline model's answer fits it, with evidence and without."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from activities.providers.offline_evidence import Evidence
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_schema import Material, fill

LIGHTHOUSE = (
    Evidence("The lighthouse on Kell Point was lit on 4 March 1871 and stands 38 metres tall.", "kell.md", 7, 1.4, 0.8),
    Evidence("Its lamp burns 12 litres of oil\nin a winter night.", "kell.md", 12, 1.1, 0.6),
    Evidence("The keeper is paid 3 shillings a day.", "pay/keepers.txt", 2, 0.9, 0.5),
)
QUESTION = "How tall is the lighthouse on Kell Point?"
WITH = Material(QUESTION, QUESTION, LIGHTHOUSE)
WITHOUT = Material(QUESTION, QUESTION, ())
QUOTE: dict[str, Any] = {
    "type": "object",
    "properties": {"quote": {"type": "string"}, "source": {"type": "string"}},
    "required": ["quote", "source"],
    "additionalProperties": False,
}

names = st.sampled_from(
    ["answer", "quote", "source", "count", "found", "label", "when", "items", "line", "file", "odd name", "x"]
)
strings = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={"minLength": st.integers(0, 30), "maxLength": st.integers(30, 200), "description": st.text(max_size=20)},
)
formats = st.sampled_from(["date", "date-time", "time", "email", "uri", "uuid"]).map(
    lambda name: {"type": "string", "format": name}
)
whole = st.fixed_dictionaries(
    {"type": st.just("integer")}, optional={"minimum": st.integers(-50, 50), "maximum": st.integers(50, 500)}
)
stepped = st.fixed_dictionaries(
    {"type": st.just("integer"), "multipleOf": st.integers(1, 9), "minimum": st.integers(-40, 40)}
)
real = st.fixed_dictionaries(
    {"type": st.just("number")},
    optional={
        "exclusiveMinimum": st.floats(-5, 0),
        "exclusiveMaximum": st.floats(0.01, 9),
        "description": st.just("height"),
    },
)
enums = st.lists(st.one_of(st.text(min_size=1, max_size=8), st.integers(), st.none()), min_size=1, max_size=5).map(
    lambda v: {"enum": v}
)
constants = st.one_of(st.text(max_size=5), st.booleans(), st.integers()).map(lambda value: {"const": value})
leaves = st.one_of(
    strings, formats, whole, stepped, real, enums, constants,
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {"type": ["integer", "null"]}, {}, True]),
    st.just({"$ref": "#/$defs/quote"}),
)  # fmt: skip


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    @st.composite
    def draw_object(draw: st.DrawFn) -> dict[str, Any]:
        properties = draw(st.dictionaries(names, inner, max_size=4))
        required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": draw(st.booleans()),
        }

    return draw_object()


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 4), "maxItems": st.integers(4, 6)},
    )


schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        objects(inner), arrays(inner), st.lists(inner, min_size=1, max_size=3).map(lambda v: {"anyOf": v})
    ),
    max_leaves=8,
).map(lambda schema: {"allOf": [schema], "$defs": {"quote": QUOTE}})


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas)
def test_any_schema_is_filled_with_a_value_that_fits(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    for material in (WITH, WITHOUT):
        value = fill(schema, material)
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(value)]
        assert not errors, (value, errors)
        assert json.loads(json.dumps(value)) == value


def one(part: dict[str, Any], name: str = "value", material: Material = WITH) -> Any:
    return fill({"type": "object", "properties": {name: part}, "required": [name]}, material)[name]


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("quote", {"type": "string"}, LIGHTHOUSE[0].quote),
        ("source", {"type": "string"}, "kell.md:7"),
        ("file", {"type": "string"}, "kell.md"),
        ("line", {"type": "integer"}, 7),
        ("found", {"type": "boolean"}, True),
        ("missing", {"type": "array", "items": {"type": "string"}}, []),
        ("height", {"type": "number", "description": "how tall it stands, in metres"}, 38),
        ("wage", {"type": "integer", "description": "what the keeper is paid a day"}, 3),
        ("lit_on", {"type": "string", "format": "date"}, "1871-03-04"),
        ("confidence", {"type": "number", "minimum": 0, "maximum": 1}, 0.8),
        ("topic", {"enum": ["bridges", "lighthouses", "harbours"]}, "lighthouses"),
        ("place", {"anyOf": [{"type": "null"}, {"const": "Kell Point"}]}, "Kell Point"),
        ("keeper", {"type": "string", "description": "the pay of the keeper"}, "The keeper is paid 3 shillings a day."),
        ("code", {"type": "string", "pattern": r"^[a-z]+\.md:\d+$"}, "kell.md:7"),
    ],
)
def test_names_descriptions_and_types_decide_what_goes_where(name: str, part: dict[str, Any], expected: Any) -> None:
    assert one(part, name) == expected


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("answer", {"type": "string"}, NOTHING),
        ("found", {"type": "boolean"}, False),
        ("quotes", {"type": "array", "items": QUOTE}, []),
        ("height", {"anyOf": [{"type": "number"}, {"type": "null"}]}, None),
        ("verdict", {"enum": ["supported", "refuted", "unknown"]}, "unknown"),
        ("lit_on", {"type": ["string", "null"], "format": "date"}, None),
    ],
)
def test_without_evidence_nothing_is_made_up(name: str, part: dict[str, Any], expected: Any) -> None:
    assert one(part, name, WITHOUT) == expected


def test_an_answer_joins_sentences_with_their_sources() -> None:
    answer = one({"type": "string"}, "answer")
    assert "Its lamp burns 12 litres of oil in a winter night. (kell.md:12)" in answer
    assert "(pay/keepers.txt:2)" in answer


def test_each_entry_of_a_list_is_one_piece_of_evidence() -> None:
    found = one({"type": "array", "items": QUOTE, "maxItems": 2}, "quotes")
    assert found == [{"quote": item.quote, "source": item.source} for item in LIGHTHOUSE[:2]]


def test_a_quotation_that_is_cut_stays_verbatim() -> None:
    quote = one({"type": "string", "maxLength": 20}, "quote")
    assert quote == "The lighthouse on"


def test_a_result_that_a_tool_computed_is_no_quotation_of_a_document() -> None:
    computed = Evidence("42", "add", 1, cited=False)
    found = fill(
        {"type": "object", "properties": {"total": {"type": "number"}, "quotes": {"type": "array", "items": QUOTE}}},
        Material("What is 40 plus 2?", "What is 40 plus 2?", (computed,)),
    )
    assert found == {"total": 42, "quotes": []}


@pytest.mark.parametrize("material", [WITH, WITHOUT])
def test_a_schema_that_refers_to_itself_ends(material: Material) -> None:
    tree: dict[str, Any] = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["text", "children", "next"],
            }
        },
        "$ref": "#/$defs/node",
    }
    assert Draft202012Validator(tree).is_valid(fill(tree, material))
    assert len(json.dumps(fill(tree, material))) < 200_000
