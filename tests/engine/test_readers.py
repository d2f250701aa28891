"""What fits is written, and pyarrow, DuckDB, pandas and Polars read back the very values."""

from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    create_model,
    field_validator,
)
from pydantic.alias_generators import to_camel

from runware_provider.engine.schema.answer_schema import output_schema, tool_schema
from runware_provider.engine.spec import Tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runware_provider.engine.schema.object_answers import OutputSchema
    from runware_provider.engine.schema.tool_answers import ToolSchema

# ---------------------------------------------------------------- the readers


def by_pyarrow(file: Path) -> dict[str, list[Any]]:
    return pq.read_table(file).to_pydict()


def by_duckdb(file: Path) -> dict[str, list[Any]]:
    with duckdb.connect(config={"autoload_known_extensions": "false"}) as session:
        # As Arrow, since DuckDB's own values need one more package where a time has a zone.
        return session.read_parquet(str(file)).to_arrow_table().to_pydict()


def by_pandas(file: Path) -> dict[str, list[Any]]:
    # With NumPy's types, a list of integers with a null in it becomes one of floats.
    frame = pd.read_parquet(file, dtype_backend="pyarrow")
    return {str(name): column.tolist() for name, column in frame.items()}


def test_pandas_default_makes_floats_of_whole_numbers_with_nulls(tmp_path: Path) -> None:
    file = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"n": pa.array([2**53 + 1, None], pa.int64())}), file)
    assert pd.read_parquet(file)["n"].tolist()[0] != 2**53 + 1
    assert by_pandas(file)["n"][0] == 2**53 + 1


def by_polars(file: Path) -> dict[str, list[Any]]:
    return {column.name: column.to_list() for column in pl.read_parquet(file)}


READERS: dict[str, Callable[[Path], dict[str, list[Any]]]] = {
    "pyarrow": by_pyarrow,
    "DuckDB": by_duckdb,
    "pandas": by_pandas,
    "Polars": by_polars,
}


def plain(value: Any) -> Any:
    """A value whose type and digits count, whatever a reader's class for it is."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dt.datetime):
        zoned = value.tzinfo is not None
        return ("instant", zoned, (value.astimezone(dt.UTC) if zoned else value).isoformat())
    if isinstance(value, Decimal):
        return ("decimal", value.as_tuple())
    return (type(value).__name__, repr(value))


def check_readers(file: Path, columns: list[tuple[OutputSchema | ToolSchema, list[Any]]]) -> None:
    rows = max(len(values) for _, values in columns)
    arrays = {
        f"c{number}": pa.array([*values, *([None] * (rows - len(values)))], schema.arrow_type)
        for number, (schema, values) in enumerate(columns)
    }
    table = pa.table(arrays)
    pq.write_table(table, file)
    written = plain(table.to_pydict())
    for name, read in READERS.items():
        assert plain(read(file)) == written, name
    assert pq.read_schema(file).equals(table.schema)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers") / "all.parquet"


# ---------------------------------------------------------------- JSON Schemas and their instances


@dataclass(frozen=True)
class Shape:
    """A schema, values that fit it, and what is to be read where such a value was written."""

    schema: dict[str, Any]
    instances: st.SearchStrategy[Any]
    read: Callable[[Any], Any] = lambda value: value
    default: tuple[Any] | None = None

    def absent(self) -> Any:
        """What is read where the property was left out."""
        return None if self.default is None else self.read(self.default[0])


Member = tuple[str, Shape, bool]
"""A property's name, its value, and whether it is required."""

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
NAMES = st.text(alphabet="abcxyz_ é.-'\"", min_size=1, max_size=4)
MOMENTS = st.datetimes(
    dt.datetime(1, 1, 2),  # noqa: DTZ001 - the zone is drawn
    dt.datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-3, minutes=-30))]),
).map(dt.datetime.isoformat)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.none() | st.integers() | TEXT | st.dictionaries(TEXT, st.lists(FLOATS, max_size=2), max_size=2)
MANY_DIGITS = Context(prec=60)


def in_utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def as_decimal(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal(1).scaleb(-18), context=MANY_DIGITS)


def as_json(value: Any) -> Any:
    return None if value is None else JsonText(value)


