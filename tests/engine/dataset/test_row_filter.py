"""Which rows `filters` choose, which values they take, and what is not read because of them."""

from __future__ import annotations

import datetime as dt
import math
import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.dataset import footers
from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.row_filter import RowFilter
from runware_provider.engine.dataset.source import first_rows
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import normal_form
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.dataset.parquet_sources import reader

if TYPE_CHECKING:
    from pathlib import Path

BERLIN = "Europe/Berlin"
TYPED: dict[str, tuple[pa.DataType, Any, Any, Any]] = {
    # a type, a smaller value, a larger one, and the larger one as a template would write it
    "bool": (pa.bool_(), False, True, "True"),
    "int8": (pa.int8(), -3, 7, "7"),
    "uint64": (pa.uint64(), 3, 2**64 - 1, "18446744073709551615"),
    "float": (pa.float32(), 0.1, 1.5, "1.5"),
    "double": (pa.float64(), 0.1, 1e300, "1e300"),
    "half": (pa.float16(), 0.5, 1.5, "1.5"),
    "decimal": (pa.decimal128(9, 2), Decimal("1.10"), Decimal("12.50"), "12.5"),
    "decimal32": (pa.decimal32(5, 1), Decimal("1.1"), Decimal("12.5"), "12.5"),
    "decimal256": (pa.decimal256(50, 2), Decimal("1.10"), Decimal(10**40), "1" + "0" * 40),
    "string": (pa.string(), "a", "b", "b"),
    "large_string": (pa.large_string(), "a", "b", "b"),
    "string_view": (pa.string_view(), "a", "b", "b"),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), "a", "b", "b"),
    "binary": (pa.binary(), b"a", b"b", "b"),
    "binary_view": (pa.binary_view(), b"a", b"b", "b"),
    "fixed": (pa.binary(2), b"aa", b"bb", "bb"),
    "date": (pa.date32(), dt.date(2025, 12, 31), dt.date(2026, 1, 31), "2026-01-31"),
    "date64": (pa.date64(), dt.date(2025, 12, 31), dt.date(2026, 1, 31), "2026-01-31"),
    "time": (pa.time64("us"), dt.time(9), dt.time(12, 30), "12:30"),
    "time32": (pa.time32("s"), dt.time(9), dt.time(12, 30), "12:30:00"),
    "stamp": (pa.timestamp("ms"), dt.datetime(2025, 1, 1), dt.date(2026, 1, 31), "2026-01-31"),  # noqa: DTZ001 - without a zone
    "zoned": (
        pa.timestamp("us", BERLIN),
        dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 31, 11, tzinfo=dt.UTC),
        "2026-01-31T12:00:00+01:00",
    ),
    "nanoseconds": (pa.timestamp("ns"), dt.date(2025, 1, 1), dt.date(2026, 1, 1), "2026-01-01 00:00:00.000000000"),
    "duration": (pa.duration("s"), dt.timedelta(1), dt.timedelta(2), dt.timedelta(days=2)),
}  # fmt: skip


def column(kind: pa.DataType, values: list[Any]) -> pa.Array:
    """Arrow builds a date into no timestamp, and a dictionary by a cast only."""
    stamps = [dt.datetime.combine(one, dt.time()) if type(one) is dt.date else one for one in values]
    values = stamps if pa.types.is_timestamp(kind) else values
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.array(values, plain).cast(kind)


def chosen(table: pa.Table, filters: Any) -> list[int]:
    row_filter = RowFilter.of(normal_form(filters), table.schema)
    assert row_filter is not None
    return list(row_filter.choose(table.append_column("row", pa.array(range(len(table)))))["row"].to_pylist())


def refusal(schema: pa.Schema, *filters: Any) -> str:
    with pytest.raises(BadInput) as caught:
        RowFilter.of(normal_form(list(filters)), schema)
    assert caught.value.field == "filters"
    return str(caught.value)


