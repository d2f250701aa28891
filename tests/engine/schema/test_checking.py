from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.checking import checked_by_schema
from runware_provider.engine.schema.written_numbers import read_float

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema

LONG = read_float("0.12345678901234567890")
AMOUNT = {"type": "number", "multipleOf": 0.01}
TREE = {"type": "object", "properties": {"x": {"$ref": "#"}, "n": {"type": "integer"}}}


def of(schema: Any) -> OutputSchema:
    return output_schema({"type": "object", "properties": {"x": schema}})


@pytest.mark.parametrize("value", [19.99, 4.35, 1234.56, 0.07, 1.1, 5, 0, -0.03, 1e300, 10**300])
def test_an_amount_is_a_multiple_of_a_cent_as_its_digits_say(value: float) -> None:
    assert of(AMOUNT).fit({"x": value}).problems == []


@pytest.mark.parametrize(("value", "step"), [(19.995, 0.01), (1, 0.3), (7, 2), (0.1, 1)])
def test_what_is_between_two_steps_is_no_multiple(value: float, step: float) -> None:
    (problem,) = of({"type": "number", "multipleOf": step}).fit({"x": value}).problems
    assert str(problem) == f"$.x: {value} is not a multiple of {step}"


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "number"}, LONG, True),
        ({"type": "number", "maximum": 0.1}, LONG, False),
        ({"type": "number", "not": {"type": "number"}}, LONG, False),
        ({"type": "number", "enum": [0.1, 0.12345678901234568]}, LONG, True),
        ({"type": "array", "items": {"type": "number"}, "uniqueItems": True}, [LONG, float(LONG)], False),
        ({"type": "integer", "maximum": 9007199254740992}, 9007199254740993, False),
        ({"type": "number", "const": 1}, 1.0, True),
        ({"type": "boolean", "enum": [1, True]}, True, True),
        ({"type": "integer", "enum": [1, 2]}, True, False),
        ({"type": "number"}, math.nan, False),
        ({"type": "number"}, -math.inf, False),
        ({"type": "string", "maxLength": 1}, "\U0001f600", True),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1, 1.0], False),
    ],
    ids=str,
)
def test_numbers_and_texts_are_what_they_are_in_json(schema: Any, value: Any, fits: bool) -> None:  # noqa: FBT001 - of a table
    assert (of(schema).fit({"x": value}).problems == []) is fits


def test_an_answer_that_is_nested_without_end_is_a_problem() -> None:
    made = output_schema(TREE, untyped="json")
    for levels in (201, 1_000, 200_000):
        value: Any = {}
        for _ in range(levels):
            value = {"x": value}
        (problem,) = made.fit(value).problems
        assert str(problem) == "$: it is nested deeper than 200 levels"
    value = {"n": "no"}
    for _ in range(199):
        value = {"x": value}
    assert [problem.message for problem in made.fit(value).problems] == ["'no' is not of type 'integer'"]


def test_half_a_surrogate_pair_is_told_at_its_place() -> None:
    made = of({"type": "array", "items": {"type": "string"}})
    (problem,) = made.fit({"x": ["a", "\ud800"]}).problems
    assert problem.path == "$.x[1]"


def test_checking_takes_time_that_grows_with_the_answer() -> None:
    """Generous: what grows with the square takes minutes over these."""
    item = {"type": "object", "properties": {"n": {"type": "number"}}}
    unique = of({"type": "array", "items": item, "uniqueItems": True})
    told = of({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]})
    began = time.process_time()
    assert unique.fit({"x": [{"n": number} for number in range(20_000)]}).problems == []
    assert len(unique.fit({"x": [{"n": number % 19_999} for number in range(20_000)]}).problems) == 1
    assert len(told.fit({"x": ["a"] * 20_000}).problems) == 20
    assert time.process_time() - began < 10


def test_of_a_large_answer_the_first_problem_is_told() -> None:
    made = of({"type": "array", "items": {"type": "integer"}})
    assert len(made.fit({"x": ["a"] * 9_000}).problems) == 20
    (problem,) = made.fit({"x": [*range(10_000), "a", "b"]}).problems
    assert str(problem) == "$.x[10000]: 'a' is not of type 'integer'"


def test_a_part_sees_what_the_draft_lets_it_see() -> None:
    """What is merged for the model is checked as it was written."""
    closed = {"properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    whole = {"type": "object", "allOf": [closed], "properties": {"a": {"minimum": 3}}}
    made = output_schema({"type": "object", "properties": {"x": whole}})
    assert made.fit({"x": {"a": 3}}).problems == []
    assert len(made.fit({"x": {"a": 2}}).problems) == 1
    assert {problem.path for problem in made.fit({"x": {"b": 3}}).problems} == {"$.x"}


def test_the_parts_of_a_choice_are_found_behind_references() -> None:
    kinds = {
        name: {
            "type": "object",
            "properties": {"kind": {"const": name}, "v": {"type": "integer"}},
            "required": ["kind", "v"],
        }
        for name in ("card", "wire")
    }
    schema = {
        "type": "object",
        "properties": {"x": {"oneOf": [{"$ref": "#/$defs/card"}, {"$ref": "#/$defs/wire"}]}},
        "$defs": kinds,
    }
    made = output_schema(schema)
    assert [str(one) for one in made.fit({"x": {"kind": "wire", "v": "a"}}).problems] == [
        "$.x.v: 'a' is not of type 'integer'"
    ]
    assert "is not one of ['card', 'wire']" in str(made.fit({"x": {"kind": "cash", "v": 1}}).problems[0])


def test_a_definition_that_requires_itself_without_end_is_refused() -> None:
    loop = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "dependentSchemas": {"a": {"$ref": "#/$defs/A"}},
    }
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/A"}}, "$defs": {"A": loop}}
    with pytest.raises(BadInput, match="nothing but itself"):
        output_schema(schema, untyped="json")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 1.0, -2.5])
    | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
COUNTS = st.integers(0, 3)


def schemas_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several, by_name = (
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    )
    names = st.lists(st.sampled_from("abc"), max_size=2, unique=True)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS | st.lists(KINDS, min_size=1, max_size=3, unique=True),
            "properties": by_name,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
            "additionalProperties": inner,
            "unevaluatedProperties": inner,
            "propertyNames": inner,
            "dependentSchemas": by_name,
            "dependentRequired": st.dictionaries(st.sampled_from("abc"), names, max_size=2),
            "required": names,
            "items": inner,
            "prefixItems": several,
            "unevaluatedItems": inner,
            "contains": inner,
            "minContains": COUNTS,
            "uniqueItems": st.booleans(),
            "minItems": COUNTS,
            "maxProperties": COUNTS,
            "minLength": COUNTS,
            "minimum": st.integers(-3, 3),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "allOf": several,
            "anyOf": several,
            "oneOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        },
    )


SCHEMAS = st.recursive(st.booleans() | schemas_of(st.booleans()), schemas_of, max_leaves=4)


@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=4))
def test_the_verdict_on_any_value_is_that_of_another_implementation(schema: Any, values: list[Any]) -> None:
    whole = {"properties": {"x": schema}}
    check, other = checked_by_schema(whole), Draft202012Validator(whole)
    for value in values:
        problems = check({"x": value}).problems
        assert (problems == []) is other.is_valid({"x": value}), (schema, value)
        assert all(0 < len(problem.message) <= 500 for problem in problems)
