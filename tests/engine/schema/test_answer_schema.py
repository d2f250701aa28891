from __future__ import annotations

import datetime as dt
import enum
import io
import json
import math
import pathlib
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    RootModel,
    computed_field,
    field_serializer,
    field_validator,
    model_validator,
)

from runware_provider.engine.errors import BadInput
from runware_provider.engine.schema.answer_schema import output_schema, tool_schema
from runware_provider.engine.schema.problems import Problem
from runware_provider.engine.spec import Tool

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema
    from runware_provider.engine.schema.tool_answers import ToolSchema


def of(**properties: Any) -> OutputSchema:
    return output_schema({"type": "object", "properties": properties})


def refusal(output_type: Any) -> str:
    with pytest.raises(BadInput) as caught:
        output_schema(output_type)
    return str(caught.value)


def refusal_of(**properties: Any) -> str:
    return refusal({"type": "object", "properties": properties})


def round_trip(schema: OutputSchema | ToolSchema, values: list[Any]) -> list[Any]:
    """The values after they were stored and read."""
    table = pa.table({"result": pa.array(values, schema.arrow_type)})
    file = io.BytesIO()
    pq.write_table(table, file)
    read = pq.read_table(file)
    assert read.schema.field("result").type == schema.arrow_type
    assert read.equals(table)
    return read.column("result").to_pylist()


def stored(schema: OutputSchema, value: Any) -> Any:
    fit = schema.fit(value)
    assert fit.problems == []
    return round_trip(schema, [fit.value])[0]


def problems(schema: OutputSchema, value: Any) -> dict[str, str]:
    return {problem.path: problem.message for problem in schema.fit(value).problems}


# ---------------------------------------------------------------- JSON Schema


@pytest.mark.parametrize(
    ("schema", "arrow", "value", "kept"),
    [
        ({"type": "string"}, pa.string(), "é", "é"),
        ({"type": "integer"}, pa.int64(), -(2**63), -(2**63)),
        ({"type": "integer"}, pa.int64(), 3.0, 3),
        ({"type": "number"}, pa.float64(), 3, 3.0),
        ({"type": ["integer", "number"]}, pa.float64(), 2.5, 2.5),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, pa.float64(), 2, 2.0),
        ({"type": "boolean"}, pa.bool_(), True, True),
        ({"type": ["string", "null"]}, pa.string(), None, None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, pa.int64(), None, None),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, pa.int64(), 7, 7),
        ({"anyOf": [{"const": "a"}, {"type": "string", "minLength": 3}]}, pa.string(), "abc", "abc"),
        ({"allOf": [{"type": "string"}], "description": "x"}, pa.string(), "a", "a"),
        ({"enum": ["a", "b", None]}, pa.string(), "b", "b"),
        ({"enum": [1, 2]}, pa.int64(), 2, 2),
        ({"enum": [1, 2.5]}, pa.float64(), 1, 1.0),
        ({"const": "x"}, pa.string(), "x", "x"),
        ({"const": 1}, pa.int64(), 1.0, 1),
        ({"type": "string", "format": "date"}, pa.date32(), "2026-01-31", dt.date(2026, 1, 31)),
        (
            {"type": "string", "format": "date-time"},
            pa.timestamp("us", "UTC"),
            "2026-01-31t12:00:00.1234567+02:00",
            dt.datetime(2026, 1, 31, 10, 0, 0, 123456, tzinfo=dt.UTC),
        ),
        ({"type": "string", "format": "time"}, pa.time64("us"), "12:30:00.5", dt.time(12, 30, 0, 500_000)),
        ({"type": "string", "format": "time"}, pa.time64("us"), "12:30:00Z", dt.time(12, 30)),
        (
            {"type": "string", "format": "decimal"},
            pa.decimal128(38, 18),
            "12.50",
            Decimal("12.500000000000000000"),
        ),
        (
            {"type": "string", "format": "uuid"},
            pa.string(),
            "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
            "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
        ),
        ({"type": "string", "format": "uri"}, pa.string(), "no uri", "no uri"),
        ({"type": "array", "items": {"type": "integer"}}, pa.list_(pa.int64()), [1, 2], [1, 2]),
        (
            {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "maxItems": 2},
            pa.list_(pa.float64()),
            [1, 2],
            [1.0, 2.0],
        ),
        (
            {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}},
            pa.struct({"b": pa.string(), "a": pa.int64()}),
            {"a": 1, "more": 2},
            {"b": None, "a": 1},
        ),
    ],
)
def test_a_schema_has_one_arrow_type_and_its_values_are_stored(
    schema: dict[str, Any], arrow: pa.DataType, value: Any, kept: Any
) -> None:
    made = of(x=schema)
    assert made.arrow_type.field("x").type == arrow
    assert stored(made, {"x": value}) == {"x": kept}


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"type": "string"}, 3, "not of type 'string'"),
        ({"type": "string"}, "\ud800", "surrogate"),
        ({"type": "integer"}, 2**63, "beyond 64 bits"),
        ({"type": "integer"}, 1e300, "beyond 64 bits"),
        ({"type": "integer"}, True, "not of type 'integer'"),
        ({"type": "number"}, math.nan, "not finite"),
        ({"type": "number"}, 10**400, "beyond the range"),
        ({"type": "number", "multipleOf": 0.01}, math.inf, "not finite"),
        ({"type": "string", "format": "date"}, "20260131", "write it like 2026-01-31"),
        ({"type": "string", "format": "date"}, "2026-02-30", "write it like 2026-01-31"),
        ({"type": "string", "format": "date"}, "\uff12\uff10\uff12\uff16-01-31", "write it like 2026-01-31"),
        ({"type": "string", "format": "date-time"}, "0001-01-01T00:00:00+10:00", "with an offset"),
        ({"type": "string", "format": "time"}, "12:00:00+02:00", "without an offset"),
        ({"type": "string", "format": "time"}, "25:00:00", "without an offset"),
        ({"type": "string", "format": "decimal"}, "twelve", "write it like 12.50"),
        ({"type": "string", "format": "decimal"}, "1e30", "more than 20 digits before the point"),
        ({"type": "string", "format": "decimal"}, "1e-19", "more than 18 digits behind the point"),
        ({"type": "string", "format": "uuid"}, "f81d4fae", "not a 'uuid'"),
        ({"type": "string", "format": "email"}, "nobody", "not a 'email'"),
        ({"enum": ["a", "b"]}, "c", "not one of ['a', 'b']"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "three", "not of type 'integer'"),
        ({"properties": {"y": {"type": "string"}}}, "text", "no object"),
    ],
)
def test_a_value_that_does_not_fit_is_a_problem_at_its_place(
    schema: dict[str, Any], value: Any, words: str
) -> None:
    found = problems(of(x=schema), {"x": value})
    assert list(found) == ["$.x"] or list(found) == ["$"]
    assert all(words in message for message in found.values())