def test_every_type_of_column_is_compared_with_its_own_values_and_with_texts() -> None:
    for name, (kind, small, large, text) in TYPED.items():
        table = pa.table({"c": column(kind, [small, large, None])})
        for value in (large, text):
            told = {
                sign: chosen(table, [("c", sign, value)]) for sign in ("==", "=", "!=", "<", "<=", ">", ">=")
            }
            expected = {"==": [1], "=": [1], "!=": [0], "<": [0], "<=": [0, 1], ">": [], ">=": [1]}
            assert told == expected, (name, value)
            assert chosen(table, [("c", "in", [value, small])]) == [0, 1], name
            assert chosen(table, [("c", "not in", [value])]) == [0], name
        assert chosen(table, [("c", "is null")]) == [2]
        assert chosen(table, [("c", "is not null")]) == [0, 1]


def test_columns_of_lists_structs_and_nothing_can_be_asked_for_nulls() -> None:
    table = pa.table({"l": [[1], None], "s": [None, {"a": 1}], "n": pa.nulls(2)})
    assert [chosen(table, [(name, "is null")]) for name in "lsn"] == [[1], [0], [0, 1]]
    assert [chosen(table, [(name, "is not null")]) for name in "lsn"] == [[0], [1], []]
    for sign, value in (("==", 1), ("!=", "x"), ("not in", [1])):
        assert chosen(table, [("n", sign, value)]) == []


def test_a_nan_in_the_data_is_unequal_to_everything_and_has_no_order() -> None:
    table = pa.table({"x": [1.0, float("nan"), None]})
    told = {sign: chosen(table, [("x", sign, 1)]) for sign in ("==", "!=", "<=", ">")}
    assert told == {"==": [0], "!=": [1], "<=": [0], ">": []}
    assert chosen(table, [("x", "not in", [1])]) == [1]
    assert chosen(table, [("x", "is null")]) == [2]


def test_of_floats_the_nearest_one_counts() -> None:
    for kind in (pa.float16(), pa.float32(), pa.float64()):
        table = pa.table({"x": pa.array([0.1, 0.2], kind)})
        for value in (0.1, "0.1", Decimal("0.1")):
            told = [
                chosen(table, [("x", *asked)]) for asked in (("==", value), ("in", [value]), (">", value))
            ]
            assert told == [[0], [0], [1]], (kind, value)


def test_a_value_that_is_not_exactly_one_of_its_columns_type_is_refused_with_what_to_write() -> None:
    schema = pa.schema({name: kind for name, (kind, *_) in TYPED.items()} | {"l": pa.list_(pa.int8())})
    cases: list[tuple[str, Any, str]] = [
        ("int8", "abc", "'abc' is no int8, which column 'int8' is. Give a whole number"),
        ("int8", 1.5, "whole number"),
        ("int8", 2.0, "whole number"),
        ("int8", 300, "in its range"),
        ("int8", True, "whole number"),
        ("int8", " 7", "whole number"),
        ("int8", "0x2", "whole number"),
        ("half", 70_000, "in its range"),
        ("decimal32", "abc", "'abc' is no decimal32(5, 1), which column 'decimal32' is"),
        ("nanoseconds", "3000-01-01", "in its range"),
        ("nanoseconds", np.datetime64("2026-01-01"), "Give a time"),
        ("bool", 1, "True or False"),
        ("bool", "maybe", "True or False"),
        ("float", 1e300, "in its range"),
        ("double", "nan", "a number"),
        ("double", Decimal("nan"), "a number"),
        ("decimal", 1.005, "no more digits"),
        ("decimal", 10**9, "no more digits"),
        ("string", 7, "Give a text"),
        ("dictionary", 7, "Give a text"),
        ("fixed", "a", "bytes of its length"),
        ("date", "31.01.2026", "like '2026-01-31'"),
        ("date", "2026-01-31T00:00:00", "like '2026-01-31'"),
        ("date", dt.datetime(2026, 1, 31, tzinfo=dt.UTC), "like '2026-01-31'"),
        ("date", 20260131, "a date"),
        ("time32", "12:30:00.5", "no finer than the type"),
        ("time", "12:30+01:00", "time of day"),
        ("stamp", "2026-01-31T12:00:00+00:00", "without an offset"),
        ("stamp", "2026-01-31T12:00:00.123456", "no finer than the type"),
        ("zoned", "2026-01-31T12:00:00", "with its offset"),
        ("zoned", dt.date(2026, 1, 31), "with its offset"),
        ("duration", dt.timedelta(seconds=0.5), "no finer than the type"),
        ("duration", "2 days", "a timedelta"),
        ("l", 1, "is compared with nothing. Ask whether it `is null`"),
        ("string", object(), "Give a text"),
    ]
    for name, value, said in cases:
        assert said in refusal(schema, (name, "==", value)), (name, value)
        assert said in refusal(schema, (name, "in", [value])), (name, value)


