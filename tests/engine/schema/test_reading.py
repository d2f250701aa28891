from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema, tool_schema
from runware_provider.engine.spec import Tool

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema

TEXT_MADE_OF_JSON = {b"contentMediaType": b"application/json"}


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Page(BaseModel):
    root: Node
    prices: dict[str, float] = {}
    anything: Any = None
    mixed: int | str | None = None


def of(**properties: Any) -> OutputSchema:
    return output_schema({"type": "object", "properties": properties}, untyped="json")


def kept(schema: OutputSchema, value: Any) -> Any:
    fit = schema.fit(value)
    assert fit.problems == []
    file = io.BytesIO()
    pq.write_table(pa.table({"result": pa.array([fit.value], schema.arrow_type)}), file)
    return pq.read_table(file).column("result").to_pylist()[0]


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (
            {"additionalProperties": {"type": "number"}, "type": "object"},
            {"b": 1, "a": 2.5},
            '{"a":2.5,"b":1}',
        ),
        ({"type": "object", "patternProperties": {"^a": {"type": "string"}}}, {"ab": "é"}, '{"ab":"é"}'),
        ({"type": "object"}, {"z": [None, {}]}, '{"z":[null,{}]}'),
        ({}, "text", '"text"'),
        (True, 10**30, str(10**30)),
        ({"description": "whatever"}, False, "false"),
        ({"type": ["string", "integer"]}, 3, "3"),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "null"}]}, True, "true"),
        ({"enum": [1, "a", {"b": 2}]}, {"b": 2}, '{"b":2}'),
        ({"type": "array", "items": {"type": "string"}, "prefixItems": [{"type": "integer"}]}, None, None),
    ],
)
def test_what_has_no_one_type_is_stored_as_canonical_json_when_asked(
    schema: Any, value: Any, text: str | None
) -> None:
    if value is None:
        schema = {"anyOf": [{}, {"type": "null"}]}
    made = of(x=schema)
    assert made.arrow_type.field("x").type == pa.string()
    assert TEXT_MADE_OF_JSON.items() <= made.arrow_type.field("x").metadata.items()
    assert kept(made, {"x": value}) == {"x": text}
    assert kept(made, {}) == {"x": None}


def test_the_local_check_of_an_open_map_stays_the_full_one() -> None:
    made = of(x={"type": "object", "additionalProperties": {"type": "number"}})
    (problem,) = made.fit({"x": {"a": "b"}}).problems
    assert problem.path == "$.x.a"


def test_items_of_no_one_type_are_texts_of_their_own() -> None:
    made = of(x={"type": "array"})
    assert made.arrow_type.field("x").type == pa.list_(pa.string())
    assert made.arrow_type.field("x").type.value_field.metadata == TEXT_MADE_OF_JSON
    assert kept(made, {"x": [1, "a", None]}) == {"x": ["1", '"a"', None]}


def test_recursion_is_typed_on_its_first_level_and_json_below() -> None:
    made = output_schema(Page, untyped="json")
    node = pa.struct({"name": pa.string(), "children": pa.list_(pa.string())})
    assert made.arrow_type == pa.struct(
        {"root": node, "prices": pa.string(), "anything": pa.string(), "mixed": pa.string()}
    )
    tree = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]}
    stored = kept(made, {"root": tree, "prices": {"b": 1, "a": 2}, "anything": [1], "mixed": "3"})
    below = {"name": "b", "children": [{"name": "c", "children": []}]}
    assert [json.loads(one) for one in stored["root"]["children"]] == [below]
    assert (stored["prices"], stored["anything"], stored["mixed"]) == ('{"a":2.0,"b":1.0}', "[1]", '"3"')


def test_the_wire_keeps_only_the_references_that_lead_to_themselves() -> None:
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Node"}, "plain": {"$ref": "#/$defs/Plain"}},
        "$defs": {
            "Plain": {"type": "string"},
            "Node": {
                "type": "object",
                "properties": {
                    "name": {"$ref": "#/$defs/Plain"},
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                },
            },
        },
    }
    wire = output_schema(schema, untyped="json").wire()
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        },
    }
    assert wire["$defs"] == {"Node": node}
    assert wire["properties"] == {"tree": node, "plain": {"type": "string"}}