class JsonText:
    """A text that says the same in JSON; how it spells it is not looked at."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and json.loads(other) == self._value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"JSON of {self._value!r}"


LEAVES = [
    Shape({"type": "string"}, TEXT),
    Shape({"type": "string", "pattern": "^[a-z]{2}-[0-9]+$", "maxLength": 6}, st.just("ab-12")),
    Shape({"type": "string", "format": "uuid"}, st.uuids().map(str)),
    Shape({"type": "integer"}, st.integers(-(2**63), 2**63 - 1)),
    Shape({"type": "integer", "minimum": 0, "exclusiveMaximum": 10}, st.integers(0, 9)),
    Shape({"type": "number"}, FLOATS),
    Shape({"type": "number"}, st.integers(-(2**53), 2**53), float),
    Shape({"type": "boolean"}, st.booleans()),
    Shape({"type": "string", "format": "date"}, st.dates().map(str), dt.date.fromisoformat),
    Shape({"type": "string", "format": "date-time"}, MOMENTS, in_utc),
    Shape(
        {"type": "string", "format": "time"},
        st.times().map(lambda time: time.isoformat("microseconds")),
        dt.time.fromisoformat,
    ),
    Shape(
        {"type": "string", "format": "decimal"},
        st.decimals(-(10**19), 10**19, places=18).map(lambda number: f"{number:f}"),
        as_decimal,
    ),
    Shape({"enum": ["a", "ü", None]}, st.sampled_from(["a", "ü", None])),
    Shape({"const": 3}, st.just(3)),
    Shape({"$ref": "#/$defs/pair"}, st.lists(FLOATS, min_size=2, max_size=2)),
    Shape(
        {"type": ["integer", "number", "null"]},
        FLOATS | st.integers(-(2**53), 2**53) | st.none(),
        lambda value: None if value is None else float(value),
    ),
    Shape({}, ANYTHING, as_json),
    Shape({"type": ["string", "integer"]}, TEXT | st.integers(), as_json),
    Shape({"enum": [[1], {"a": 1}, "text"]}, st.sampled_from([[1], {"a": 1}, "text"]), as_json),
    Shape(
        {"type": "object", "additionalProperties": {"type": "integer"}},
        st.dictionaries(TEXT, st.integers(), max_size=3),
        as_json,
    ),
    Shape(
        {"$ref": "#/$defs/tree"},
        st.just({"below": [{"below": []}]}),
        lambda tree: {"below": [as_json(one) for one in tree["below"]]},
    ),
]
DEFINED = {
    "pair": {
        "type": "array",
        "prefixItems": [{"type": "number"}, {"type": "number"}],
        "minItems": 2,
        "items": False,
    },
    "tree": {
        "type": "object",
        "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        "required": ["below"],
    },
}
DEFAULTS = [
    Shape({"type": "integer", "default": 7}, st.integers(0, 9), default=(7,)),
    Shape({"type": "string", "default": "né"}, TEXT, default=("né",)),
    Shape(
        {"type": "string", "format": "date", "default": "2026-01-31"},
        st.dates().map(str),
        dt.date.fromisoformat,
        default=("2026-01-31",),
    ),
    Shape({"type": "array", "items": {"type": "number"}, "default": []}, st.just([0.5]), default=([],)),
]


def nullable(shape: Shape) -> Shape:
    return Shape(
        {"anyOf": [shape.schema, {"type": "null"}]},
        shape.instances | st.none(),
        lambda value: None if value is None else shape.read(value),
    )


def array(shape: Shape) -> Shape:
    return Shape(
        {"type": "array", "items": shape.schema},
        st.lists(shape.instances, max_size=3),
        lambda value: [shape.read(one) for one in value],
    )


def described(shape: Shape) -> Shape:
    """Beside `$ref`, too, where a description belongs to the place and not to what is referred to."""
    return replace(shape, schema={**shape.schema, "description": 'What it is: "é"'})


def members(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[list[Member]]:
    left_out = st.tuples(NAMES, st.sampled_from(DEFAULTS), st.just(False))  # noqa: FBT003 - not required
    member = st.tuples(NAMES, inner | inner.map(described), st.booleans())
    return st.lists(member | left_out, min_size=1, max_size=3, unique_by=lambda one: one[0].lower())


def struct(held: list[Member]) -> Shape:
    schema = {
        "type": "object",
        "properties": {name: shape.schema for name, shape, _ in held},
        "required": [name for name, _, required in held if required],
        "additionalProperties": False,
    }
    must = {name: shape.instances for name, shape, required in held if required}
    may = {name: shape.instances for name, shape, required in held if not required}

    def read(value: Any) -> Any:
        return {name: shape.read(value[name]) if name in value else shape.absent() for name, shape, _ in held}

    return Shape(schema, st.fixed_dictionaries(must, optional=may), read)


def union(first: list[Member], second: list[Member]) -> Shape:
    """Two alternatives with a discriminator; what has one name has one type."""
    first, second = ([member for member in one if member[0] != "kind"] for one in (first, second))
    shared = {name.lower(): (name, shape) for name, shape, _ in first}
    second = [(*shared.get(name.lower(), (name, shape)), required) for name, shape, required in second]
    kinds = [
        struct([("kind", Shape({"const": kind}, st.just(kind)), True), *held])
        for kind, held in (("one", first), ("other", second))
    ]
    names = [{name for name, _, _ in held} for held in (first, second)]
    shapes = {name: shape for name, shape, _ in [*first, *second]}

    def absent(name: str, shape: Shape) -> Any:
        return shape.absent() if all(name in held for held in names) else None

    def read(value: Any) -> Any:
        rest = {
            name: shape.read(value[name]) if name in value else absent(name, shape)
            for name, shape in shapes.items()
        }
        return {"kind": value["kind"], **rest}

    return Shape({"oneOf": [kind.schema for kind in kinds]}, kinds[0].instances | kinds[1].instances, read)


def nested(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    return (
        inner.map(nullable)
        | inner.map(array)
        | members(inner).map(struct)
        | st.builds(union, members(inner), members(inner))
    )


SCHEMAS = members(st.recursive(st.sampled_from(LEAVES), nested, max_leaves=6)).map(struct)
# Shrinking would read thousands of files; what fails is small enough.
bounded = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@bounded
@given(st.lists(SCHEMAS, min_size=1, max_size=6), st.data())
def test_any_instance_of_any_schema_is_read_back_equal(
    file: Path, shapes: list[Shape], data: st.DataObject
) -> None:
    columns = []
    for shape in shapes:
        schema = output_schema({**shape.schema, "$defs": DEFINED}, untyped="json")
        values = data.draw(st.lists(shape.instances, min_size=1, max_size=4))
        fits = [schema.fit(json.loads(json.dumps(value))) for value in values]
        assert [fit.problems for fit in fits] == [[]] * len(values)
        rows = pa.array([fit.value for fit in fits], schema.arrow_type).to_pylist()
        assert rows == [shape.read(value) for value in values]
        columns.append((schema, rows))
    check_readers(file, columns)


# ---------------------------------------------------------------- pydantic models and their instances


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Spelled(BaseModel):
    """Which has its own mind about how a value is written."""

    model_config = ConfigDict(alias_generator=to_camel)

    unit_price: float = Field(description="Without tax.")
    paid_at: dt.datetime | None = None

    @field_validator("unit_price")
    @classmethod
    def no_negative(cls, price: float) -> float:
        return abs(price)


TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, TEXT),
    (Annotated[str, Field(max_length=6, pattern="^[^x]*$")], TEXT.map(lambda text: text.replace("x", ""))),
    (int, st.integers(-(2**63), 2**63 - 1)),
    (float, FLOATS),
    (bool, st.booleans()),
    (dt.date, st.dates()),
    (dt.datetime, MOMENTS.map(dt.datetime.fromisoformat)),
    (AwareDatetime, MOMENTS.map(dt.datetime.fromisoformat)),
    (NaiveDatetime, st.datetimes()),
    (dt.time, st.times()),
    (Decimal, st.decimals(-(10**6), 10**6, places=4)),
    (Annotated[Decimal, Field(max_digits=12, decimal_places=2)], st.decimals(-(10**6), 10**6, places=2)),
    (uuid.UUID, st.uuids()),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Literal[1, 2], st.sampled_from([1, 2])),
    (Colour, st.sampled_from(Colour)),
    (tuple[float, float], st.tuples(FLOATS, FLOATS)),
    (Annotated[int, Field(ge=0, le=9)], st.integers(0, 9)),
    (Annotated[list[int], Field(min_length=1, max_length=2)], st.just([1])),
    (Spelled, st.builds(Spelled, unitPrice=FLOATS)),
]
Typed = tuple[Any, st.SearchStrategy[Any]]


def model(fields: list[Typed], kind: str | None = None, *, by_alias: bool = False) -> Typed:
    """Fields by turns plain, with a default, and under an alias with a description."""
    described: dict[str, Any] = {}
    given_values: dict[str, st.SearchStrategy[Any]] = {}
    for number, (annotation, values) in enumerate(fields):
        name = f"f{number}"
        ways = [
            (..., name),
            (Field(default=None), name),
            (Field(alias=f"the {name}", description="Say it."), f"the {name}"),
        ]
        told, given_as = ways[number % 3]
        described[name] = (annotation | None if number % 3 == 1 else annotation, told)
        given_values[given_as] = values
    if kind is not None:
        described["kind"] = (Literal[kind], kind)
    config = ConfigDict(serialize_by_alias=by_alias)
    made: type[BaseModel] = create_model(f"Made{kind or ''}", __config__=config, **described)
    return made, st.fixed_dictionaries(given_values).map(made.model_validate)


def tagged(fields: list[Typed]) -> Typed:
    first, other = model(fields, "one"), model(fields[:1], "other")
    return Annotated[first[0] | other[0], Field(discriminator="kind")], first[1] | other[1]


def nested_types(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    several = st.lists(inner, min_size=1, max_size=3)
    return (
        inner.map(lambda one: (one[0] | None, one[1] | st.none()))
        | inner.map(lambda one: (list[one[0]], st.lists(one[1], max_size=3)))
        | several.map(model)
        | several.map(tagged)
    )


FIELDS = st.lists(st.recursive(st.sampled_from(TYPES), nested_types, max_leaves=4), min_size=1, max_size=4)
MODELS = st.builds(model, FIELDS, by_alias=st.booleans())


def without_nulls(value: Any) -> Any:
    """A stored row as the model knows it: fields of other alternatives are left out."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list | tuple) else value


