"""Two contracts are said not to fit only where nothing fits both, whatever they are made of."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.outputs import schema_validator
from workers.checks.fit import misfit, undeclared

NAMES = st.sampled_from(["a", "b"])
SCALARS = st.sampled_from([None, True, 0, 3, 2.5, "", "xyz"])
VALUES: st.SearchStrategy[Any] = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(NAMES, SCALARS, max_size=2)
TYPES = st.sampled_from(["null", "boolean", "object", "array", "number", "integer", "string"])


def schemas() -> st.SearchStrategy[Any]:
    """Mostly one keyword or two, as people write them, so that there are values that fit two of them."""

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        some = st.lists(inner, min_size=1, max_size=2)
        size = st.integers(0, 3)
        return st.one_of(
            st.fixed_dictionaries({"anyOf": some}),
            st.fixed_dictionaries({"allOf": some}, optional={"type": TYPES}),
            st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"minItems": size}),
            st.fixed_dictionaries(
                {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=2)},
                optional={"required": st.lists(NAMES, max_size=2, unique=True), "additionalProperties": st.booleans()},
            ),
        )

    bounds = {name: st.integers(0, 3) for name in ("minimum", "maximum", "minLength", "maxLength", "maxItems")}
    small = st.one_of(
        st.sampled_from([{}, True, {"$ref": "#/$defs/d"}]),
        st.fixed_dictionaries({"type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True)}),
        st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)}),
        st.fixed_dictionaries({}, optional=bounds),
    )
    return st.recursive(small, larger, max_leaves=4)


def document(schema: Any, definition: Any) -> dict[str, Any]:
    return {"allOf": [schema], "$defs": {"d": definition}}


@given(made=schemas(), wanted=schemas(), definition=TYPES, values=st.lists(VALUES, min_size=20, max_size=20))
@settings(max_examples=400, derandomize=True, deadline=None)
def test_what_fits_both_contracts_is_never_called_impossible(
    made: Any, wanted: Any, definition: str, values: list[Any]
) -> None:
    one, other = document(made, {"type": definition}), document(wanted, {"type": definition})
    both = [
        value for value in values if schema_validator(one).is_valid(value) and schema_validator(other).is_valid(value)
    ]
    if both:
        assert misfit(one, other) == ""


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}


@pytest.mark.parametrize(
    ("made", "wanted", "said"),
    [
        (TEXT, NUMBER, "it is a text, and a number is wanted"),
        ({"type": "integer"}, NUMBER, ""),
        (of(a=TEXT), of(a=NUMBER), "a is a text, and a number is wanted"),
        (of(a=of(b=TEXT)), of(a=of(b=NUMBER)), "a.b is a text"),
        ({**of(a=TEXT), "additionalProperties": False}, of(b=TEXT), "b is required, and is not made"),
        (of(a=TEXT), of(b=TEXT), ""),  # it may be made
        (of(a=TEXT), {**of(), "additionalProperties": False}, "a is made, and must not be there"),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": NUMBER}, ""),  # an empty list is both
        ({"type": "array", "items": TEXT, "minItems": 1}, {"type": "array", "items": NUMBER}, "0 is a text"),
        ({"type": "array", "maxItems": 2}, {"type": "array", "minItems": 3}, "exclude each other"),
        ({"type": "number", "minimum": 5}, {"type": "number", "maximum": 4}, "exclude each other"),
        ({"enum": ["a", "b"]}, {"enum": ["c"]}, "it may be 'a', 'b', which is not what is wanted"),
        ({"enum": ["a", "b"]}, {"enum": ["b"]}, ""),
        ({"const": 3}, {"type": "integer", "minimum": 4}, "it may be 3"),
        ({"anyOf": [TEXT, NUMBER]}, {"type": "number"}, ""),
        ({"anyOf": [TEXT, {"type": "null"}]}, NUMBER, "it is a text"),
        (
            {"type": ["string", "null"]},
            {"anyOf": [NUMBER, {"type": "boolean"}]},
            "null or a text, and a number is wanted",
        ),
        ({"$ref": "#/$defs/d", "$defs": {"d": TEXT}}, NUMBER, "it is a text"),
        ({"$ref": "#"}, NUMBER, ""),
        ({"$ref": "#/$defs/none"}, NUMBER, ""),
    ],
)
def test_what_can_never_fit_is_said_with_its_place(made: dict[str, Any], wanted: dict[str, Any], said: str) -> None:
    why = misfit(made, wanted)
    assert why == "" if not said else said in why


def test_what_a_contract_does_not_speak_of_is_worth_knowing() -> None:
    assert undeclared(of(a=TEXT), of(a=TEXT, b=TEXT)) == ("b",)
    assert undeclared({"type": "object"}, of(b=TEXT)) == ()