def test_an_unknown_column_is_refused_with_the_nearest() -> None:
    schema = pa.schema({"country": pa.string(), "address": pa.struct({"city": pa.string()})})
    message = refusal(schema, ("contry", "==", "de"))
    assert message == (
        "filters: column 'contry' is not in the data; the data has: country, address. Did you mean 'country'?"
    )
    assert "Name a column of the data" in refusal(schema, ("x", "is null"))
    assert "a query before this task" in refusal(schema, ("address.city", "==", "Bonn"))


SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
VALUES = {
    "n": st.integers(-3, 3),
    "s": st.sampled_from(["", "a", "b'", "ab"]),
    "d": st.dates(max_value=dt.date(9, 1, 1)),
}
FILTER = st.one_of(
    *(
        st.tuples(st.just(name), SIGNS, values)
        | st.tuples(
            st.just(name), st.sampled_from(["in", "not in"]), st.lists(values, min_size=1, max_size=3)
        )
        | st.tuples(st.just(name), st.sampled_from(["is null", "is not null"]))
        for name, values in VALUES.items()
    )
)
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=30
)
ALTERNATIVES = st.lists(st.lists(FILTER, min_size=1, max_size=3), min_size=1, max_size=3)
SCHEMA = pa.schema({"n": pa.int64(), "s": pa.string(), "d": pa.date32()})


def in_sql(one: Any) -> str:
    if len(one) == 2:
        return " ".join(one)
    name, sign, value = one
    values = value if isinstance(value, list) else [value]
    quoted = [
        f"DATE '{each}'" if isinstance(each, dt.date) else "'{}'".format(str(each).replace("'", "''"))
        for each in values
    ]
    return f"{name} {'=' if sign == '==' else sign} " + (
        f"({', '.join(quoted)})" if "in" in sign else quoted[0]
    )