TWO_TEXTS = {"type": "object", "properties": {"y": {"type": "string"}, "z": {"type": "string"}}}
TEXT_OR_CARD = [
    {"type": "object", "properties": {"kind": {"type": "string"}, "iban": {"type": "string"}}},
    {"type": "object", "properties": {"kind": {"const": "card"}}},
]


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "string", "pattern": "^[A-Z]{2}"}, "DE1", "de1"),
        ({"type": "string", "minLength": 2, "maxLength": 3}, "ab", "abcd"),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 5}, 4, 5),
        ({"type": "number", "multipleOf": 0.5}, 1.5, 1.7),
        ({"const": "EUR"}, "EUR", "USD"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}, [1], []),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1, 2], [1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 9}}, [1, 9], [1]),
        ({"type": "integer", "not": {"const": 0}}, 1, 0),
        ({"type": "integer", "oneOf": [{"minimum": 5}, {"maximum": 7}]}, 4, 6),
        ({"type": "integer", "if": {"minimum": 5}, "then": {"multipleOf": 5}}, 10, 11),
        ({"oneOf": TEXT_OR_CARD}, {"kind": "bank", "iban": "DE1"}, {"kind": "card"}),
        ({**TWO_TEXTS, "additionalProperties": False}, {"y": "a"}, {"y": "a", "a": 1}),
        ({**TWO_TEXTS, "required": ["y"]}, {"y": "a"}, {}),
        (
            {**TWO_TEXTS, "dependentRequired": {"y": ["z"]}},
            {},
            {"y": "a"},
        ),
        ({"$ref": "#/$defs/code"}, "A1", "1A"),
        ({"type": "array", "items": {"$ref": "#/$defs/code"}}, ["A1"], ["A1", "1A"]),
    ],
    ids=str,
)
def test_what_json_schema_says_is_checked_here_whoever_else_checks_it(
    schema: dict[str, Any], fits: Any, does_not: Any
) -> None:
    code = {"type": "string", "pattern": "^[A-Z][0-9]$"}
    whole = {"type": "object", "properties": {"x": schema}, "$defs": {"code": code}}
    made = output_schema(whole)
    assert made.fit({"x": fits}).problems == []
    assert made.fit({"x": does_not}).problems[0].path.startswith("$.x")
    assert made.wire()["properties"]["x"] == json.loads(
        json.dumps(schema).replace('{"$ref": "#/$defs/code"}', json.dumps(code))
    )


def test_a_number_that_python_will_not_print_is_a_problem() -> None:
    for kind in ("integer", "number", "string"):
        assert problems(of(x={"type": kind}), {"x": 10**5000})