@bounded
@given(st.lists(MODELS, min_size=1, max_size=4), st.data())
def test_any_instance_of_any_model_is_read_back_equal(
    file: Path, models: list[Typed], data: st.DataObject
) -> None:
    columns = []
    for made, instances in models:
        schema = output_schema(made)
        values = data.draw(st.lists(instances, min_size=1, max_size=3))
        fits = [schema.fit(json.loads(value.model_dump_json(by_alias=True))) for value in values]
        assert [fit.problems for fit in fits] == [[]] * len(values)
        rows = pa.array([fit.value for fit in fits], schema.arrow_type).to_pylist()
        for row, value in zip(rows, values, strict=True):
            dump = value.model_dump(by_alias=made.model_config["serialize_by_alias"])
            assert comparable(without_nulls(row)) == comparable(without_nulls(dump))
        columns.append((schema, rows))
    check_readers(file, columns)


def comparable(value: Any) -> Any:
    """Members and identifiers by their text, everything else as it is."""
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(one) for one in value]
    if isinstance(value, enum.Enum):
        return value.value
    return str(value) if isinstance(value, uuid.UUID) else value


# ---------------------------------------------------------------- what is no model and no object


def test_labels_are_read_back_equal(file: Path) -> None:
    schema = output_schema(["billing", "übrig"])
    answers = [schema.fit({"label": "billing"}).value, schema.fit("übrig").value, None]
    check_readers(file, [(schema, answers)])
    assert answers == ["billing", "übrig", None]


