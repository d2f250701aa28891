"""Rows of any type are taken, filtered and written back as they were."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.arrow_types import (
    empty_table,
    is_unwritable,
    plain,
    rows_where,
    taken,
    without_views,
    writable,
)
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.dataset.parquet_sources import OLDEST, read, write, written_by_this_release

UUIDS = pa.array([uuid.UUID(int=n).bytes for n in range(3)], pa.uuid())
VIEWS = {
    "text": pa.array(["a" * 20, None, "c"], pa.string_view()),
    "bytes": pa.array([b"a", None, b"c" * 20], pa.binary_view()),
    "list": pa.array([["a" * 20], [], None], pa.list_(pa.string_view())),
    "large list": pa.array([["a"], [], None], pa.large_list(pa.binary_view())),
    "fixed list": pa.array([["a", "b"], None, ["c", None]], pa.list_(pa.string_view(), 2)),
    "struct": pa.array([{"x": "a"}, None, {"x": None}], pa.struct({"x": pa.string_view()})),
    "map": pa.array([[("k", "v")], None, [("k", None)]], pa.map_(pa.string(), pa.string_view())),
    "keys": pa.array([[("k", 1)], None, []], pa.map_(pa.string_view(), pa.int8())),
    "list view": pa.array([[1], None, [2, 3]], pa.list_view(pa.int32())),
    "large list view": pa.array([[1], None, [2, 3]], pa.large_list_view(pa.int32())),
    "views in a list view": pa.array([["a"], None, ["b", None]], pa.list_view(pa.string_view())),
    "list view in a struct": pa.array(
        [{"x": ["a"], "y": "b"}, None, {"x": None, "y": None}],
        pa.struct({"x": pa.list_view(pa.string_view()), "y": pa.string_view()}),
    ),
    "structs in a list": pa.array(
        [[{"x": "a"}], None, [{"x": None}]], pa.list_(pa.struct({"x": pa.string_view()}))
    ),
    "JSON": pa.ExtensionArray.from_storage(
        pa.json_(pa.string_view()), pa.array(["{}", None, "1"], pa.string_view())
    ),
}
OTHERS = {
    "UUID": UUIDS,
    "UUIDs": pa.ListArray.from_arrays([0, 1, 1, 3], UUIDS),
    "UUID in a struct": pa.StructArray.from_arrays([UUIDS], ["id"]),
    "JSON": pa.array(['{"a": 1}', None, "2"], pa.json_()),
    "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
    "tensor": pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int32(), [2]), pa.array([[1, 2], [3, 4], None], pa.list_(pa.int32(), 2))
    ),
    "opaque": pa.ExtensionArray.from_storage(
        pa.opaque(pa.int32(), "point", "somebody"), pa.array([1, 2, None], pa.int32())
    ),
    "half": pa.array([1.5, None, -0.0], pa.float16()),
    "decimal32": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal(-3)], pa.decimal32(5, 2)),
    "decimal64": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal(-3)], pa.decimal64(12, 2)),
    "decimal256": pa.array([decimal.Decimal("1" * 50), None, decimal.Decimal(-3)], pa.decimal256(60, 0)),
    "nanoseconds": pa.array([1_700_000_000_123_456_789, None, -1], pa.timestamp("ns")),
    "time zone": pa.array([0, None, 1], pa.timestamp("us", tz="America/New_York")),
    "offset": pa.array([0, None, 1], pa.timestamp("ms", tz="+05:30")),
    "duration": pa.array([1, None, 2], pa.duration("ns")),
    "time": pa.array([dt.time(1, 2, 3), None, dt.time(0)], pa.time64("ns")),
    "unsigned": pa.array([0, None, 2**64 - 1], pa.uint64()),
    "map without values": pa.array([[("k", None)], None, []], pa.map_(pa.string(), pa.int64())),
    "few words": pa.array(["x", "y", None]).cast(pa.dictionary(pa.int8(), pa.string())),
    "ordered words": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None], pa.int16()), pa.array(["low", "high"]), ordered=True
    ),
    "words in a list": pa.array([["x"], None, ["y"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "nulls": pa.nulls(3),
}


@pytest.mark.parametrize("name", VIEWS)
def test_rows_with_views_at_any_depth_are_taken_and_filtered(name: str) -> None:
    table = pa.table({"v": VIEWS[name], "n": [0, 1, 2]})
    values = table["v"].to_pylist()
    twice = taken(table, pa.array([2, 0, 0, 1]))
    assert (twice.schema, twice["v"].to_pylist()) == (table.schema, [values[n] for n in (2, 0, 0, 1)])
    some = rows_where(pa.chunked_array([pa.array([True, None, False])]), table)
    assert (some.schema, some.to_pylist()) == (table.schema, [{"v": values[0], "n": 0}])
    none = rows_where(pa.chunked_array([pa.array([False, False, False])]), table)
    assert (none.schema, none.num_rows) == (table.schema, 0)
    assert twice.validate(full=True) is some.validate(full=True) is None


@pytest.mark.parametrize("name", OTHERS)
def test_rows_of_other_types_are_taken_and_filtered_and_there_are_tables_without_any(name: str) -> None:
    table = pa.table({"v": OTHERS[name]})
    values = [repr(value) for value in table["v"].to_pylist()]
    assert [repr(value) for value in taken(table, pa.array([2, 0, 0]))["v"].to_pylist()] == [
        values[n] for n in (2, 0, 0)
    ]
    assert rows_where(pa.chunked_array([pa.array([True, False, True])]), table).num_rows == 2
    assert empty_table(table.schema).schema == table.schema


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.struct({"x": pa.string_view()})),
        pa.large_list(pa.struct({"x": pa.struct({"y": pa.binary_view()})})),
        pa.map_(pa.string(), pa.struct({"x": pa.string_view()})),
        pa.struct({"a": pa.list_(pa.struct({"x": pa.string_view()}))}),
        pa.list_(pa.struct({"x": pa.list_(pa.string_view())})),
        pa.list_view(pa.string_view()),
    ],
)
def test_whatever_a_column_is_arrow_writes_it_before_anything_is_paid(tmp_path, kind: pa.DataType) -> None:
    values = pa.array([_filled(kind), None, _filled(kind)], kind)
    written = values.cast(writable(kind))
    written_by_this_release(pa.table({"v": written}), tmp_path / "a.parquet")
    assert written.to_pylist() == values.to_pylist() == pq.read_table(tmp_path / "a.parquet")["v"].to_pylist()
    assert writable(writable(kind)) == writable(kind)


def _filled(kind: pa.DataType) -> object:
    """A value with something at every place."""
    if pa.types.is_struct(kind):
        return {field.name: _filled(field.type) for field in kind}
    if pa.types.is_map(kind):
        return [("k", _filled(kind.item_type))]
    if pa.types.is_nested(kind):
        return [_filled(kind.value_type)]
    return b"b" if pa.types.is_binary_view(kind) else "a"


def test_what_arrow_neither_writes_nor_casts_is_known() -> None:
    views = pa.struct({"x": pa.string_view()})
    assert is_unwritable(pa.list_view(views))
    assert is_unwritable(pa.struct({"a": pa.large_list_view(views)}))
    assert not any(
        map(is_unwritable, [pa.list_(views), pa.list_view(pa.string_view()), pa.list_view(pa.int8())])
    )


def read_by_this_release(path: str) -> pa.Table:
    try:
        return pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        if int(pa.__version__.split(".")[0]) > OLDEST:
            raise
        pytest.skip(f"this release of pyarrow does not read what it wrote: {error}")


@pytest.mark.parametrize(
    "name", [*OTHERS, *(f"view: {name}" for name in VIEWS if name != "structs in a list")]
)
def test_a_column_is_read_as_pyarrow_reads_it_and_is_written_back_with_the_same_types(
    tmp_path, name: str
) -> None:
    column = OTHERS[name] if name in OTHERS else VIEWS[name.removeprefix("view: ")]
    path = write(tmp_path / "a.parquet", {"v": column})
    there = read_by_this_release(path)
    table = read(LocalStorage(), path, batch_rows=2)
    assert table.schema.types == [writable(kind) for kind in there.schema.types]
    assert repr(table.to_pylist()) == repr(there.to_pylist())
    pq.write_table(table.combine_chunks(), tmp_path / "b.parquet")
    before, after = pq.ParquetFile(path), pq.ParquetFile(tmp_path / "b.parquet")
    assert after.schema_arrow.types == [writable(kind) for kind in before.schema_arrow.types]
    kinds = [
        [str(file.schema.column(0).logical_type), file.schema.column(0).physical_type]
        for file in (before, after)
    ]
    # Releases of pyarrow that are unsure of views hold JSON in views as plain text.
    assert kinds[0] == kinds[1] or after.schema_arrow.types != before.schema_arrow.types


@pytest.mark.parametrize(
    ("kind", "without"),
    [
        (pa.string_view(), pa.large_string()),
        (pa.list_(pa.struct({"a": pa.binary_view()})), pa.list_(pa.struct({"a": pa.large_binary()}))),
        (pa.list_view(pa.string_view()), pa.list_view(pa.string_view())),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.string())),
        (pa.uuid(), pa.uuid()),
    ],
)
def test_views_are_replaced_where_arrow_takes_none(kind: pa.DataType, without: pa.DataType) -> None:
    assert without_views(kind) == without


def test_a_plain_type_has_neither_dictionaries_nor_views_nor_extensions() -> None:
    kind = pa.struct({"a": pa.dictionary(pa.int8(), pa.string_view()), "b": pa.list_(pa.uuid())})
    assert plain(kind) == pa.struct({"a": pa.large_string(), "b": pa.list_(pa.binary(16))})