def test_problems_are_found_at_any_depth_and_all_at_once() -> None:
    line = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    schema = of(lines={"type": "array", "items": line}, **{"odd key": {"type": "integer"}})
    found = problems(schema, {"lines": [{"amount": 1}, {}, {"amount": "x"}], "odd key": "y"})
    assert set(found) == {"$.lines[1]", "$.lines[2].amount", '$["odd key"]'}
    found = problems(schema, {"lines": [{"amount": 10**400}], "odd key": 2**70})
    assert set(found) == {"$.lines[0].amount", '$["odd key"]'}


def test_the_problem_of_a_nullable_object_names_what_is_wrong_in_it() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    assert problems(of(x={"anyOf": [inner, {"type": "null"}]}), {"x": {"a": "b"}}) == {
        "$.x.a": "'b' is not of type 'integer'"
    }


def test_a_message_quotes_little_of_the_value() -> None:
    schema = of(x={"type": "integer"}, y={"type": "object", "properties": {"z": {"type": "string"}}})
    huge = "secret " * 10_000
    for value in ({"x": huge}, {"y": huge}, {"x": [huge]}, {huge: 1, "x": huge}):
        assert all(len(problem.message) <= 200 for problem in schema.fit(value).problems)
    closed = output_schema({**schema.json_schema, "additionalProperties": False})
    assert all(len(problem.message) <= 200 for problem in closed.fit({huge: 1}).problems)


def test_the_number_of_problems_is_bounded() -> None:
    schema = of(x={"type": "array", "items": {"type": "integer"}})
    assert len(schema.fit({"x": ["a"] * 1000}).problems) == 20
    assert len(schema.fit({"x": [2**70] * 1000}).problems) == 20


def test_unknown_keys_are_dropped_unless_the_schema_forbids_them() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert stored(output_schema(schema), {"a": "x", "b": 1}) == {"a": "x"}
    forbidding = output_schema({**schema, "additionalProperties": False})
    assert "'b' was unexpected" in problems(forbidding, {"a": "x", "b": 1})["$"]


def test_a_missing_value_gets_its_default_and_a_null_stays_null() -> None:
    day = {"type": ["string", "null"], "format": "date", "default": "2026-01-31"}
    nested = {"type": "object", "properties": {"day": day}, "default": {}}
    schema = of(nested=nested, tags={"type": "array", "items": {"type": "string"}, "default": []})
    assert stored(schema, {}) == {"nested": {"day": dt.date(2026, 1, 31)}, "tags": []}
    assert stored(schema, {"nested": {"day": None}}) == {"nested": {"day": None}, "tags": []}


def test_references_are_inlined_for_the_wire_and_the_order_is_kept() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Order",
        "type": "object",
        "properties": {
            "zip": {"type": "string"},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "best": {"$ref": "#/$defs/Line", "description": "the best one"},
            "$ref": {"type": "string", "default": "#/$defs/Line"},
        },
        "$defs": {"Line": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}},
    }
    line = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    made = output_schema(schema)
    assert made.wire() == {
        "title": "Order",
        "type": "object",
        "properties": {
            "zip": {"type": "string"},
            "lines": {"type": "array", "items": line},
            "best": {**line, "description": "the best one"},
            "$ref": {"type": "string", "default": "#/$defs/Line"},
        },
    }
    assert list(made.wire()["properties"]) == ["zip", "lines", "best", "$ref"]
    assert made.json_schema == schema
    assert made.title == "Order"
    assert made.arrow_type.field("best").metadata == {b"description": b"the best one"}
    made.wire()["properties"].clear()
    assert made.wire()["properties"]