def test_tool_calls_are_read_back_equal(file: Path) -> None:
    pay = Tool(name="pay", input_schema={"properties": {"amount": {"type": "number"}}})
    wait = Tool(name="wait", input_schema={"type": "object", "properties": {}})
    schema = tool_schema([pay, wait])
    answers = [schema.fit([("pay", {"amount": 1}), ("wait", {})]).value, schema.fit([]).value, None]
    check_readers(file, [(schema, answers)])
    assert answers[0][1] == {"name": "wait", "arguments": None}


def test_descriptions_stand_in_the_file_at_every_level(file: Path) -> None:
    class Line(BaseModel):
        amount: Decimal = Field(description="In the invoice's currency.")

    class Invoice(BaseModel):
        lines: list[Line] = Field(description="In the document's order.")
        seller: Spelled = Field(description="Who is paid: »é«, 'quoted'.")

    schema = output_schema(Invoice)
    pq.write_table(pa.table({"result": pa.array([None], schema.arrow_type)}), file)
    result = pq.read_schema(file).field("result").type
    told = {
        "lines": result.field("lines"),
        "lines[].amount": result.field("lines").type.value_field.type.field("amount"),
        "seller": result.field("seller"),
        "seller.unit_price": result.field("seller").type.field("unit_price"),
    }
    assert {path: field.metadata[b"description"].decode() for path, field in told.items()} == {
        "lines": "In the document's order.",
        "lines[].amount": "In the invoice's currency.",
        "seller": "Who is paid: »é«, 'quoted'.",
        "seller.unit_price": "Without tax.",
    }
