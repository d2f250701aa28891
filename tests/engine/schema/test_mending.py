from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, Field

from runware_provider.engine.outcome.answer import read_json
from runware_provider.engine.schema.answer_schema import output_schema


class Times(BaseModel):
    at: datetime | None = None
    on: date | None = None
    clock: time | None = None
    took: timedelta | None = None
    total: float | None = None
    count: int | None = None
    year: Annotated[date | None, BeforeValidator(lambda year: date(int(year), 1, 1))] = None


class Whole(BaseModel):
    kind: Literal["whole"]
    v: int


class Part(BaseModel):
    kind: Literal["part"]
    v: float


class Either(BaseModel):
    x: Annotated[Whole | Part, Field(discriminator="kind")]


@pytest.mark.parametrize(
    ("schema", "given", "kept", "mend"),
    [
        ({"type": "array", "items": {"type": "string"}}, '["a"]', ["a"], "json_text"),
        ({"type": "boolean"}, "True", True, "json_text"),
        ({"type": "integer"}, "12", 12, "number_from_text"),
        ({"type": ["number", "null"]}, "", None, "empty_as_null"),
        ({"enum": ["EUR", "USD", None]}, "null", None, "empty_as_null"),
        ({"enum": ["EUR", "USD"]}, "eur", "EUR", "spelling"),
        ({"enum": ["1", "2"]}, 2, "2", "spelling"),
        ({"type": ["string", "null"], "format": "date"}, "None", None, "empty_as_null"),
        ({"type": ["string", "null"]}, "", "", None),
        ({"type": "string"}, "12", "12", None),
        ({"type": "string"}, "[1]", "[1]", None),
    ],
)
def test_a_value_is_mended_where_nothing_has_to_be_guessed(
    schema: Any, given: Any, kept: Any, mend: str | None
) -> None:
    fit = output_schema({"type": "object", "properties": {"x": schema}}).fit({"x": given})
    assert (fit.problems, fit.mends) == ([], (mend,) if mend else ())
    assert fit.value == {"x": kept}


LINE = {
    "type": "object",
    "properties": {"vendor_name": {"type": "string"}, "total": {"type": "number"}},
    "required": ["vendor_name", "total"],
}
SLOPPY = {"vendorName": "Acme", "Total": "12.5", "note": "paid"}
MENDS = {"key_style", "unknown_keys", "number_from_text"}


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        (LINE, SLOPPY),
        (LINE, [SLOPPY]),
        (LINE, json.dumps(SLOPPY)),
        ({"allOf": [{"$ref": "#/$defs/line"}, {"properties": {"total": {"minimum": 1}}}]}, SLOPPY),
        ({"$ref": "#/$defs/line", "description": "One line."}, SLOPPY),
        ({"type": "object", "properties": {"vendor_name": {}}, "anyOf": [LINE]}, SLOPPY),
        ({"type": "array", "prefixItems": [{"$ref": "#/$defs/line"}], "items": False}, [SLOPPY]),
        ({"type": "object", "additionalProperties": LINE}, {"A b": SLOPPY}),
        ({"type": "object", "unevaluatedProperties": LINE}, {"A b": SLOPPY}),
        ({"type": "object", "patternProperties": {"^A": LINE}, "additionalProperties": False}, {"A b": SLOPPY}),
        (
            {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": LINE}},
            {"A": {"A b": json.dumps([SLOPPY])}},
        ),
    ],
)  # fmt: skip
def test_a_value_is_mended_wherever_its_schema_stands(schema: Any, given: Any) -> None:
    made = output_schema({"type": "object", "properties": {"x": schema}, "$defs": {"line": LINE}})
    fit = made.fit({"x": given})
    assert fit.problems == []
    assert set(fit.mends) >= MENDS
    kept = {"vendor_name": "Acme", "total": 12.5}
    assert fit.value["x"] in (kept, [kept], [("A b", kept)], [("A", [("A b", kept)])])


def test_the_list_that_an_older_draft_calls_items_is_mended_too() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"line": LINE},
        "properties": {"x": {"type": "array", "items": [{"$ref": "#/definitions/line"}]}},
    }
    fit = output_schema({**schema, "type": "object"}, untyped="json").fit({"X": [SLOPPY]})
    assert (fit.problems, set(fit.mends)) == ([], MENDS)