def test_the_title_fits_the_rule_for_a_tools_name() -> None:
    assert output_schema({"title": "Page[Ümläut] x", "properties": {"a": {"type": "string"}}}).title == (
        "Page_ml_ut_x"
    )
    assert output_schema({"title": "…", "properties": {"a": {"type": "string"}}}).title == "answer"


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ({}, "$.x", "no type"),
        (True, "$.x", "no type"),
        ({"type": "object"}, "$.x", "no properties"),
        ({"type": "object", "properties": {}, "additionalProperties": False}, "$.x", "no properties"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": {"type": "string"},
            },
            "$.x",
            "`key` and `value`",
        ),
        ({"type": "object", "patternProperties": {"^a": {"type": "string"}}}, "$.x", "`key` and `value`"),
        ({"type": "object", "properties": {"": {"type": "string"}}}, "$.x", "empty name"),
        ({"type": "object", "properties": {n: {"type": "string"} for n in "aA"}}, "$.x", "case only"),
        (
            {"anyOf": [{"type": "object", "properties": {n: {"type": "string"}}} for n in "aA"]},
            "$.x",
            "case only",
        ),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}, "$.x", "'b'"),
        ({"type": ["string", "integer"]}, "$.x", "integer or string"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "$.x", "string or int64"),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "$.x", '"format": "decimal"'),
        ({"anyOf": [{"type": "string"}, {"type": "string", "format": "date"}]}, "$.x", "Settle for one"),
        ({"enum": ["a"], "anyOf": [{"type": "string"}]}, "$.x", "one place"),
        ({"type": "null"}, "$.x", "only be null"),
        ({"enum": [None]}, "$.x", "only be null"),
        ({"enum": [1, "a"]}, "$.x", "integer or string"),
        ({"enum": [{"a": 1}]}, "$.x", "object or array"),
        ({"type": "array"}, "$.x[]", "Give it a `type`"),
        ({"type": "array", "items": False}, "$.x", "always empty"),
        ({"type": "array", "items": {"type": "null"}}, "$.x[]", "only be null"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "$.x[]", "Give it a `type`"),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "maxItems": 2},
            "$.x[]",
            "string or int64",
        ),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "$.x", "one schema"),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}}], "additionalProperties": False},
            "$.x",
            "splits",
        ),
        ({"type": "string", "nullable": True}, "$.x", '["string", "null"]'),
        ({"type": "integer", "default": "x"}, "$.x", "default"),
        ({"type": "integer", "default": 2**70}, "$.x", "default"),
        ({"type": "string", "format": "date", "default": "soon"}, "$.x", "default"),
        ({"type": "string", "pattern": "("}, "$.x", "`pattern` '(' is no regular expression"),
        ({"type": "text"}, "$.properties.x.type", "Mend"),
        ({"$ref": "#"}, "$.x", "recursion"),
        ({"$ref": "#/properties/x"}, "$.x", "recursion"),
        ({"$ref": "#/$defs/none"}, "$.x", "leads nowhere"),
        ({"$ref": "https://example.org/x.json"}, "$.x", "leads out"),
        ({"$dynamicRef": "#a"}, "$.x", "not supported"),
        ({"$id": "https://example.org/x", "type": "string"}, "$.x", "`$id`"),
        ({"type": "array", "items": {"type": "object", "properties": {"y z": {}}}}, '$.x[]["y z"]', "type"),
    ],
)
def test_what_cannot_become_arrow_is_refused_with_place_and_remedy(
    schema: Any, place: str, words: str
) -> None:
    message = refusal_of(x=schema)
    assert message.startswith(f"output_type: at {place}: ")
    assert words in message


def test_a_remedy_is_one_that_works() -> None:
    with pytest.raises(BadInput) as caught:
        output_schema(RootModel[dict[str, int]])
    assert "untyped" not in str(caught.value)
    assert "wrap it: an object with one property" in str(caught.value)
    number_or_text = {"anyOf": [{"type": "number"}, {"type": "string"}]}
    tool = Tool.model_validate(
        {"name": "save", "schema": {"type": "object", "properties": {"x": number_or_text}}}
    )
    with pytest.raises(BadInput) as caught:
        tool_schema([tool])
    assert '"format": "decimal"' in str(caught.value)
    assert "model" not in str(caught.value)
    assert "or give the pydantic model" in refusal_of(x=number_or_text)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {"type": ["object", "null"], "properties": {"a": {"type": "string"}}},
        {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "null"}]},
    ],
)
def test_a_root_that_is_no_object_is_refused(schema: dict[str, Any]) -> None:
    assert "the root is no object" in refusal(schema)


def test_a_root_whose_only_type_is_in_a_list_is_an_object() -> None:
    made = output_schema({"type": ["object"], "properties": {"a": {"type": "string"}}})
    assert made.wire()["type"] == "object"
    assert made.fit({"a": "x"}).value == {"a": "x"}


@pytest.mark.parametrize("root", [{}, {"type": "object"}])
def test_null_in_the_place_of_an_object_is_a_problem_whatever_the_schema_says(root: dict[str, Any]) -> None:
    assert set(problems(output_schema({**root, "properties": {"a": {"type": "string"}}}), None)) == {"$"}


@pytest.mark.parametrize("schema", [{"a": {1, 2}}, {"const": math.nan}, {"title": "\ud800"}])
def test_a_schema_that_is_not_json_is_refused(schema: dict[str, Any]) -> None:
    assert "not plain JSON" in refusal(schema)


def test_a_schema_that_grows_with_each_reference_is_refused() -> None:
    twice = {
        f"d{n}": {"type": "object", "properties": {one: {"$ref": f"#/$defs/d{n - 1}"} for one in "ab"}}
        for n in range(1, 30)
    }
    schema = {"$ref": "#/$defs/d29", "$defs": {"d0": {"type": "string"}, **twice}}
    assert "too large" in refusal(schema)


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        schema = {"type": "object", "properties": {"x": schema}}
    assert "nested deeper" in refusal(schema)


def test_branches_that_only_restrict_are_checked_and_shape_nothing() -> None:
    schema = output_schema(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        }
    )
    assert stored(schema, {"b": "x"}) == {"a": None, "b": "x"}
    assert problems(schema, {})


