from __future__ import annotations

import copy
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from runware_provider.engine.api.replies import decode, encode_item
from runware_provider.engine.outcome.answer import read_arguments, read_json
from runware_provider.engine.schema.answer_schema import output_schema
from runware_provider.engine.schema.written_numbers import WrittenFloat, read_float

LONG = "0.123456789012345678"


class Rate(BaseModel):
    rate: Decimal
    total: Annotated[Decimal, Field(max_digits=30, decimal_places=2)] | None = None
    rates: list[Decimal] = []
    share: float = 0.0


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    rate: Decimal


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_short_number_is_a_plain_double_and_a_long_one_keeps_its_digits(number: float) -> None:
    read = read_float(repr(number))
    assert read == number
    if isinstance(read, WrittenFloat):
        assert (read.text, copy.deepcopy(read).text) == (repr(number), repr(number))
    else:
        assert len(repr(number)) <= 15


@pytest.mark.parametrize("model", [Rate, Strict])
def test_a_decimal_that_comes_as_a_long_number_loses_no_digit(model: type[BaseModel]) -> None:
    answer = read_json(f'{{"rate": {LONG}}}')
    assert output_schema(model).fit(answer.value).value["rate"] == Decimal(LONG)


def test_long_numbers_are_kept_at_any_depth_and_beside_doubles() -> None:
    text = f'{{"rate": 0.1, "total": 12345678901234567.89, "rates": [1, {LONG}], "share": {LONG}}}'
    schema = output_schema(Rate)
    fit = schema.fit(read_json(text).value)
    assert fit.value == {
        "rate": Decimal("0.1"),
        "total": Decimal("12345678901234567.89"),
        "rates": [1, Decimal(LONG)],
        "share": float(LONG),
    }
    assert fit.mends == ()
    assert pa.array([fit.value], schema.arrow_type)[0].as_py() == fit.value


def test_more_digits_than_a_decimal_may_have_are_a_problem_and_not_rounded() -> None:
    problems = (
        output_schema(Rate).fit(read_json('{"rate": 1, "total": 1.10000000000000000001}').value).problems
    )
    assert [one.path for one in problems] == ["$.total"]


def test_what_the_api_gives_as_an_object_is_kept_as_it_was_written() -> None:
    item = decode(b'{"tools": [{"name": "f", "input": {"rate": %s}}], "cost": 0.001}' % LONG.encode())
    assert LONG.encode() in encode_item(item)
    kept = decode(encode_item(item))
    value = read_arguments(kept["tools"][0]["input"]).value
    assert output_schema(Rate).fit(value).value["rate"] == Decimal(LONG)


def test_a_strange_reply_is_read_with_its_digits_too() -> None:
    item = decode(b'{"rate": %s, "odd": NaN}' % LONG.encode())
    assert item["rate"].text == LONG


def test_a_schema_that_wants_a_number_gets_a_double() -> None:
    number: dict[str, Any] = {"type": "number", "format": "decimal"}
    schema = output_schema({"type": "object", "properties": {"x": number}})
    assert schema.fit(read_json(f'{{"x": {LONG}}}').value).value == {"x": float(LONG)}