@given(ROWS, ALTERNATIVES)
def test_the_chosen_rows_are_those_that_duckdb_chooses(rows: list[Any], alternatives: list[Any]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    numbered = table.append_column("row", pa.array(range(len(rows)), pa.int64()))
    condition = " OR ".join("(" + " AND ".join(map(in_sql, one)) + ")" for one in alternatives)
    with duckdb.connect() as database:
        database.register("numbered", numbered)
        told = database.execute(f"SELECT row FROM numbered WHERE {condition} ORDER BY row").fetchall()  # noqa: S608 - our own words
    assert chosen(table, alternatives) == [row for (row,) in told]


@given(ROWS, ALTERNATIVES)
def test_the_chosen_rows_are_those_that_pyarrow_chooses(rows: list[Any], alternatives: list[Any]) -> None:
    plain = [[one for one in some if len(one) == 3 and one[1] != "not in"] for some in alternatives]
    plain = [some for some in plain if some] or [[("n", "==", 1)]]
    table = pa.Table.from_pylist(rows, SCHEMA).append_column("row", pa.array(range(len(rows)), pa.int64()))
    expected = table.filter(pq.filters_to_expression(plain))["row"].to_pylist()
    assert chosen(table.drop_columns("row"), plain) == sorted(expected)


# what is read


def read(storage: Any, folder: Path, filters: Any, *, batch_rows: int = 7) -> list[Any]:
    dataset = open_dataset(storage, str(folder))
    row_filter = RowFilter.of(normal_form(filters), dataset.schema)
    made = reader(storage, dataset, columns=["row"], row_filter=row_filter, batch_rows=batch_rows)
    return [row for _, table in made.read(first_rows(dataset)) for row in table["row"].to_pylist()]


@given(ROWS, ALTERNATIVES, st.integers(1, 9), st.integers(1, 9))
def test_row_groups_that_are_not_read_change_no_row(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    alternatives: list[Any],
    group: int,
    batch_rows: int,
) -> None:
    folder = tmp_path_factory.mktemp("source")
    table = pa.Table.from_pylist(rows, SCHEMA)
    numbered = table.append_column("row", pa.array(range(len(rows)), pa.int64())).sort_by("n")
    pq.write_table(numbered, folder / "a.parquet", row_group_size=group)
    told = read(LocalStorage(), folder, alternatives, batch_rows=batch_rows)
    places = chosen(numbered.drop_columns("row"), alternatives)
    assert told == [numbered["row"][place].as_py() for place in places]


FLOATS = st.sampled_from([-0.0, 0.0, 1.0, -1.0, 2.5, float("inf"), float("-inf")])
COMPARED = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def chosen_by_python(values: list[float | None], sign: str, members: list[float]) -> list[int]:
    def passes(value: float | None) -> bool:
        if value is None:
            return False
        if sign == "in":
            return any(value == member for member in members)
        if sign == "not in":
            return all(value != member for member in members)
        return bool(COMPARED[sign](value, members[0]))

    return [row for row, value in enumerate(values) if passes(value)]


@given(
    values=st.lists(st.none() | FLOATS | st.just(float("nan")), max_size=12),
    kind=st.sampled_from([pa.float16(), pa.float32(), pa.float64()]),
    sign=SIGNS | st.sampled_from(["in", "not in"]),
    members=st.lists(FLOATS, min_size=1, max_size=3),
    group=st.integers(1, 6),
    statistics=st.booleans(),
)
def test_signed_zeros_infinities_and_nans_are_told_apart_as_python_does_it(  # noqa: PLR0917 - each drawn
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float | None],
    kind: pa.DataType,
    sign: str,
    members: list[float],
    group: int,
    statistics: bool,  # noqa: FBT001 - drawn
) -> None:
    folder = tmp_path_factory.mktemp("source")
    table = pa.table({"x": pa.array(values, kind), "row": pa.array(range(len(values)), pa.int64())})
    pq.write_table(table, folder / "a.parquet", row_group_size=group, write_statistics=statistics)
    filters = [("x", sign, members if "in" in sign else members[0])]
    expected = chosen_by_python(values, sign, members)
    assert chosen(table.drop_columns("row"), filters) == expected
    assert read(LocalStorage(), folder, filters) == expected
    if any(
        value is not None and math.isnan(value) for value in values
    ):  # DuckDB holds that a NaN equals itself
        return
    literals = ", ".join(f"'{member}'::DOUBLE" for member in members[: None if "in" in sign else 1])
    condition = f"x {'=' if sign == '==' else sign} ({literals})"
    with duckdb.connect() as database:
        database.register("numbered", table.set_column(0, "x", table["x"].cast(pa.float64())))
        told = database.execute(f"SELECT row FROM numbered WHERE {condition} ORDER BY row").fetchall()  # noqa: S608 - our own words
    assert [row for (row,) in told] == expected


def test_statistics_change_no_row_for_any_type_of_column(tmp_path: Path) -> None:
    for name, (kind, small, large, _) in TYPED.items():
        values = [small, small, None, large, large, None, small, large]
        table = pa.table({"c": column(kind, values), "row": range(len(values))})
        (tmp_path / name).mkdir()
        try:
            pq.write_table(table, tmp_path / name / "a.parquet", row_group_size=2)
        except pa.ArrowNotImplementedError:  # older releases of Arrow write no short decimals
            assert name == "decimal32"
            continue
        for sign in (*COMPARED, "in", "not in", "is null", "is not null"):
            value = () if "null" in sign else ([large],) if "in" in sign else (large,)
            expected = chosen(table.drop_columns("row"), [("c", sign, *value)])
            told = read(LocalStorage(), tmp_path / name, [("c", sign, *value)])
            assert told == expected, (name, sign)