def test_what_pydantic_writes_for_a_decimal_is_a_decimal() -> None:
    digits = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"
    union = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": digits}, {"type": "null"}]}
    schema = of(x=union)
    assert schema.arrow_type.field("x").type == pa.decimal128(38, 18)
    assert stored(schema, {"x": 0.1}) == {"x": Decimal("0.1")}
    assert stored(schema, {"x": "12.50"}) == {"x": Decimal("12.5")}
    assert stored(schema, {"x": None}) == {"x": None}
    assert problems(schema, {"x": 1e-30})


# ---------------------------------------------------------------- pydantic


class Currency(enum.Enum):
    EUR = "EUR"
    CHF = "CHF"


class Line(BaseModel):
    name: str = Field(alias="lineName", description="as printed")
    amount: Decimal
    exact: Decimal | None = Field(None, max_digits=10, decimal_places=2)


class Invoice(BaseModel):
    number: Annotated[str, AfterValidator(str.upper)]
    issued: dt.date
    seen: dt.datetime
    local: NaiveDatetime | None = None
    at: dt.time = dt.time(1, 2)
    lines: list[Line] = []
    corner: tuple[float, float] = (1.0, 2.0)
    kind: Literal["a", "b"] = "a"
    currency: Currency | None = None
    id: uuid.UUID | None = None
    count: Annotated[int, Field(ge=0, le=10)] = 0
    large: int = 0

    @computed_field
    def size(self) -> int:
        return len(self.lines)

    @field_validator("kind", mode="before")
    @classmethod
    def _kind_in_any_case(cls, kind: object) -> object:
        return kind.lower() if isinstance(kind, str) else kind

    @model_validator(mode="after")
    def _number_is_not_forbidden(self) -> Invoice:
        if self.number == "NO":
            raise ValueError("the number is forbidden: " + "x" * 1000)
        if self.number == "BUG":
            raise KeyError(self.number)
        return self


INVOICE = output_schema(Invoice)
VALUE = {"number": "r7", "issued": "2026-01-31", "seen": "2026-01-31T12:00:00+01:00"}


def test_a_models_values_are_stored_as_its_validators_left_them() -> None:
    line = {"lineName": "Bolt", "amount": 1.5, "exact": "12.50", "more": 1}
    kept = stored(INVOICE, {**VALUE, "lines": [line], "kind": "B", "currency": "CHF", "count": "3"})
    assert kept == {
        "number": "R7",
        "issued": dt.date(2026, 1, 31),
        "seen": dt.datetime(2026, 1, 31, 11, tzinfo=dt.UTC),
        "local": None,
        "at": dt.time(1, 2),
        "lines": [{"name": "Bolt", "amount": Decimal("1.5"), "exact": Decimal("12.50")}],
        "corner": [1.0, 2.0],
        "kind": "b",
        "currency": "CHF",
        "id": None,
        "count": 3,
        "large": 0,
        "size": 1,
    }


def test_a_models_arrow_type_uses_what_the_model_says() -> None:
    line = INVOICE.arrow_type.field("lines").type.value_type
    assert line.field("amount").type == pa.decimal128(38, 18)
    assert line.field("exact").type == pa.decimal128(10, 2)
    assert line.field("name").metadata == {b"description": b"as printed"}
    assert INVOICE.arrow_type.field("seen").type == pa.timestamp("us", "UTC")
    assert INVOICE.arrow_type.field("local").type == pa.timestamp("us")
    assert INVOICE.title == "Invoice"


def test_a_model_is_sent_with_its_aliases_and_without_made_up_titles() -> None:
    properties = INVOICE.wire()["properties"]
    assert list(properties["lines"]["items"]["properties"]) == ["lineName", "amount", "exact"]
    assert properties["issued"] == {"type": "string", "format": "date"}
    assert "size" not in properties
    assert "$ref" not in json.dumps(INVOICE.wire())


def test_a_model_that_dumps_by_alias_is_stored_by_alias() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(serialize_by_alias=True)
        name: str = Field(alias="fullName")

    assert stored(output_schema(Aliased), {"fullName": "x"}) == {"fullName": "x"}


def test_a_name_that_a_model_does_not_read_by_is_an_unknown_key() -> None:
    class ByAlias(BaseModel):
        vendor: str
        issued: dt.date | None = Field(default=None, alias="invoice_date")

    class ByName(ByAlias):
        model_config = ConfigDict(populate_by_name=True)

    answer = {"vendor": "Acme", "issued": "2026-01-31"}
    ignored, read = output_schema(ByAlias).fit(answer), output_schema(ByName).fit(answer)
    assert (ignored.value["issued"], ignored.mends) == (None, ("unknown_keys",))
    assert (read.value["issued"], read.mends) == (dt.date(2026, 1, 31), ())


def test_a_models_complaints_are_problems_at_their_place() -> None:
    value = {**VALUE, "issued": "2026-13-01", "lines": [{"amount": "x"}], "kind": "c"}
    assert set(problems(INVOICE, value)) == {"$.issued", "$.lines[0].lineName", "$.lines[0].amount", "$.kind"}
    assert set(problems(INVOICE, [1])) == {"$"}


