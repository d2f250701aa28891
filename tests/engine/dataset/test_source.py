from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.dataset.source import (
    Dataset,
    SourceFile,
    open_dataset,
    plan_batches,
    read_batches,
    would_read,
)
from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage

BIG = 1 << 40


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


def write(path: Path, table: pa.Table | dict, **options) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path, **options)
    return str(path)


def read(storage, source, *, batch_rows=BIG, columns=None) -> pa.Table:
    dataset = open_dataset(storage, str(source))
    batches = plan_batches(dataset, batch_rows=batch_rows, batch_bytes=BIG, limit=None)
    tables = [table for _, table in read_batches(storage, dataset, batches, columns)]
    schema = pa.schema([dataset.schema.field(name) for name in columns]) if columns else dataset.schema
    return pa.concat_tables(tables) if tables else schema.empty_table()


def names(dataset: Dataset) -> list[str]:
    return [Path(file.path).name for file in dataset.files]


# Which files


def test_a_single_file_may_have_any_name(storage, tmp_path):
    path = write(tmp_path / "_data", {"n": [1, 2]})
    dataset = open_dataset(storage, path)
    assert [(file.path, file.rows, file.partition) for file in dataset.files] == [(path, 2, ())]
    assert dataset.files[0].bytes > 0
    assert (dataset.rows, dataset.schema) == (2, pa.schema({"n": pa.int64()}))


def test_a_folder_gives_its_parquet_files_at_any_depth(storage, tmp_path):
    for name in ("a.parquet", "b/c/d.PARQUET", "e.pq", "f.parq"):
        write(tmp_path / name, {"n": [1]})
    for name in (
        "_SUCCESS",
        "readme.md",
        "_hidden/x.parquet",
        ".cache/x.parquet",
        "._a.parquet",
        "_b.parquet",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no Parquet")
    assert names(open_dataset(storage, str(tmp_path))) == ["a.parquet", "d.PARQUET", "e.pq", "f.parq"]
    assert names(open_dataset(storage, f"{tmp_path}/")) == ["a.parquet", "d.PARQUET", "e.pq", "f.parq"]


def test_rows_come_in_the_order_in_which_other_readers_give_them(storage, tmp_path):
    for n, name in enumerate(("part-2", "part-10", "part-1", "a/x", "a-b/x", "Z")):
        write(tmp_path / f"{name}.parquet", {"n": [n]})
    ours = read(storage, tmp_path)["n"].to_pylist()
    assert ours == pq.read_table(tmp_path)["n"].to_pylist()
    assert ours == pl.read_parquet(tmp_path / "**/*.parquet")["n"].to_list()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.parquet", ["a", "b"]),
        ("?.parquet", ["a", "b"]),
        ("[!a].parquet", ["b"]),
        ("[ab]*", ["a", "b"]),
        ("*", ["a", "b", "c", "d", "e", "f"]),
        ("**/*.parquet", ["a", "b", "c", "d", "e", "f"]),
        ("**", ["a", "b", "c", "d", "e", "f"]),
        ("day=*/*.parquet", ["c", "d"]),
        ("day=2026-01-0[12]/**", ["c", "d"]),
        ("day=*", ["c", "d"]),
        ("*/*.parquet", ["c", "d", "e"]),
        ("**/deep/*.parquet", ["f"]),
        ("x/**/f.parquet", ["f"]),
        ("x*/**/*.parquet", ["e", "f"]),
        ("_hid*/*.parquet", ["hidden"]),
        ("_hidden/h*", ["hidden"]),
        ("*.txt", ["odd"]),
    ],
)
def test_a_glob_gives_what_it_names(storage, tmp_path, pattern, expected):
    places = {
        "a": "a.parquet",
        "b": "b.parquet",
        "c": "day=2026-01-01/c.parquet",
        "d": "day=2026-01-02/d.parquet",
        "e": "x/e.parquet",
        "f": "x/y/deep/f.parquet",
        "hidden": "_hidden/hidden.parquet",
        "odd": "odd.txt",
    }
    for place in places.values():
        write(tmp_path / place, {"n": [1]})
    found = open_dataset(storage, f"{tmp_path}/{pattern}")
    assert [Path(name).stem for name in names(found)] == expected


