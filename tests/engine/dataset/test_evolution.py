from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.evolution import ALL_READERS, Change, ChangeKind, evolution

if TYPE_CHECKING:
    from pathlib import Path

ADDED, REMOVED, WIDENED, CHANGED = ChangeKind
LINE = pa.struct({"name": pa.string(), "amount": pa.int64()})


def of(kind: pa.DataType) -> pa.Schema:
    return pa.schema({"id": pa.int64(), "result": kind})


def changes(old: pa.DataType, new: pa.DataType) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.kind.value, one.path, one.breaks) for one in evolution(of(old), of(new))]


def struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(fields)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (struct(a=pa.int64(), b=pa.string()), struct(b=pa.string(), a=pa.int64())),
        (struct(a=pa.string()), struct(a=pa.large_string())),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.string())),
        (pa.list_(pa.field("element", LINE)), pa.large_list(pa.field("item", LINE))),
        (
            pa.struct([pa.field("a", pa.int64(), metadata={"description": "one"})]),
            pa.struct([pa.field("a", pa.int64(), nullable=False)]),
        ),
    ],
)
def test_order_metadata_and_other_words_for_one_parquet_type_are_no_change(
    old: pa.DataType, new: pa.DataType
) -> None:
    assert changes(old, new) == []


def test_what_is_added_and_removed_is_told_with_its_path_and_breaks_nobody() -> None:
    old = struct(a=pa.int64(), lines=pa.list_(struct(name=pa.string(), gone=LINE)))
    new = struct(
        a=pa.int64(), lines=pa.list_(struct(name=pa.string(), new=pa.bool_())), **{"b c": pa.string()}
    )
    assert evolution(of(old), of(new)) == [
        Change(REMOVED, "$.result.lines[].gone", "struct<name: string, amount: int64>", None),
        Change(ADDED, "$.result.lines[].new", None, "bool"),
        Change(ADDED, '$.result["b c"]', None, "string"),
    ]


def test_columns_of_the_input_are_compared_too() -> None:
    assert [str(one) for one in evolution(pa.schema({"a": pa.int32()}), pa.schema({"b": pa.int32()}))] == [
        "$.a is removed (it was int32)",
        "$.b is added (int32)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        (pa.decimal128(10, 2), pa.decimal128(20, 2), ()),
        (pa.decimal128(10, 2), pa.decimal128(12, 4), ("Polars", "Spark")),
        (pa.int32(), pa.int64(), ("Spark",)),
        (pa.float32(), pa.float64(), ("Spark",)),
        (pa.int64(), pa.float64(), ("DuckDB", "Spark")),
        (pa.int64(), pa.decimal128(38, 18), ("DuckDB", "Polars", "Spark")),
    ],
)
def test_a_wider_type_is_told_with_the_readers_that_it_breaks(
    old: pa.DataType, new: pa.DataType, breaks: tuple[str, ...]
) -> None:
    for wrap in (lambda one: one, lambda one: struct(a=one), lambda one: pa.list_(struct(a=one))):
        ((kind, _, found),) = changes(wrap(old), wrap(new))
        assert (kind, found) == ("widened", breaks)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (pa.float64(), pa.int64()),
        (pa.int64(), pa.int32()),
        (pa.int64(), pa.string()),
        (pa.int64(), pa.decimal128(20, 18)),
        (pa.decimal128(20, 2), pa.decimal128(10, 2)),
        (pa.decimal128(10, 2), pa.decimal128(10, 4)),
        (pa.decimal128(10, 2), pa.float64()),
        (pa.date32(), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("ns")),
        (pa.bool_(), pa.int64()),
        (pa.uint32(), pa.int64()),
        (pa.string(), pa.dictionary(pa.int32(), pa.string())),
        (pa.int64(), pa.list_(pa.int64())),
        (pa.string(), LINE),
        (LINE, pa.list_(LINE)),
    ],
)
def test_any_other_type_is_a_change_that_no_reader_is_relied_on_with(
    old: pa.DataType, new: pa.DataType
) -> None:
    assert changes(old, new) == [("changed", "$.result", ALL_READERS)]


def test_a_name_that_changes_its_case_is_a_change() -> None:
    (change,) = evolution(of(struct(Total=pa.int64())), of(struct(total=pa.int64())))
    assert str(change) == (
        "$.result.Total was Total: int64 and becomes total: int64, which breaks pyarrow, DuckDB, Polars, Spark"
    )
    (change,) = evolution(of(struct(a=pa.int64())), of(struct(a=pa.int64(), A=pa.int64())))
    assert (change.kind, change.breaks) == (ADDED, ("DuckDB", "Spark"))


# what is said of the readers, where they are installed