def test_a_models_complaints_are_about_the_alternative_that_its_literal_names() -> None:
    class Transfer(BaseModel):
        kind: Literal["transfer"]
        iban: str

    class Card(BaseModel):
        kind: Literal["card"]
        digits: int

    class Paid(BaseModel):
        by: Transfer | Card
        way: Literal["in", "out"] = "in"
        city: str | None = Field(
            default=None, validation_alias=AliasChoices("city", AliasPath("place", "city"))
        )
        all: list[Transfer | Card] = []

    paid = output_schema(Paid)
    card = {"kind": "card", "digits": "x"}
    assert [problem.path for problem in paid.fit({"by": card, "all": [card]}).problems] == [
        "$.by.digits",
        "$.all[0].digits",
    ]
    assert set(problems(paid, {"by": card, "way": "up", "place": {"city": 1}})) >= {"$.by.digits", "$.way"}
    told = [str(problem) for problem in paid.fit({"by": {"kind": "cash"}}).problems]
    assert "transfer" in told[0]
    assert any("card" in one for one in told)


def test_a_users_validator_speaks_in_problems() -> None:
    found = problems(INVOICE, {**VALUE, "number": "no"})
    assert found["$"].startswith("the number is forbidden: xxx")
    assert len(found["$"]) <= 200
    assert problems(INVOICE, {**VALUE, "number": "bug"}) == {"$": "the value could not be checked: KeyError"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"large": 2**63}, "beyond 64 bits"),
        ({"number": "\ud800"}, "surrogate"),
        ({"number": math.nan}, "NaN"),
        ({"lines": [{"lineName": "x", "amount": "1e-19"}]}, "behind the point"),
        ({"lines": [{"lineName": "x", "amount": "1e20"}]}, "before the point"),
        ({"at": "12:00:00+02:00"}, "without an offset"),
        ({"seen": "0001-01-01T00:00:00+10:00"}, "date-time"),
    ],
)
def test_what_the_model_takes_and_arrow_does_not_is_a_problem(value: dict[str, Any], words: str) -> None:
    assert any(words in message for message in problems(INVOICE, {**VALUE, **value}).values())


def test_a_time_without_an_offset_is_utc_unless_the_model_forbids_it() -> None:
    class Strict(BaseModel):
        seen: AwareDatetime

    naive = {"seen": "2026-01-31T12:00:00"}
    assert stored(INVOICE, VALUE | naive)["seen"] == dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    assert "$.seen" in problems(output_schema(Strict), naive)


def test_a_strict_model_reads_dates_as_json_writes_them() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        day: dt.date
        price: Decimal

    schema = output_schema(Strict)
    assert stored(schema, {"day": "2026-01-31", "price": "1.5"}) == {
        "day": dt.date(2026, 1, 31),
        "price": Decimal("1.5"),
    }


def test_a_validator_that_changes_the_type_makes_a_problem_and_no_warning() -> None:
    class Changing(BaseModel):
        text: Annotated[str, AfterValidator(len)]

    assert problems(output_schema(Changing), {"text": "abc"}) == {"$.text": "3 is no string"}


def test_a_model_that_dumps_times_as_seconds_is_stored_as_seconds() -> None:
    class Seconds(BaseModel):
        model_config = ConfigDict(ser_json_timedelta="float")
        took: dt.timedelta

    assert stored(output_schema(Seconds), {"took": "PT90S"}) == {"took": 90.0}


def test_pydantics_own_serializers_need_no_annotation() -> None:
    class Files(BaseModel):
        folder: pathlib.PurePosixPath
        sizes: Sequence[int]

    schema = output_schema(Files)
    assert stored(schema, {"folder": "/a", "sizes": [1]}) == {"folder": "/a", "sizes": [1]}


def test_alternatives_of_the_same_shape_are_one_type() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]
        name: str

    class Dog(BaseModel):
        kind: Literal["dog"]
        name: str

    class Owner(BaseModel):
        pet: Cat | Dog = Field(discriminator="kind")

    schema = output_schema(Owner)
    assert "discriminator" not in schema.wire()["properties"]["pet"]
    assert stored(schema, {"pet": {"kind": "dog", "name": "Rex"}}) == {"pet": {"kind": "dog", "name": "Rex"}}


class Tree(BaseModel):
    children: list[Tree]


class Open(BaseModel):
    prices: dict[str, Any]


class Untyped(BaseModel):
    anything: Any


class Mixed(BaseModel):
    pair: tuple[str, int]


class Wide(BaseModel):
    amount: Decimal = Field(max_digits=50, decimal_places=2)


class Texts(RootModel[list[str]]):
    pass


class Bare(BaseModel):
    pass


class Silent(BaseModel):
    day: dt.date

    @field_serializer("day")
    def _day(self, day: dt.date):
        return day.year