@pytest.mark.parametrize("reference", ["#", "#/properties/x", "#/$defs/a b"])
def test_recursion_by_any_reference_is_checked_to_any_depth(reference: str) -> None:
    inner = {"type": "object", "properties": {"x": {"$ref": reference}, "n": {"type": "integer"}}}
    schema = {**inner, "$defs": {"a b": inner}}
    if reference == "#/properties/x":
        schema["properties"] = {"x": inner}
    made = output_schema(schema, untyped="json")
    assert made.fit({"x": {"x": {"x": {"n": 1}}}}).problems == []
    assert made.fit({"x": {"x": {"x": {"n": "1"}}}}).problems


@pytest.mark.parametrize(
    "definition",
    [
        {"$ref": "#/$defs/A"},
        {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "string"}]},
        {"allOf": [{"$ref": "#/$defs/A"}]},
        {"not": {"$ref": "#/$defs/A"}},
    ],
)
def test_a_definition_that_is_nothing_but_itself_is_refused(definition: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/A"}}, "$defs": {"A": definition}}
    with pytest.raises(BadInput, match="nothing but itself"):
        output_schema(schema, untyped="json")


def test_by_default_what_has_no_one_type_is_refused_and_the_remedy_names_the_wish() -> None:
    for model in (Page, Node):
        with pytest.raises(BadInput) as refused:
            output_schema(model)
        assert "untyped='json'" in refused.value.remedy


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object", "additionalProperties": {"type": "string"}}, "or wrap it: an object with one"),
        ({"type": "object", "properties": {"x": {"type": "null"}}}, "only be null"),
        ({"type": "object", "properties": {"x": False}}, "nothing is allowed"),
        ({"type": "object", "properties": {"x": {"type": "string"}}, "required": ["y"]}, "not described"),
    ],
)
def test_what_holds_nothing_to_store_is_refused_all_the_same(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        output_schema(schema, untyped="json")


def test_a_value_that_json_cannot_write_is_a_problem() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    made = of(x={})
    for value in (math.nan, deep, "\ud800", {"a": [math.inf]}):
        (problem,) = made.fit({"x": value}).problems
        assert problem.path in {"$.x", "$"}


def test_the_arguments_of_tools_are_stored_as_json_when_asked() -> None:
    tool = Tool(name="f", schema={"type": "object", "properties": {"filter": {"type": "object"}}})
    made = tool_schema([tool], untyped="json")
    assert made.fit([("f", {"filter": {"a": 1}})]).value == [
        {"name": "f", "arguments": {"f": {"filter": '{"a":1}'}}}
    ]
    with pytest.raises(BadInput, match="untyped='json'"):
        tool_schema([tool])


def test_descriptions_become_field_metadata_at_any_depth_and_parquet_keeps_them() -> None:
    item = {
        "type": "object",
        "properties": {"a": {"type": "string", "description": "one"}},
        "description": "é",
    }
    made = of(x={"type": "array", "items": item, "description": "all"})
    file = io.BytesIO()
    pq.write_table(pa.table({"result": pa.array([None], made.arrow_type)}), file)
    field = pq.read_schema(file).field("result").type.field("x")
    assert field.metadata[b"description"] == b"all"
    assert field.type.value_field.metadata[b"description"] == "é".encode()
    assert field.type.value_type.field("a").metadata[b"description"] == b"one"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(ANY_JSON)
def test_any_json_is_read_back_from_its_text_and_equal_values_are_equal_texts(value: Any) -> None:
    made = of(x={})
    stored = kept(made, {"x": value})["x"]
    assert stored is None if value is None else json.loads(stored) == value
    again = json.loads(json.dumps(value, sort_keys=True))
    assert kept(made, {"x": again})["x"] == stored
