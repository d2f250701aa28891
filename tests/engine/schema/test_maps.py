from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, Field

from runware_provider.engine.errors import BadInput
from runware_provider.engine.outcome.answer import read_json
from runware_provider.engine.schema.answer_schema import output_schema

if TYPE_CHECKING:
    from runware_provider.engine.schema.object_answers import OutputSchema

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
PRICES = {"type": "object", "additionalProperties": NUMBER}


class Line(BaseModel):
    amount: Annotated[Decimal, Field(max_digits=20, decimal_places=2)]


class Invoice(BaseModel):
    prices: dict[str, float]
    lines: dict[str, Line] = {}
    tags: dict[Annotated[str, Field(pattern="^t")], list[int | None]] | None = None


def of(schema: Any, **more: Any) -> OutputSchema:
    return output_schema({"type": "object", "properties": {"x": schema}, **more})


def read_back(made: OutputSchema, value: Any) -> Any:
    fit = made.fit(value)
    assert fit.problems == []
    file = io.BytesIO()
    pq.write_table(pa.table({"result": pa.array([fit.value], made.arrow_type)}), file)
    table = pq.read_table(file)
    assert table.schema.field("result").type == made.arrow_type
    return table.column("result").to_pylist()[0]


@pytest.mark.parametrize(
    ("schema", "arrow", "value", "kept"),
    [
        (PRICES, pa.map_(pa.string(), pa.float64()), {"b": 1, "a": 2.5}, [("b", 1.0), ("a", 2.5)]),
        (PRICES, pa.map_(pa.string(), pa.float64()), {}, []),
        (
            {"anyOf": [PRICES, {"type": "null"}]},
            pa.map_(pa.string(), pa.float64()),
            None,
            None,
        ),
        (
            {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
            pa.map_(pa.string(), pa.string()),
            {"é b": None},
            [("é b", None)],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "array", "items": PRICES}},
            pa.map_(pa.string(), pa.list_(pa.map_(pa.string(), pa.float64()))),
            {"a": [{"b": 1}]},
            [("a", [[("b", 1.0)]])],
        ),
        (
            {"type": "object", "patternProperties": {"^a": TEXT}, "additionalProperties": False},
            pa.map_(pa.string(), pa.string()),
            {"ab": "c"},
            [("ab", "c")],
        ),
        (
            {"anyOf": [PRICES, {"type": "object", "additionalProperties": {"type": "integer"}}]},
            pa.map_(pa.string(), pa.float64()),
            {"a": 1},
            [("a", 1.0)],
        ),
    ],
    ids=str,
)
def test_an_object_whose_values_alone_are_described_is_a_map(
    schema: Any, arrow: pa.DataType, value: Any, kept: Any
) -> None:
    made = of(schema)
    assert made.arrow_type.field("x").type == arrow
    assert read_back(made, {"x": value}) == {"x": kept}


def test_a_models_dict_is_a_map_and_its_decimals_keep_their_digits() -> None:
    made = output_schema(Invoice)
    answer = read_json(
        '{"prices": {"a": 1}, "lines": {"l": {"amount": 123456789012345678.91}}, "tags": {"t": [1, null]}}'
    )
    assert read_back(made, answer.value) == {
        "prices": [("a", 1.0)],
        "lines": [("l", {"amount": Decimal("123456789012345678.91")})],
        "tags": [("t", [1, None])],
    }
    assert made.arrow_type.field("lines").type.item_type.field("amount").type == pa.decimal128(20, 2)


def test_the_values_of_a_map_are_checked_at_their_place() -> None:
    assert [str(problem) for problem in of(PRICES).fit({"x": {"a": 1, "b c": "y"}}).problems] == [
        "$.x[\"b c\"]: 'y' is not of type 'number'"
    ]
    assert [problem.path for problem in of(PRICES).fit({"x": {"a": 10**400}}).problems] == ["$.x.a"]
    assert of(PRICES).fit({"x": {"\ud800": 1}}).problems


def test_texts_in_a_map_are_read_as_numbers_when_asked() -> None:
    made = output_schema({"type": "object", "properties": {"x": PRICES}}, lenient_numbers=True)
    assert made.fit({"x": {"a": "1,234.5"}}).value == {"x": [("a", 1234.5)]}


def test_duckdb_and_polars_read_a_map(tmp_path: Any) -> None:
    made = of(PRICES)
    rows = [made.fit({"x": value}).value for value in ({"a": 1, "b": 2}, {})]
    pq.write_table(pa.table({"result": pa.array([*rows, None], made.arrow_type)}), tmp_path / "maps.parquet")
    file = str(tmp_path / "maps.parquet")
    read = duckdb.read_parquet(file).project("result.x['b']")
    assert read.fetchall() == [(2.0,), (None,), (None,)]
    assert pl.read_parquet(file).height == 3


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({**PRICES, "properties": {"a": NUMBER}}, "`additionalProperties` with a schema is an open map"),
        (
            {"type": "object", "patternProperties": {"^a": TEXT}},
            "`patternProperties` leaves other names open",
        ),
        ({"type": "object", "additionalProperties": {}}, "the object has no properties"),
        ({"type": "object", "additionalProperties": {"type": "null"}}, "at $.x.*: it can only be null"),
        ({"type": "object", "additionalProperties": {"description": "any"}}, "at $.x.*: it has no type"),
        ({"anyOf": [PRICES, {"type": "object", "properties": {"a": TEXT}}]}, "which has no one Arrow type"),
        ({"anyOf": [PRICES, {"type": "array", "items": NUMBER}]}, "which has no one Arrow type"),
    ],
    ids=str,
)
def test_what_is_more_than_a_map_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        of(schema)
    assert words in str(refused.value)


def test_with_json_asked_for_a_map_stays_json_text() -> None:
    made = output_schema({"type": "object", "properties": {"x": PRICES}}, untyped="json")
    assert made.fit({"x": {"b": 1, "a": 2}}).value == {"x": '{"a":2,"b":1}'}