def test_a_relative_glob_begins_where_the_process_began(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", {"n": [1]})
    write(tmp_path / "in" / "b.parquet", {"n": [1]})
    monkeypatch.chdir(tmp_path)
    assert names(open_dataset(LocalStorage(), "*.parquet")) == ["a.parquet"]
    assert names(open_dataset(LocalStorage(), "in/*.parquet")) == ["b.parquet"]
    assert names(open_dataset(LocalStorage(), "in")) == ["b.parquet"]


def test_a_name_that_looks_like_a_glob_is_taken_as_a_name_first(storage, tmp_path):
    write(tmp_path / "day[1]" / "a*.parquet", {"n": [1]})
    write(tmp_path / "day1" / "ab.parquet", {"n": [1]})
    assert names(open_dataset(storage, f"{tmp_path}/day[1]")) == ["a*.parquet"]
    assert names(open_dataset(storage, f"{tmp_path}/day[1]/a*.parquet")) == ["a*.parquet"]


def test_a_missing_source_is_named(storage, tmp_path):
    for source in (f"{tmp_path}/missing", f"{tmp_path}/*.parquet", str(tmp_path)):
        with pytest.raises(BadInput, match="there is no Parquet file at") as caught:
            open_dataset(storage, source)
        assert source in caught.value.problem
        assert caught.value.field == "source"


def test_a_folder_without_parquet_says_what_was_looked_for(storage, tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "_b.parquet").touch()
    with pytest.raises(BadInput, match=r"none of the 2 files.*\.parquet"):
        open_dataset(storage, str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 not really PAR1", b"a,b\n1,2\n" * 100])
def test_a_broken_file_is_named(storage, tmp_path, content):
    write(tmp_path / "a.parquet", {"n": [1]})
    (tmp_path / "b.parquet").write_bytes(content)
    with pytest.raises(BadInput, match=r"b\.parquet is not a readable Parquet file \(.+\)"):
        open_dataset(storage, str(tmp_path))


def test_a_file_cut_short_is_named(storage, tmp_path):
    path = Path(write(tmp_path / "a.parquet", {"n": range(1000)}))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"a\.parquet is not a readable"):
        open_dataset(storage, str(path))


# Hive partitions


def test_hive_folders_are_columns_of_strings_behind_the_others(storage, tmp_path):
    write(tmp_path / "ds=2026-01-02" / "region=de%2Fat" / "a.parquet", {"n": [2]})
    write(tmp_path / "ds=2026-01-01" / "region=__HIVE_DEFAULT_PARTITION__" / "a.parquet", {"n": [1]})
    write(tmp_path / "ds=2026-01-03" / "a.parquet", {"n": [3]})
    dataset = open_dataset(storage, str(tmp_path))
    assert dataset.schema == pa.schema({"n": pa.int64(), "ds": pa.string(), "region": pa.string()})
    assert dataset.files[1].partition == (("ds", "2026-01-02"), ("region", "de/at"))
    assert read(storage, tmp_path).to_pylist() == [
        {"n": 1, "ds": "2026-01-01", "region": None},
        {"n": 2, "ds": "2026-01-02", "region": "de/at"},
        {"n": 3, "ds": "2026-01-03", "region": None},
    ]


def test_hive_folders_above_the_source_are_no_columns(storage, tmp_path):
    write(tmp_path / "ds=1" / "hour=2" / "a.parquet", {"n": [1]})
    assert open_dataset(storage, f"{tmp_path}/ds=1").schema.names == ["n", "hour"]
    assert open_dataset(storage, f"{tmp_path}/ds=1/*/a.parquet").schema.names == ["n", "hour"]
    assert open_dataset(storage, f"{tmp_path}/ds=*/hour=2/a.parquet").schema.names == ["n", "ds", "hour"]
    assert open_dataset(storage, f"{tmp_path}/ds=1/hour=2/a.parquet").schema.names == ["n"]


def test_only_hive_columns_may_be_read(storage, tmp_path):
    write(tmp_path / "ds=1" / "a.parquet", {"n": [1, 2]})
    assert read(storage, tmp_path, columns=["ds"]).to_pylist() == [{"ds": "1"}] * 2


def test_a_hive_folder_that_contradicts_a_column_is_refused(storage, tmp_path):
    write(tmp_path / "ds=1" / "a.parquet", {"n": [1], "ds": ["2"]})
    with pytest.raises(BadInput, match=r"ds=1, but 'ds' is also a column"):
        open_dataset(storage, str(tmp_path))


@pytest.mark.parametrize("value", ["2026-01-01", dt.date(2026, 1, 1)])
def test_a_hive_folder_that_repeats_its_column_is_that_column(storage, tmp_path, value):
    write(tmp_path / "ds=2026-01-01" / "a.parquet", {"ds": [value, value], "n": [1, 2]}, row_group_size=1)
    dataset = open_dataset(storage, str(tmp_path))
    assert dataset.schema.names == ["ds", "n"]
    assert dataset.hive == ()
    assert read(storage, tmp_path)["ds"].to_pylist() == [value, value]


def test_a_hive_folder_whose_column_cannot_be_checked_is_refused(storage, tmp_path):
    write(tmp_path / "ds=1" / "a.parquet", {"ds": ["1"]}, write_statistics=False)
    with pytest.raises(BadInput, match="do not show the same value"):
        open_dataset(storage, str(tmp_path))


def test_a_hive_key_twice_in_a_path_is_refused(storage, tmp_path):
    write(tmp_path / "a=1" / "a=2" / "x.parquet", {"n": [1]})
    with pytest.raises(BadInput, match="hive key 'a' twice"):
        open_dataset(storage, str(tmp_path))


# One schema


def test_columns_that_a_file_does_not_have_are_null(storage, tmp_path):
    strict = pa.schema(
        [pa.field("a", pa.int64(), nullable=False), pa.field("n", pa.string(), nullable=False)]
    )
    write(tmp_path / "1.parquet", pa.table({"a": [1], "n": ["x"]}, schema=strict))
    write(tmp_path / "2.parquet", pa.table({"n": ["y"], "b": [{"c": [1]}]}))
    table = read(storage, tmp_path)
    assert table.to_pylist() == [
        {"a": 1, "n": "x", "b": None},
        {"a": None, "n": "y", "b": {"c": [1]}},
    ]
    assert table.schema.field("a").nullable
    assert table.validate(full=True) is None


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.string(), pa.string_view(), pa.large_string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
        (pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
        (pa.decimal128(5, 2), pa.decimal128(9, 3), pa.decimal128(9, 3)),
        (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64())),
        (
            pa.struct({"a": pa.int32()}),
            pa.struct({"b": pa.string()}),
            pa.struct({"a": pa.int32(), "b": pa.string()}),
        ),
    ],
)
def test_types_that_go_together_are_widened(storage, tmp_path, one, other, together):
    write(tmp_path / "1.parquet", pa.table({"x": pa.nulls(1, one)}))
    write(tmp_path / "2.parquet", pa.table({"x": pa.nulls(1, other)}))
    table = read(storage, tmp_path)
    assert str(table.schema.field("x").type).replace("element", "item") == str(together)
    assert table["x"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.string(), pa.int64()),
        (pa.string(), pa.binary()),
        (pa.decimal128(5, 2), pa.float64()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.struct({"a": pa.int64()}), pa.struct({"a": pa.string()})),
        (pa.struct({"a": pa.decimal128(5, 2)}), pa.struct({"a": pa.float64()})),
        (pa.list_(pa.string()), pa.string()),
    ],
)
def test_types_that_clash_are_refused_by_column_and_file(storage, tmp_path, one, other):
    write(tmp_path / "1.parquet", pa.table({"x": pa.nulls(1, one)}))
    write(tmp_path / "2.parquet", pa.table({"x": pa.nulls(1, other)}))
    with pytest.raises(BadInput, match=r"column 'x' is .* in .*1\.parquet, but .* in .*2\.parquet"):
        open_dataset(storage, str(tmp_path))