class Called(BaseModel):
    call: Callable[[], int]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Tree, "recursion"),
        (Open, "at $.prices: the object has no properties"),
        (Untyped, "at $.anything: it has no type"),
        (Mixed, "at $.pair[]: it may be string or int64"),
        (Wide, "at $.amount: the decimal has more than 38 digits"),
        (Texts, "the root is no object"),
        (Bare, "no properties"),
        (
            Silent,
            "at $.day: it has no type, so it has no Arrow type. Annotate it, and what serializers return",
        ),
        (Called, "Called has no JSON Schema"),
        (int, "int is no pydantic model"),
    ],
)
def test_a_model_that_cannot_become_arrow_is_refused(model: Any, words: str) -> None:
    assert words in refusal(model)


# ---------------------------------------------------------------- tools

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BARE = {"type": "object", "properties": {}}


def test_tool_calls_are_stored_with_the_arguments_of_the_tool_that_was_called() -> None:
    schema = tool_schema(
        [Tool(name="weather", schema=CITY), Tool(name="stop", schema=BARE), Tool(type="search")]
    )
    calls = [("weather", {"city": "Bern"}), ("stop", {})]
    assert schema.fit(calls).problems == []
    assert round_trip(schema, [schema.fit(calls).value, []]) == [
        [
            {"name": "weather", "arguments": {"weather": {"city": "Bern"}}},
            {"name": "stop", "arguments": None},
        ],
        [],
    ]


def test_tools_that_all_take_nothing_are_stored_by_name() -> None:
    schema = tool_schema([Tool(name="stop", schema=BARE)])
    assert round_trip(schema, [schema.fit([("stop", {})]).value]) == [[{"name": "stop"}]]


def test_tool_calls_that_do_not_fit_are_problems_at_their_place() -> None:
    schema = tool_schema([Tool(name="weather", schema=CITY), Tool(name="stop", schema=BARE)])
    assert schema.fit([("wether", {}), ("weather", {"city": 3}), ("stop", None)]).problems == [
        Problem("$[0].name", "'wether' is no tool; there are: weather, stop"),
        Problem("$[1].arguments.city", "3 is not of type 'string'"),
        Problem("$[2].arguments", "None is not of type 'object'"),
    ]


def test_a_tools_schema_is_refused_under_the_tools_name() -> None:
    with pytest.raises(BadInput, match=r"tools\.weather: at \$\.city"):
        tool_schema([Tool(name="weather", schema={"type": "object", "properties": {"city": {}}})])
    with pytest.raises(BadInput, match=r"tools\.stop: at \$: the object has no properties"):
        tool_schema([Tool(name="stop", schema={"type": "object"})])
    with pytest.raises(BadInput, match="none of them is a function"):
        tool_schema([Tool(type="search")])


# ---------------------------------------------------------------- any schema, any value

TEXT = st.text(max_size=8)
ROUGH_TEXT = st.text(alphabet=st.characters(), max_size=8)
NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
ROUGH = (
    st.none() | st.booleans() | st.integers() | st.floats() | ROUGH_TEXT | st.lists(st.integers(), max_size=2)
)

Pair = tuple[dict[str, Any], st.SearchStrategy[Any], st.SearchStrategy[Any]]
"""A schema, values that fit it, and values that look as if they did."""


def formatted(form: str, fits: st.SearchStrategy[str], pattern: str) -> st.SearchStrategy[Pair]:
    return st.just(({"type": "string", "format": form}, fits, st.from_regex(pattern) | fits | ROUGH))


DAYS = st.dates().map(str)
MOMENTS = st.datetimes(
    min_value=dt.datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=dt.datetime(9998, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.timezones(),
).map(lambda moment: moment.replace(second=0, microsecond=7).astimezone(dt.UTC).isoformat())
LEAVES: st.SearchStrategy[Pair] = st.one_of(
    st.just(({"type": "string"}, TEXT.filter(lambda text: text.isprintable()), ROUGH)),
    st.just(({"type": "integer"}, st.integers(-(2**63), 2**63 - 1), st.integers() | st.floats() | ROUGH)),
    st.just(
        ({"type": "number"}, st.floats(allow_nan=False, allow_infinity=False), st.floats() | st.integers())
    ),
    st.just(({"type": "boolean"}, st.booleans(), ROUGH)),
    formatted("date", DAYS, r"\A\d{4}-\d{2}-\d{2}\Z"),
    formatted(
        "date-time", MOMENTS, r"\A\d{4}-0\d-[0-3]\d[Tt ][0-2]\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z"
    ),
    formatted("time", st.times().map(str), r"\A[0-2]\d:\d\d:\d\d(\.\d{1,9})?Z?\Z"),
    formatted("uuid", st.uuids().map(str), r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"),
    formatted(
        "decimal",
        st.decimals(-(10**9), 10**9, places=6).map(str),
        r"\A[+-]?[0-9]{0,25}\.?[0-9]{0,25}(e-?\d{1,4})?\Z",
    ),
    st.lists(TEXT.filter(lambda text: text.isprintable()), min_size=1, max_size=3, unique=True).map(
        lambda words: ({"enum": words}, st.sampled_from(words), ROUGH)
    ),
)


def optional(pair: Pair) -> Pair:
    schema, fits, rough = pair
    return {"anyOf": [schema, {"type": "null"}]}, fits | st.none(), rough | st.none()


def array(pair: Pair) -> Pair:
    schema, fits, rough = pair
    return (
        {"type": "array", "items": schema},
        st.lists(fits, max_size=3),
        st.lists(rough, max_size=3) | rough | ROUGH,
    )


def struct(pairs: dict[str, tuple[Pair, bool]], *, closed: bool) -> Pair:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: pair[0] for name, (pair, _) in pairs.items()},
        "required": [name for name, (_, required) in pairs.items() if required],
    }
    if closed:
        schema["additionalProperties"] = False
    must = {name: pair[1] for name, (pair, required) in pairs.items() if required}
    may = {name: pair[1] for name, (pair, required) in pairs.items() if not required}
    rough = {name: pair[2] for name, (pair, _) in pairs.items()}
    return schema, st.fixed_dictionaries(must, optional=may), st.fixed_dictionaries({}, optional=rough)