def written(root: Path, *parts: tuple[pa.DataType, Any]) -> list[str]:
    files = []
    for number, (kind, value) in enumerate(parts):
        folder = root / f"n={number}"
        folder.mkdir()
        table = pa.table({"result": pa.array([{"a": value}], struct(a=kind, same=pa.string()))})
        pq.write_table(table, folder / "part.parquet")
        files.append(str(folder / "part.parquet"))
    return files


def by_pyarrow(files: list[str]) -> list[Any]:
    schemas = [pq.read_schema(file) for file in files]
    merged = pa.unify_schemas(schemas, promote_options="permissive")
    return ds.dataset(files, schema=merged).to_table().column("result").to_pylist()


def by_duckdb(files: list[str]) -> list[Any]:
    with duckdb.connect() as session:
        relation = session.read_parquet(files, union_by_name=True, filename=True)
        return [row[0] for row in relation.order("filename").project("result").fetchall()]


def by_polars(files: list[str]) -> list[Any]:
    casts = pl.ScanCastOptions(
        integer_cast=["upcast", "allow-float"],
        float_cast="upcast",
        missing_struct_fields="insert",
        extra_struct_fields="ignore",
    )
    newest = pl.read_parquet_schema(files[-1])
    read = pl.scan_parquet(files, schema=newest, missing_columns="insert", cast_options=casts)
    return read.collect()["result"].to_list()


READERS = {"pyarrow": by_pyarrow, "DuckDB": by_duckdb, "Polars": by_polars}
PAIRS = [
    (pa.decimal128(10, 2), Decimal("1.25"), pa.decimal128(20, 2), Decimal("2.50")),
    (pa.decimal128(10, 2), Decimal("1.25"), pa.decimal128(12, 4), Decimal("2.5000")),
    (pa.int32(), 1, pa.int64(), 2**40),
    (pa.float32(), 1.5, pa.float64(), 1e300),
    (pa.int64(), 1, pa.float64(), 2.5),
    (pa.int64(), 1, pa.decimal128(38, 18), Decimal("2.5")),
    (pa.int64(), 1, pa.string(), "x"),
    (pa.date32(), dt.date(2026, 1, 1), pa.list_(pa.int64()), [1]),
]


@pytest.mark.parametrize("reader", list(READERS))
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]} to {pair[2]}")
def test_a_reader_that_no_change_names_reads_old_and_new_together(
    tmp_path: Path, reader: str, pair: tuple[pa.DataType, Any, pa.DataType, Any]
) -> None:
    old, first, new, second = pair
    (change,) = evolution(of(struct(a=old)), of(struct(a=new)))
    if reader in change.breaks:
        return
    files = written(tmp_path, (old, first), (new, second))
    assert [row["a"] for row in READERS[reader](files)] == [first, second]


def test_polars_refuses_what_it_is_named_for(tmp_path: Path) -> None:
    files = written(tmp_path, (pa.decimal128(10, 2), Decimal("1.25")), (pa.decimal128(12, 4), Decimal("2.5")))
    with pytest.raises(pl.exceptions.SchemaError):
        by_polars(files)


def test_duckdb_rounds_silently_where_it_is_not_told_to_merge(tmp_path: Path) -> None:
    files = written(tmp_path, (pa.int64(), 1), (pa.float64(), 2.5))
    with duckdb.connect() as session:
        rows = session.read_parquet(files).project("result.a").fetchall()
    assert sorted(rows) == [(1,), (2,)]


@pytest.mark.parametrize("reader", list(READERS))
def test_every_reader_reads_an_added_field_as_null_in_old_partitions(tmp_path: Path, reader: str) -> None:
    wide = struct(a=pa.int64(), lines=pa.list_(LINE))
    rows: list[dict[str, Any]] = [{"a": 1}, {"a": 2, "lines": [{"name": "n", "amount": 1}]}]
    assert read_in_turn(tmp_path, reader, struct(a=pa.int64()), wide, rows) == [
        {**rows[0], "lines": None},
        rows[1],
    ]


@pytest.mark.parametrize("reader", list(READERS))
def test_every_reader_reads_what_is_left_of_a_removed_field(tmp_path: Path, reader: str) -> None:
    wide = struct(a=pa.int64(), b=pa.string())
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": 2}]
    read = read_in_turn(tmp_path, reader, wide, struct(a=pa.int64()), rows)
    left = [{"a": 1}, {"a": 2}]
    assert read == (left if reader == "Polars" else [rows[0], {"a": 2, "b": None}])


def read_in_turn(
    root: Path, reader: str, old: pa.DataType, new: pa.DataType, rows: list[dict[str, Any]]
) -> list[Any]:
    files = [str(root / f"{number}.parquet") for number in range(2)]
    for file, kind, row in zip(files, (old, new), rows, strict=True):
        pq.write_table(pa.table({"result": pa.array([row], kind)}), file)
    return READERS[reader](files)