def test_a_value_that_widening_would_alter_is_refused(storage, tmp_path):
    write(tmp_path / "1.parquet", {"x": [2**53 + 1]})
    write(tmp_path / "2.parquet", {"x": [1.5]})
    with pytest.raises(BadInput, match=r"column 'x' of .*1\.parquet does not fit double"):
        read(storage, tmp_path)


def test_two_columns_of_one_name_are_refused(storage, tmp_path):
    path = write(
        tmp_path / "a.parquet", pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    )
    with pytest.raises(BadInput, match="two columns named 'n'"):
        open_dataset(storage, path)


def test_the_metadata_of_the_input_is_not_passed_on(storage, tmp_path):
    table = pa.table({"n": [1]}).replace_schema_metadata({"pandas": "{}"})
    assert not open_dataset(storage, write(tmp_path / "a.parquet", table)).schema.metadata


def test_no_row_is_fine(storage, tmp_path):
    schema = pa.schema({"n": pa.int64(), "s": pa.struct({"a": pa.string()})})
    write(tmp_path / "a.parquet", schema.empty_table())
    with pq.ParquetWriter(tmp_path / "b.parquet", schema):
        pass
    dataset = open_dataset(storage, str(tmp_path))
    assert (dataset.rows, dataset.schema) == (0, schema)
    assert plan_batches(dataset, batch_rows=10, batch_bytes=10, limit=None) == ()
    assert read(storage, tmp_path).num_rows == 0


