"""The least that fits a schema, and what is known of an answer inside of it."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runware_provider.testing.filling import fill

JUDGE = Draft202012Validator.FORMAT_CHECKER


def numbers(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    whole = st.integers(-1_000, 1_000)
    bounds = st.fixed_dictionaries({"minimum": whole, "exclusiveMaximum": whole}).map(
        lambda made: {"minimum": min(made.values()), "exclusiveMaximum": max(made.values()) + 5}
    )
    one_sided = st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]).flatmap(
        lambda name: st.fixed_dictionaries({name: whole})
    )
    stepped = st.fixed_dictionaries({"multipleOf": st.integers(1, 5), "minimum": whole})
    return st.one_of(st.just({}), bounds, one_sided, stepped).map(lambda rules: {"type": kind, **rules})


TEXTS = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"minLength": st.integers(0, 40)}),
    st.fixed_dictionaries(
        {"format": st.sampled_from(["date", "date-time", "time", "email", "ipv4", "uuid"])}
    ),
    st.fixed_dictionaries(
        {"pattern": st.sampled_from([r"^\d{4}$", "^[A-Z]+$", r"^\d{4}-\d\d-\d\d$", "[a-z]"])}
    ),
).map(lambda rules: {"type": "string", **rules})
LEAVES = st.one_of(
    TEXTS,
    numbers("number"),
    numbers("integer"),
    st.just({"type": "boolean"}),
    st.just({"const": 5}),
    st.lists(st.sampled_from(["a", 1, None, "b"]), min_size=1, unique=True).map(
        lambda values: {"enum": values}
    ),
)


def objects(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(st.sampled_from("abcd"), children, min_size=1)
    return st.builds(
        lambda properties, wanted, closed: {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name in wanted],
            "minProperties": len(properties) if "d" in wanted else 0,
            **({"additionalProperties": False} if closed else {}),
        },
        properties,
        st.sets(st.sampled_from("abcd")),
        st.booleans(),
    )


def arrays(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least}, children, st.integers(0, 3)
    )


SCHEMAS = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        objects(children),
        arrays(children),
        children.map(lambda child: {"anyOf": [child, {"type": "null"}]}),
        st.lists(children, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        children.map(lambda child: {"$defs": {"Child": child}, "allOf": [{"$ref": "#/$defs/Child"}]}),
    ),
    max_leaves=12,
)


def moved_up(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with its definitions at the root, as references need them."""
    if isinstance(schema, list):
        return [moved_up(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$defs" in schema:
        name = f"Child{len(definitions)}"
        definitions[name] = None
        definitions[name] = moved_up(schema["$defs"]["Child"], definitions)
        return {"allOf": [{"$ref": f"#/$defs/{name}"}]}
    return {name: moved_up(part, definitions) for name, part in schema.items()}


@given(SCHEMAS)
def test_the_least_of_any_simple_schema_fits_it_and_is_the_same_each_time(schema: Any) -> None:
    definitions: dict[str, Any] = {}
    rooted = {**moved_up(schema, definitions), "$defs": definitions}
    least = fill(rooted)
    Draft202012Validator(rooted, format_checker=JUDGE).validate(least)
    assert json.dumps(fill(json.loads(json.dumps(rooted)))) == json.dumps(least)


def test_what_is_not_known_is_null_or_left_out_where_that_is_allowed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "kind": {"enum": ["invoice", "order"]},
            "paid": {"type": "boolean", "default": True},
            "note": {"type": "string"},
        },
        "required": ["due", "kind", "paid"],
    }
    assert fill(schema) == {"due": None, "kind": "invoice", "paid": True}


def test_a_schema_that_needs_itself_is_filled_to_a_bound_and_one_that_may_end_ends() -> None:
    def tree(**more: Any) -> dict[str, Any]:
        children = {name: {"$ref": "#/$defs/Tree"} for name in "abcdefgh"}
        return {"$defs": {"Tree": {"type": "object", "properties": children, **more}}, "$ref": "#/$defs/Tree"}

    assert len(json.dumps(fill(tree(required=["a", "b"])))) < 100
    assert fill(tree()) == {}
    assert set(fill(tree(required=["a"]), {"a": {"b": {}}})["a"]) == {"a", "b"}


def test_what_cannot_be_judged_is_filled_all_the_same() -> None:
    for schema in (
        True,
        {"type": "string", "pattern": "("},
        {"$ref": "#/$defs/lost"},
        {"$ref": "http://x.invalid/y"},
    ):
        json.dumps(fill({"type": "object", "properties": {"a": schema}, "required": ["a"]}))


def test_a_known_value_comes_in_the_type_that_is_asked_for() -> None:
    day, moment = dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001 - as Parquet gives it
    known = [
        (day, {"type": "string", "format": "date"}, "2026-01-02"),
        (moment, {"type": "string", "format": "date"}, "2026-01-02"),
        (moment, {"type": "string", "format": "date-time"}, "2026-01-02T03:04:00Z"),
        (Decimal("12.50"), {"type": "number"}, 12.5),
        (Decimal("12.00"), {"type": ["integer", "null"]}, 12),
        (Decimal("12.50"), {"anyOf": [{"type": "number"}, {"type": "string"}]}, 12.5),
        (Decimal("12.50"), {"type": "string"}, "12.50"),
        (3.0, {"type": "integer"}, 3),
        (float("inf"), {"type": "number"}, float("inf")),
        (7, {"type": "string"}, "7"),
        (True, {"anyOf": [{"type": "number"}, {"type": "boolean"}]}, True),
        ([day], {"type": "array", "items": {"type": "string"}}, ["2026-01-02"]),
        ({"a": 1}, {"type": "object", "additionalProperties": {"type": "string"}}, {"a": "1"}),
        ("EURO", {"enum": ["EUR", "USD"]}, "EURO"),
    ]
    for value, schema, said in known:
        assert fill(schema, value) == said, schema


def test_a_known_object_takes_the_alternative_that_it_fits_and_loses_what_no_schema_has() -> None:
    def of(kind: str, name: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"kind": {"const": kind}, name: {"type": "number"}},
            "required": ["kind", name],
            "additionalProperties": False,
        }

    schema = {"oneOf": [of("order", "lines"), of("invoice", "total")]}
    assert fill(schema, {"kind": "invoice", "total": Decimal("1.5"), "id": 7}) == {
        "kind": "invoice",
        "total": 1.5,
    }


def test_alternatives_that_are_the_schema_itself_come_to_an_end() -> None:
    itself = {"$ref": "#"}
    text = {"type": "string"}
    for schema, known in (
        ({"anyOf": [itself, text]}, "known"),
        ({"oneOf": [itself, itself]}, {"a": 1}),
        ({"type": "object", "required": ["a"], "anyOf": [itself, itself, itself]}, {"a": [1.5]}),
        (
            {
                "$defs": {"x": {"title": "x", "anyOf": [itself, text]}},
                "anyOf": [{"$ref": "#/$defs/x"}, itself],
            },
            "known",
        ),
    ):
        assert fill(schema, known) == known
        fill(schema)
