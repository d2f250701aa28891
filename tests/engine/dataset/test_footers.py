"""What the footers of a source say together, and what is refused for what they say."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.footers import open_dataset, unreadable
from runware_provider.engine.dataset.source import first_rows
from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.dataset.parquet_sources import read, reader, write


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


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


def test_dictionaries_of_a_few_values_each_have_room_for_those_of_all_files(storage, tmp_path):
    few = pa.dictionary(pa.int8(), pa.string())
    for file in range(3):
        words = pa.array([f"{file}-{n}" for n in range(100)]).cast(few)
        listed = pa.ListArray.from_arrays(list(range(101)), words)
        inside = pa.StructArray.from_arrays([words], ["word"])
        mapped = pa.MapArray.from_arrays(list(range(101)), ["key"] * 100, words)
        columns = {"word": words, "listed": listed, "inside": inside, "mapped": mapped}
        write(tmp_path / f"{file}.parquet", columns)
    table = read(storage, tmp_path)
    word, listed, inside, _ = table.schema.types
    assert {kind.index_type for kind in (word, listed.value_type, inside.field(0).type)} == {pa.int32()}
    pq.write_table(table.combine_chunks(), tmp_path / "together")
    back = pq.read_table(tmp_path / "together")
    assert back.to_pylist() == [
        {"word": text, "listed": [text], "inside": {"word": text}, "mapped": [("key", text)]}
        for text in [f"{file}-{n}" for file in range(3) for n in range(100)]
    ]


def test_no_row_is_fine(storage, tmp_path):
    schema = pa.schema({"n": pa.int64(), "s": pa.struct({"a": pa.string()})})
    write(tmp_path / "a.parquet", schema.empty_table())
    with pq.ParquetWriter(tmp_path / "b.parquet", schema):
        pass
    dataset = open_dataset(storage, str(tmp_path))
    assert (dataset.rows, dataset.schema) == (0, schema)
    assert first_rows(dataset) == ()
    assert read(storage, tmp_path).num_rows == 0


# Types of other writers

IDS = [uuid.UUID(int=n) for n in range(3)]


def test_logical_types_are_kept_without_arrows_own_schema(storage, tmp_path):
    columns = {
        "id": pa.array([one.bytes for one in IDS], pa.uuid()),
        "json": pa.array(["{}", None, "1"], pa.json_()),
        "half": pa.array([1.5, None, 2.0], pa.float16()),
    }
    nested = {"ids": pa.ListArray.from_arrays([0, 1, 1, 3], columns["id"])}
    table = read(
        storage, write(tmp_path / "a.parquet", {**columns, **nested}, store_schema=False), batch_rows=2
    )
    assert table.schema.types[:3] == [pa.uuid(), pa.json_(), pa.float16()]
    assert table["id"].to_pylist() == IDS
    assert table["ids"].to_pylist() == [IDS[:1], [], IDS[1:]]
    pq.write_table(table, tmp_path / "b.parquet", store_schema=False)
    assert [pq.ParquetFile(tmp_path / "b.parquet").schema.column(n).logical_type.type for n in (0, 1, 3)] == [
        "UUID",
        "JSON",
        "UUID",
    ]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (pa.uuid(), pa.binary(16), pa.binary(16)),
        (pa.json_(), pa.string(), pa.string()),
        (pa.list_(pa.string_view()), pa.list_(pa.string()), pa.list_(pa.large_string())),
        (
            pa.struct({"a": pa.string_view()}),
            pa.struct({"a": pa.string()}),
            pa.struct({"a": pa.large_string()}),
        ),
        (pa.list_(pa.uuid()), pa.list_(pa.uuid()), pa.list_(pa.uuid())),
    ],
)
def test_what_other_writers_annotate_goes_together_with_what_they_do_not(
    storage, tmp_path, one, other, together
):
    write(tmp_path / "1.parquet", pa.table({"x": pa.nulls(1, one)}))
    write(tmp_path / "2.parquet", pa.table({"x": pa.nulls(1, other), "more": [1]}))
    table = read(storage, tmp_path)
    assert str(table.schema.field("x").type).replace("element", "item") == str(together)
    assert table["x"].to_pylist() == [None, None]


def test_list_views_and_lists_of_two_files_are_refused_since_arrow_would_lose_values(storage, tmp_path):
    write(tmp_path / "1.parquet", {"x": pa.array([[1], None, [2]], pa.list_view(pa.int8()))})
    write(tmp_path / "2.parquet", {"x": pa.array([[1], None, [2]], pa.list_(pa.int8()))})
    with pytest.raises(BadInput, match="column 'x' is list_view"):
        open_dataset(storage, str(tmp_path))


def old_times(path, moments, unit, *, by_spark=False):
    """Times as INT96, as Spark and Impala write them."""
    table = pa.table({"t": pa.array(moments, pa.timestamp(unit))})
    with pq.ParquetWriter(
        path, table.schema, use_deprecated_int96_timestamps=True, store_schema=False
    ) as writer:
        writer.write_table(table)
        if by_spark:
            writer.add_key_value_metadata({"org.apache.spark.version": "3.5.0"})
    return str(path)


def test_times_of_the_old_kind_are_exact_whoever_wrote_them(storage, tmp_path):
    fine = 1_700_000_000_123_456_789
    assert read(storage, old_times(tmp_path / "a.parquet", [fine], "ns"))["t"].cast(
        pa.int64()
    ).to_pylist() == [fine]
    first, last = (dt.datetime.fromisoformat(day) for day in ("0001-01-01", "9999-12-31"))
    spark = old_times(tmp_path / "b.parquet", [first, last, None], "us", by_spark=True)
    assert read(storage, spark)["t"].to_pylist() == [first, last, None]


def test_a_dictionary_stays_as_narrow_as_it_came_where_all_rows_are_one_row_group(storage, tmp_path):
    few = pa.dictionary(pa.int8(), pa.string())
    words = pa.table({"w": pa.array(["x", "y", None]).cast(few)})
    assert open_dataset(storage, write(tmp_path / "a.parquet", words)).schema.types == [few]
    in_two = write(tmp_path / "b.parquet", words, row_group_size=2)
    assert open_dataset(storage, in_two).schema.types == [pa.dictionary(pa.int32(), pa.string())]


# Files that change


@pytest.mark.parametrize("when", ["before it is read", "while it is read"])
@pytest.mark.parametrize("how", ["written anew", "written to", "removed"])
def test_a_file_that_changed_since_its_footer_was_read_is_not_used(storage, tmp_path, when, how):
    path = Path(write(tmp_path / "a.parquet", {"n": range(1000)}, row_group_size=100))
    dataset = open_dataset(storage, str(path))
    batches = reader(storage, dataset, batch_rows=10).read(first_rows(dataset))
    if when == "while it is read":
        next(batches)
    match how:
        case "written anew":  # with the very same footer
            path.write_bytes(path.read_bytes())
            os.utime(path, ns=(1, 1))
        case "written to":
            with path.open("ab") as file:
                file.write(b"more")
        case "removed":
            path.unlink()
    with pytest.raises(BadInput, match=r"a\.parquet (has changed|is gone) since its footer was read"):
        list(batches)


def test_a_file_that_vanishes_while_the_source_is_listed_is_named(tmp_path):
    write(tmp_path / "a.parquet", {"n": [1]})

    class Vanishing(LocalStorage):
        def open(self, path):
            Path(path).unlink()
            return super().open(path)

    with pytest.raises(BadInput, match=r"a\.parquet was removed while the source was listed"):
        open_dataset(Vanishing(), str(tmp_path))


def test_a_name_that_is_no_utf8_is_refused(storage, tmp_path):
    write(tmp_path / "a.parquet", {"n": [1]})
    (tmp_path / "a.parquet").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.parquet"))
    with pytest.raises(BadInput, match=r"the name of .*b\\udcff\.parquet is no UTF-8"):
        open_dataset(storage, str(tmp_path))


def test_a_name_of_a_column_that_is_no_utf8_is_refused(storage, tmp_path):
    path = Path(write(tmp_path / "a.parquet", {"naïve": [1]}, store_schema=False))
    path.write_bytes(path.read_bytes().replace("naïve".encode(), b"na\xff\xffve"))
    with pytest.raises(
        BadInput, match=r"a column of .*a\.parquet, or a field of one, has a name that is no UTF-8"
    ):
        open_dataset(storage, str(path))


@pytest.mark.parametrize("reason", ["Could not read encrypted metadata", "Cannot decrypt ColumnMetadata."])
def test_an_encrypted_file_is_told_as_what_it_is(reason):
    told = unreadable("a.parquet", OSError(reason))
    assert isinstance(told, BadInput)
    assert str(told) == (
        "source: a.parquet is encrypted. Write a copy of it without encryption, and give that"
    )