# Which batches


def planned(rows, size=0, *, batch_rows=5000, batch_bytes=BIG, limit=None) -> list[tuple[str, int, int]]:
    files = tuple(SourceFile(str(n), one, size) for n, one in enumerate(rows))
    dataset = Dataset(files, pa.schema({}))
    batches = plan_batches(dataset, batch_rows=batch_rows, batch_bytes=batch_bytes, limit=limit)
    assert [batch.number for batch in batches] == list(range(len(batches)))
    return [(batch.path, batch.start, batch.rows) for batch in batches]


def test_a_file_is_cut_evenly():
    assert planned([5001]) == [("0", 0, 2501), ("0", 2501, 2500)]
    assert planned([5000]) == [("0", 0, 5000)]
    assert planned([10], batch_rows=4) == [("0", 0, 4), ("0", 4, 3), ("0", 7, 3)]


def test_fat_rows_make_short_batches_of_at_least_one_row():
    assert [rows for _, _, rows in planned([10], 100, batch_bytes=25)] == [3, 3, 2, 2]
    assert [rows for _, _, rows in planned([3], 3000, batch_bytes=1)] == [1, 1, 1]


def test_a_batch_never_spans_two_files():
    assert planned([2, 0, 3]) == [("0", 0, 2), ("2", 0, 3)]


def test_a_limit_takes_the_first_rows():
    assert planned([2, 3], limit=3) == [("0", 0, 2), ("1", 0, 1)]
    assert planned([2, 3], limit=99) == planned([2, 3])
    assert planned([2, 3], limit=0) == []
    assert planned([10_000], 1000, batch_bytes=1000, limit=5000) == [("0", 0, 5000)]


@given(
    rows=st.lists(st.integers(0, 300), max_size=5),
    size=st.integers(0, 10_000),
    batch_rows=st.integers(1, 120),
    batch_bytes=st.integers(1, 5000),
    limit=st.none() | st.integers(0, 1000),
)
def test_every_row_is_in_exactly_one_batch_in_order(rows, size, batch_rows, batch_bytes, limit):
    batches = planned(rows, size, batch_rows=batch_rows, batch_bytes=batch_bytes, limit=limit)
    covered = [(path, row) for path, start, count in batches for row in range(start, start + count)]
    everything = [(str(n), row) for n, count in enumerate(rows) for row in range(count)]
    assert covered == everything[:limit]
    assert all(0 < count <= batch_rows for _, _, count in batches)
    lengths = {path: [count for other, _, count in batches if other == path] for path, _, _ in batches}
    assert all(max(counts) - min(counts) <= 1 for counts in lengths.values())


# Which rows


@given(
    groups=st.lists(st.integers(0, 30), max_size=6),
    batch_rows=st.integers(1, 40),
    picks=st.lists(st.integers(0, 1000), max_size=8),
)
def test_any_batches_in_any_order_give_their_own_rows(tmp_path_factory, groups, batch_rows, picks):
    path = tmp_path_factory.mktemp("batches") / "a.parquet"
    schema = pa.schema({"n": pa.int64(), "t": pa.string()})
    row = 0
    with pq.ParquetWriter(path, schema) as writer:
        for count in groups:
            values = range(row, row + count)
            writer.write_table(pa.table({"n": values, "t": [f"text {n}" for n in values]}, schema=schema))
            row += count
    storage = LocalStorage()
    dataset = open_dataset(storage, str(path))
    every = plan_batches(dataset, batch_rows=batch_rows, batch_bytes=BIG, limit=None)
    picked = [every[pick % len(every)] for pick in picks] if every else []
    for batches in (every, picked, sorted(set(picked), key=lambda batch: batch.number)):
        given_back = list(read_batches(storage, dataset, batches, ["t", "n"]))
        assert [batch for batch, _ in given_back] == list(batches)
        for batch, table in given_back:
            expected = range(batch.start, batch.start + batch.rows)
            assert table.column_names == ["t", "n"]
            assert table["n"].to_pylist() == list(expected)
            assert table["t"].to_pylist() == [f"text {n}" for n in expected]