def structs(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    members = st.lists(
        st.tuples(NAMES, st.tuples(inner, st.booleans())),
        min_size=1,
        max_size=3,
        unique_by=lambda member: member[0].lower(),
    )
    return st.builds(lambda pairs, closed: struct(dict(pairs), closed=closed), members, st.booleans())


PAIRS = structs(
    st.recursive(LEAVES, lambda inner: inner.map(optional) | inner.map(array) | structs(inner), max_leaves=6)
)
unhurried = settings(suppress_health_check=list(HealthCheck))


@unhurried
@given(PAIRS, st.data())
def test_a_value_that_fits_is_stored_and_read_back(pair: Pair, data: st.DataObject) -> None:
    schema = output_schema(pair[0])
    values = [json.loads(json.dumps(data.draw(pair[1]))) for _ in range(2)]
    assert [schema.fit(value).problems for value in values] == [[], []]
    converted = [schema.fit(value).value for value in values]
    assert round_trip(schema, converted) == pa.array(converted, schema.arrow_type).to_pylist()


@unhurried
@given(PAIRS, st.data())
def test_whatever_passes_the_check_can_be_stored(pair: Pair, data: st.DataObject) -> None:
    schema = output_schema(pair[0])
    value = data.draw(pair[2])
    fit = schema.fit(value)
    if fit.problems:
        assert fit.value is None
        assert all(len(problem.message) <= 500 for problem in fit.problems)
    else:
        round_trip(schema, [fit.value])


ROUGH_INVOICE = st.fixed_dictionaries(
    {"number": ROUGH_TEXT, "issued": DAYS, "seen": MOMENTS | st.datetimes().map(str) | st.integers()},
    optional={
        "local": st.datetimes().map(str) | MOMENTS,
        "at": st.times().map(str) | st.from_regex(r"\A[0-2]\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?\Z"),
        "lines": st.lists(
            st.fixed_dictionaries(
                {"lineName": TEXT, "amount": st.decimals().map(str) | st.floats() | st.integers()},
                optional={"exact": st.decimals(-(10**9), 10**9).map(str) | st.none()},
            ),
            max_size=2,
        ),
        "corner": st.lists(st.floats(), min_size=2, max_size=2),
        "kind": st.sampled_from(["a", "B", "c"]),
        "currency": st.sampled_from(["EUR", "CHF", None]),
        "id": st.uuids().map(str),
        "large": st.integers() | st.floats(),
    },
)


@unhurried
@given(ROUGH_INVOICE)
def test_whatever_passes_a_model_can_be_stored(value: dict[str, Any]) -> None:
    fit = INVOICE.fit(value)
    if not fit.problems:
        round_trip(INVOICE, [fit.value])


KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "enum", "const", "anyOf", "allOf", "$ref", "format", "default", "pattern"]
)
ROUGH_SCHEMAS = st.recursive(
    st.sampled_from(
        ["string", "object", "array", "date", "#/properties/a", "a", None, True, False, 3, [], {}]
    ),
    lambda inner: (
        st.dictionaries(KEYWORDS | st.sampled_from("ab"), inner, max_size=4) | st.lists(inner, max_size=2)
    ),
    max_leaves=12,
)


@unhurried
@given(st.dictionaries(st.sampled_from("ab"), ROUGH_SCHEMAS, min_size=1))
def test_any_schema_is_read_or_refused(properties: dict[str, Any]) -> None:
    try:
        schema = output_schema({"type": "object", "properties": properties})
    except BadInput:
        return
    for value in ({}, {"a": "text"}, {"a": ["x", 1]}, {"a": {"b": None}}, {"b": 3}, {"a": None}):
        fit = schema.fit(value)
        if not fit.problems:
            round_trip(schema, [fit.value])