@pytest.mark.parametrize(
    "alternatives",
    [
        [LINE, {"type": "object", "additionalProperties": {"type": "boolean"}}],
        [LINE, {"type": "object"}],
        [{**LINE, "additionalProperties": False}, {"type": "object", "additionalProperties": {}}],
    ],
)
def test_where_an_object_may_also_be_a_map_none_of_its_names_is_meant(alternatives: Any) -> None:
    made = output_schema({"type": "object", "properties": {"x": {"anyOf": alternatives}}}, untyped="json")
    fit = made.fit({"x": {"Vendor Name": True, "Total": False}})
    assert (fit.problems, fit.mends) == ([], ())
    assert fit.value == {"x": '{"Total":false,"Vendor Name":true}'}


class Basket(BaseModel):
    lines: dict[str, Times] = {}
    tags: dict[str, set[int]] = {}


def test_a_model_guesses_nothing_in_the_values_of_a_map() -> None:
    made = output_schema(Basket)
    (problem,) = made.fit({"lines": {"a": {"at": "2024"}}}).problems
    assert problem.path == "$.lines.a.at"
    (problem,) = made.fit({"lines": {"a": {"total": True}}}).problems
    assert problem.path == "$.lines.a.total"
    fit = made.fit({"Lines": {"a": {"Count": 1, "at": "null"}}, "tags": {"b": [30, 2, 10]}})
    assert (fit.problems, set(fit.mends)) == ([], {"key_style", "empty_as_null"})
    assert fit.value["tags"] == [("b", [2, 10, 30])]
    assert fit.value["lines"][0][1]["count"] == 1


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        ({"type": "integer"}, "007"),
        ({"type": "integer"}, "1,234"),
        ({"type": "integer"}, "12.5"),
        ({"type": "integer"}, ""),
        ({"type": "boolean"}, "yes"),
        ({"type": "array", "items": {"type": "string"}}, "a, b"),
        ({"type": "array", "items": {"type": "string"}}, '{"a": 1}'),
        ({"enum": ["Eur", "EUR"]}, "eur"),
        ({"type": "string"}, 12),
    ],
)
def test_what_would_have_to_be_guessed_is_a_problem(schema: Any, given: Any) -> None:
    assert output_schema({"type": "object", "properties": {"x": schema}}).fit({"x": given}).problems


@pytest.mark.parametrize("written", ["12", "1.1", "-0.00001", "1.1000000000000000", "123456789012345678"])
def test_a_number_is_the_decimal_that_its_digits_are(written: str) -> None:
    answer: Any = read_json(f'{{"x": {written}}}').value
    for kinds in ("string", ["string", "null"]):
        schema = {"properties": {"x": {"type": kinds, "format": "decimal"}}}
        assert output_schema(schema).fit(answer).value == {"x": Decimal(written)}
        beside = {"properties": {**schema["properties"], "y": {"type": "integer"}}}
        assert output_schema(beside).fit({**answer, "y": "5"}).value == {"x": Decimal(written), "y": 5}
    assert (
        output_schema({"properties": {"x": {"type": "string", "format": "decimal"}}})
        .fit({"x": True})
        .problems
    )


@pytest.mark.parametrize(
    "given",
    [
        *({"at": "2024"}, {"at": 0}, {"at": "2024-01-31"}, {"on": 0}, {"on": "0"}, {"on": True}, {"clock": "1430"}),
        *({"clock": 5}, {"took": 5}, {"total": True}, {"count": False}),
    ],
)  # fmt: skip
def test_a_model_reads_no_number_as_a_time_and_no_boolean_as_a_number(given: dict[str, Any]) -> None:
    (problem,) = output_schema(Times).fit(given).problems
    assert problem.path == f"$.{next(iter(given))}"


def test_a_validator_that_runs_before_reads_what_it_likes() -> None:
    fit = output_schema(Times).fit({"year": "2024", "at": "2024-01-31T10:00:00", "count": "7"})
    assert fit.problems == []
    assert fit.value["year"] == date(2024, 1, 1)