def test_types_survive(storage, tmp_path):
    table = pa.table(
        {
            "dictionary": pa.array(["a", "b", "a", None]).dictionary_encode(),
            "large": pa.array(["x", None, "z", ""], pa.large_string()),
            "view": pa.array(["x", None, "longer than twelve bytes", ""], pa.string_view()),
            "nested": [
                {"a": [1, 2], "b": {"c": "x"}},
                None,
                {"a": [], "b": None},
                {"a": None, "b": {"c": None}},
            ],
            "list": [[{"q": 1}], [], None, [{"q": None}]],
            "map": pa.array([[("k", 1)], [], None, []], pa.map_(pa.string(), pa.int64())),
            "decimal": [Decimal("1.20"), None, Decimal("-3.40"), Decimal("0.00")],
            "day": [dt.date(2026, 1, 1), None, dt.date(1, 1, 1), dt.date(9999, 12, 31)],
            "time": pa.array([1, None, 3, 4], pa.timestamp("ns", "Europe/Berlin")),
            "uuid": pa.array([b"0" * 16, None, b"1" * 16, b"2" * 16], pa.uuid()),
            "binary": [b"\x00\xff", None, b"", b"x"],
            "nothing": pa.nulls(4),
        }
    )
    write(tmp_path / "a.parquet", table, row_group_size=3)
    for batch_rows in (1, 2, 4):
        back = read(storage, tmp_path, batch_rows=batch_rows)
        assert back.schema.equals(table.schema)
        assert back.to_pylist() == table.to_pylist()


def test_a_missing_column_of_any_type_is_null(storage, tmp_path):
    write(tmp_path / "1.parquet", {"n": [1]})
    table = pa.table(
        {
            "dictionary": pa.array(["a"]).dictionary_encode(),
            "view": pa.array(["x"], pa.string_view()),
            "nested": [{"a": [1]}],
            "uuid": pa.array([b"0" * 16], pa.uuid()),
        }
    )
    write(tmp_path / "2.parquet", table)
    rows = read(storage, tmp_path).to_pylist()
    assert rows[0] == {"n": 1, "dictionary": None, "view": None, "nested": None, "uuid": None}


def test_dots_and_prefixes_in_names_do_not_mix_columns_up(storage, tmp_path):
    table = pa.table({"a": [1], "a.b": [2], "c": [{"d": 3, "e": 4}], "c.d": [5]})
    write(tmp_path / "a.parquet", table)
    for columns in (["a"], ["a.b"], ["c"], ["c.d"], ["c.d", "a"]):
        assert read(storage, tmp_path, columns=columns).to_pylist() == table.select(columns).to_pylist()


def test_no_column_at_all_still_counts_rows(storage, tmp_path):
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", {"n": [1, 2, 3]}))
    batches = plan_batches(dataset, batch_rows=2, batch_bytes=BIG, limit=None)
    assert [table.num_rows for _, table in read_batches(storage, dataset, batches, [])] == [2, 1]


def test_an_unknown_column_is_refused_with_the_known_ones(storage, tmp_path):
    write(tmp_path / "ds=1" / "a.parquet", {"n": [1]})
    with pytest.raises(BadInput, match=r"columns: 'm' is no column. The data has: n, ds"):
        read(storage, tmp_path, columns=["n", "m"])


def test_a_file_that_changed_since_it_was_planned_is_refused(storage, tmp_path):
    path = write(tmp_path / "a.parquet", {"n": [1]})
    dataset = open_dataset(storage, path)
    batches = plan_batches(dataset, batch_rows=10, batch_bytes=BIG, limit=None)
    write(tmp_path / "a.parquet", {"n": [1, 2]})
    with pytest.raises(BadInput, match="has 2 rows, but had 1"):
        list(read_batches(storage, dataset, batches, None))
    with pytest.raises(BadInput, match="no longer in it"):
        list(read_batches(storage, Dataset((), dataset.schema), batches, None))


# A footer whose own count of rows is not what its row groups hold


