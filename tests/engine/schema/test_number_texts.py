from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, field_validator

from runware_provider.engine.schema.answer_schema import output_schema, tool_schema
from runware_provider.engine.schema.number_texts import numbers_from_texts
from runware_provider.engine.spec import Tool

NUMBER = {"type": "number"}
DIGITS = {"type": "string", "format": "decimal"}


def read(schema: Any, value: Any) -> Any:
    mend = numbers_from_texts(schema)
    return value if mend is None else mend(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0.5", 0.5),
        ("1234567", 1234567),
        ("1,234", 1234),
        ("1,234.50", 1234.5),
        ("-12,345,678.9", -12345678.9),
        ("1e3", 1000.0),
        ("2.5E-1", 0.25),
    ],
)
def test_a_number_as_english_writes_it_is_read(text: str, number: float) -> None:
    assert read(NUMBER, text) == number
    assert type(read(NUMBER, text)) is type(number)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "twelve", "12 EUR", "$12", "12%", "12,5", "12,50", "1.234,50", "1,2345", "1,23,456", "0,123",
        "007", "1.", ".5", "1 234", "1_000", "0x10", "1e999", "NaN", "Infinity", "--1", "1" * 200,
        "\u0661\u0662", "12\n13",
    ],
)  # fmt: skip
def test_what_could_mean_another_number_stays_a_text(text: str) -> None:
    assert read(NUMBER, text) == text


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "number"]},
        {"type": "string"},
        {"anyOf": [{"type": "string"}, NUMBER]},
        {"enum": ["1", "2"]},
        {"enum": [1, "2"]},
        {"type": "boolean"},
        {"$ref": "#/$defs/A"},
        {},
        True,
    ],
)
def test_a_text_is_left_alone_where_the_schema_takes_texts_or_says_nothing(schema: Any) -> None:
    assert read(schema, "12") == "12"
    assert read({"type": "object", "properties": {"a": schema}}, {"a": "12"}) == {"a": "12"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"type": ["number", "null"]},
        {"anyOf": [NUMBER, {"type": "null"}]},
        {"oneOf": [{"type": "integer"}, NUMBER]},
        {"enum": [12, 13, None]},
        {"const": 12},
    ],
)
def test_a_text_is_read_where_the_schema_wants_a_number_in_any_words(schema: Any) -> None:
    assert read(schema, "12") == 12


def test_numbers_are_read_at_any_depth_and_in_any_alternative() -> None:
    line = {"type": "object", "properties": {"name": {"type": "string"}, "n": NUMBER}}
    other = {"type": "object", "properties": {"lines": {"type": "array", "items": {"anyOf": [line, NUMBER]}}}}
    schema = {"anyOf": [{"type": "object", "properties": {"total": {"type": "integer"}}}, other]}
    value = {"total": "1,000", "lines": [{"name": "5", "n": "5", "more": "5"}, "6", None], "more": "7"}
    assert read(schema, value) == {
        "total": 1000,
        "lines": [{"name": "5", "n": 5, "more": "5"}, 6, None],
        "more": "7",
    }
    assert value["total"] == "1,000"


def test_a_decimal_stays_a_text_so_that_no_digit_is_lost() -> None:
    assert read(DIGITS, "1,234.10") == "1234.10"
    assert read(DIGITS, "12.50") == "12.50"


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=3)),
    st.sampled_from(
        [NUMBER, {"type": "array", "items": NUMBER}, {"type": "object", "properties": {"a": NUMBER}}]
    ),
)
def test_what_needs_no_mend_is_given_back_as_it_is(value: Any, schema: Any) -> None:
    mended = read(schema, value)
    assert mended is value or mended != value
    assert read(schema, {"b": value}) == {"b": value}


class Total(BaseModel):
    model_config = ConfigDict(strict=True)
    total: float
    count: int | None = None


class Parsing(BaseModel):
    total: float

    @field_validator("total", mode="before")
    @classmethod
    def _with_a_comma(cls, value: object) -> object:
        return value.replace(",", ".") if isinstance(value, str) else value


def test_numbers_as_texts_are_a_problem_unless_the_user_takes_them() -> None:
    schema = {"type": "object", "properties": {"total": NUMBER, "count": {"type": "integer"}}}
    for output_type in (schema, Total):
        value = {"total": "1,234.50", "count": "12"}
        assert output_schema(output_type).fit(value).problems
        fit = output_schema(output_type, lenient_numbers=True).fit(value)
        assert (fit.value, fit.problems) == ({"total": 1234.5, "count": 12}, [])
        assert fit.mends == ("number_from_text",)


def test_a_value_that_fits_is_not_mended() -> None:
    assert output_schema(Total, lenient_numbers=True).fit({"total": 1}).mends == ()


def test_a_models_own_reading_of_a_text_comes_first() -> None:
    fit = output_schema(Parsing, lenient_numbers=True).fit({"total": "1,234"})
    assert (fit.value, fit.mends) == ({"total": 1.234}, ())


def test_what_a_mend_leaves_is_what_the_problems_tell() -> None:
    fit = output_schema(Total, lenient_numbers=True).fit({"total": "12", "count": "12,5"})
    assert [problem.path for problem in fit.problems] == ["$.count"]
    assert fit.value is None


def test_the_arguments_of_tools_are_read_leniently_too() -> None:
    tool = Tool(name="f", schema={"type": "object", "properties": {"n": NUMBER}})
    fit = tool_schema([tool], lenient_numbers=True).fit([("f", {"n": "1"}), ("f", {"n": "2"})])
    assert [one["arguments"]["f"]["n"] for one in fit.value] == [1.0, 2.0]
    assert fit.mends == ("number_from_text",)
    assert tool_schema([tool]).fit([("f", {"n": "1,000"})]).problems