def test_columns_of_extension_types_can_be_asked_for_nulls(tmp_path: Path) -> None:
    columns = {
        "uuid": pa.array([b"0" * 16, None], pa.uuid()),
        "json": pa.array(["{}", None], pa.json_()),
        "bool8": pa.array([1, None], pa.bool8()),
    }
    pq.write_table(pa.table({**columns, "row": range(2)}), tmp_path / "a.parquet")
    for name in columns:
        told = {sign: read(LocalStorage(), tmp_path, [(name, sign)]) for sign in ("is null", "is not null")}
        assert told == {"is null": [1], "is not null": [0]}, name


def test_row_groups_of_which_arrow_compares_no_statistics_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": [1], "u": pa.array([b"0" * 16], pa.uuid())}), tmp_path / "a.parquet")

    class Incomparable(RowFilter):
        def within(self, partition: Any) -> RowFilter:
            del partition
            return self

        def expression(self, file_schema: pa.Schema) -> Any:
            del file_schema
            return pc.is_null(pc.field("u"))

    row_filter = Incomparable.of(normal_form([("row", "==", 1)]), pq.read_schema(tmp_path / "a.parquet"))
    assert row_filter is not None
    dataset = open_dataset(LocalStorage(), str(tmp_path))
    made = reader(LocalStorage(), dataset, columns=["row"], row_filter=row_filter)
    assert [table["row"].to_pylist() for _, table in made.read(first_rows(dataset))] == [[1]]


def test_row_groups_whose_statistics_rule_them_out_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(
        pa.table({"row": range(100), "x": [1.0, float("nan")] * 50}),
        tmp_path / "a.parquet",
        row_group_size=10,
    )
    groups: list[Any] = []

    class Watched(pq.ParquetFile):  # type: ignore[misc] # Arrow has no types
        def iter_batches(self, *args: Any, row_groups: Any, **named: Any) -> Any:
            if not args:  # else it only looks whether what the footer says can be looked at
                groups.extend(row_groups)
            return super().iter_batches(*args, row_groups=row_groups, **named)

    monkeypatch.setattr(footers.pq, "ParquetFile", Watched)
    assert read(LocalStorage(), tmp_path, [("row", ">=", 93)]) == list(range(93, 100))
    assert read(LocalStorage(), tmp_path, [("row", "in", [5, 55])]) == [5, 55]
    assert len(read(LocalStorage(), tmp_path, [("x", "!=", 1.0)])) == 50
    assert groups == [9, 0, 5, *range(10)]


def test_a_hive_partition_that_is_not_chosen_is_not_opened(tmp_path: Path) -> None:
    for day in ("1", "2", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"ds={day}").mkdir()
        pq.write_table(pa.table({"row": [f"{day}a", f"{day}b"]}), tmp_path / f"ds={day}" / "a.parquet")
    opened: list[str] = []

    class Watched(LocalStorage):
        def open(self, path: str) -> Any:
            opened.append(path.rsplit("=", 1)[-1].partition("/")[0])
            return super().open(path)

    def rows(*filters: Any) -> list[Any]:
        opened.clear()
        told = read(Watched(), tmp_path, list(filters))
        del opened[:3]  # the footers
        return told

    assert (rows(("ds", "==", "2"), ("row", "!=", "2a")), opened) == (["2b"], ["2"])
    assert (rows(("ds", "is null"))[0][-1], len(opened)) == ("a", 1)
    assert (rows([("ds", "==", "1")], [("row", "==", "2b")]), opened) == (
        ["1a", "1b", "2b"],
        ["1", "2", "__HIVE_DEFAULT_PARTITION__"],
    )


def test_files_of_unlike_types_and_missing_columns_are_filtered_as_one_dataset(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": [0, 1], "n": pa.array([1, 2], pa.int8())}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"row": [2, 3], "n": pa.array([1, 2**40])}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"row": [4]}), tmp_path / "c.parquet")
    told = {
        str(one): read(LocalStorage(), tmp_path, [one])
        for one in (("n", ">", 1), ("n", "is null"), ("n", "==", 2**40))
    }
    assert list(told.values()) == [[1, 3], [4], [3]]