def forge_footer_rows(path: Path, rows: int, forged: int) -> None:
    """Have a file's footer say another number of rows; field 3 of its Thrift struct, between the schema and the row groups."""
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - length : -8]
    before, after = (b"\x16" + bytes([2 * count]) + b"\x19" for count in (rows, forged))  # zigzag of one byte
    assert footer.count(before) == 1
    path.write_bytes(content[: -8 - length] + footer.replace(before, after) + content[-8:])
    assert pq.read_metadata(path).num_rows == forged


def test_all_rows_are_read_though_the_footer_counts_fewer(storage, tmp_path):
    path = write(tmp_path / "a.parquet", {"n": range(6)}, row_group_size=3)
    forge_footer_rows(Path(path), rows=6, forged=3)
    assert read(storage, path, batch_rows=2).column("n").to_pylist() == list(range(6))


def test_a_file_whose_footer_counts_more_rows_than_there_are_is_refused(storage, tmp_path):
    path = write(tmp_path / "a.parquet", {"n": range(6)}, row_group_size=3)
    forge_footer_rows(Path(path), rows=6, forged=9)
    with pytest.raises(BadInput, match=r"a\.parquet .*its footer counts 9 rows, its row groups hold 6"):
        open_dataset(storage, path)


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"write_page_checksum": True}])
def test_broken_pages_are_named_by_their_file(storage, tmp_path, options):
    table = {"t": [f"{n * 7919 % 1009} is the text of row {n}" for n in range(1000)]}
    path = Path(write(tmp_path / "a.parquet", table, use_dictionary=False, **options))
    dataset = open_dataset(storage, str(path))
    content = bytearray(path.read_bytes())
    content[500:900] = bytes(400)
    path.write_bytes(content)
    batches = plan_batches(dataset, batch_rows=10, batch_bytes=BIG, limit=None)
    with pytest.raises(BadInput, match=r"a\.parquet is not a readable Parquet file"):
        list(read_batches(storage, dataset, batches, None))


def test_one_enormous_row_group_is_never_held_whole(storage, tmp_path):
    rows = 200_000
    table = pa.table({"n": range(rows), "body": [f"{n:08d} " * 50 for n in range(rows)]})
    path = write(tmp_path / "a.parquet", table, row_group_size=rows)
    assert table.nbytes > 80_000_000
    del table
    dataset = open_dataset(storage, path)
    batches = plan_batches(dataset, batch_rows=2000, batch_bytes=BIG, limit=None)
    before, most, seen = pa.total_allocated_bytes(), 0, 0
    for _, part in read_batches(storage, dataset, batches, None):
        most = max(most, pa.total_allocated_bytes() - before)
        seen += part.num_rows
    assert seen == rows
    assert most < 20_000_000


def test_neighbouring_batches_are_read_in_one_pass(tmp_path):
    class Counting(LocalStorage):
        opened = 0

        def open(self, path):
            self.opened += 1
            return super().open(path)

    storage = Counting()
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", {"n": range(100)}, row_group_size=10))
    batches = plan_batches(dataset, batch_rows=7, batch_bytes=BIG, limit=None)
    before = storage.opened
    tables = [table for _, table in read_batches(storage, dataset, batches, None)]
    assert [one["n"][-1].as_py() + 1 == other["n"][0].as_py() for one, other in pairwise(tables)] == [
        True
    ] * 14
    assert storage.opened == before + 1


def test_a_reader_that_is_dropped_early_closes_its_file(tmp_path):
    class Remembering(LocalStorage):
        def open(self, path):
            self.last = super().open(path)
            return self.last

    storage = Remembering()
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", {"n": range(100)}))
    batches = plan_batches(dataset, batch_rows=7, batch_bytes=BIG, limit=None)
    reader = read_batches(storage, dataset, batches, None)
    next(reader)
    assert not storage.last.closed
    reader.close()
    assert storage.last.closed


@pytest.mark.parametrize(
    ("source", "path", "read"),
    [
        ("data", "data/out/part.parquet", True),
        ("data/", "data/../data/a.parquet", True),
        ("data", "database/part.parquet", False),
        ("data/*", "data/out/part.parquet", True),
        ("data/*.parquet", "data/out/part.parquet", False),
        ("data/**/*.parquet", "data/out/x/part.parquet", True),
        ("data/in*", "data/out/part.parquet", False),
        ("*", "out/part.parquet", True),
    ],
)
def test_what_a_source_would_read_is_known_before_it_is_there(
    tmp_path: Path,
    source: str,
    path: str,
    read: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert would_read(LocalStorage(), f"{tmp_path}/{source}", f"{tmp_path}/{path}") is read