@pytest.mark.parametrize(
    ("text", "kept"),
    [('{"x": 9007199254740993.0}', 9007199254740993), ('{"x": 999999999999e6}', 999999999999 * 10**6)],
)
def test_an_integer_that_is_written_as_a_fraction_keeps_its_digits(text: str, kept: int) -> None:
    class Count(BaseModel):
        x: int

    for wanted in (Count, {"properties": {"x": {"type": "integer"}}}):
        assert output_schema(wanted).fit(read_json(text).value).value == {"x": kept}


def test_digits_are_kept_whoever_checks_them_and_wherever_they_stand() -> None:
    whole = {"type": "integer", "minimum": 2**53 + 1, "multipleOf": 1}
    for schema, value in (
        (whole, "9007199254740993.0"),
        ({"type": "object", "additionalProperties": whole}, '{"a": 9007199254740993.0}'),
        ({"type": "object", "unevaluatedProperties": whole}, '{"a": 9007199254740993.0}'),
        (
            {"type": "object", "patternProperties": {"^a": whole}, "additionalProperties": False},
            '{"a": 9007199254740993.0}',
        ),
        ({"allOf": [{"type": "number"}, whole]}, "9007199254740993.0"),
    ):
        made = output_schema({"type": "object", "properties": {"x": schema}})
        fit = made.fit(read_json(f'{{"x": {value}}}').value)
        assert fit.problems == []
        assert fit.value["x"] in (9007199254740993, [("a", 9007199254740993)])


@pytest.mark.parametrize(
    "schema",
    [{"type": ["integer", "number"]}, {"anyOf": [{"type": "number"}, {"type": ["integer", "null"]}]}],
)
def test_an_integer_that_may_be_a_number_is_never_rounded(schema: Any) -> None:
    made = output_schema({"type": "object", "properties": {"x": schema}})
    for text in ("9007199254740993", "9007199254740993.0"):
        assert made.fit(read_json(f'{{"x": {text}}}').value).problems
    assert made.fit({"x": 0.5}).value == {"x": 0.5}
    assert made.fit({"x": 2**53}).value == {"x": 2.0**53}


def test_an_integer_of_a_union_with_numbers_is_never_rounded() -> None:
    schema = output_schema(Either)
    assert schema.fit({"x": {"kind": "whole", "v": 2**53 + 1}}).problems
    assert schema.fit({"x": {"kind": "whole", "v": 2**53}}).value["x"]["v"] == 2**53
    assert schema.fit({"x": {"kind": "part", "v": 0.5}}).value["x"]["v"] == 0.5


def test_json_text_keeps_the_digits_of_its_numbers_and_equal_numbers_are_equal_texts() -> None:
    schema = output_schema({"properties": {"x": {"type": "object"}}}, untyped="json")
    for text, kept in (
        ('{"b": [12345678901234567.89], "a": 1}', '{"a":1,"b":[12345678901234567.89]}'),
        ('{"a": 1.50000000000000000}', '{"a":1.5}'),
    ):
        assert schema.fit(read_json(f'{{"x": {text}}}').value).value == {"x": kept}


def test_a_set_is_in_the_same_order_in_each_process() -> None:
    program = (
        "from pydantic import BaseModel\n"
        "from runware_provider.engine.schema.answer_schema import output_schema\n"
        "class Answer(BaseModel):\n    tags: set[str]\n    ids: frozenset[int]\n"
        "print(output_schema(Answer).fit({'tags': ['b', 'c', 'a'], 'ids': [10, 9]}).value)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "plugins"},
    )
    assert run.stdout.strip() == "{'tags': ['a', 'b', 'c'], 'ids': [9, 10]}"


def test_what_is_told_of_an_answer_is_what_is_left_once_it_is_mended() -> None:
    schema = {
        "properties": {"k": {"enum": ["x", "y"]}, "v": {"type": "number", "minimum": 10}},
        "if": {"properties": {"k": {"const": "x"}}},
        "then": {"required": ["v"]},
    }
    (missing,) = output_schema(schema).fit({"k": "X"}).problems
    assert "'v' is a required property" in missing.message
    (low,) = output_schema(schema).fit({"k": "y", "v": "5"}).problems
    assert "minimum" in low.message
