"""Which rows a batch holds, and what reading it costs."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from decimal import Decimal
from itertools import accumulate, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.dataset.arrow_types import writable
from runware_provider.engine.dataset.footers import BUFFER_BYTES, open_dataset
from runware_provider.engine.dataset.row_filter import RowFilter
from runware_provider.engine.dataset.source import Dataset, FileRange, first_rows
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import normal_form
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.read_ahead import AHEAD
from tests.engine.dataset.parquet_sources import read, reader, write


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


# Where it ends


@st.composite
def sources(draw):
    """Files, each as the sizes of its row groups, and how wide the texts of each row are."""
    files = draw(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=4))
    rows = sum(map(sum, files))
    return files, draw(st.lists(st.sampled_from([0, 1, 40, 300]), min_size=rows, max_size=rows))


SCHEMA = pa.schema({"n": pa.int64(), "t": pa.string()})


def write_source(folder, files, widths):
    row = 0
    for number, groups in enumerate(files):
        with pq.ParquetWriter(folder / f"{number}.parquet", SCHEMA) as writer:
            for count in groups:
                values = range(row, row + count)
                texts = [
                    "x" * widths[n] for n in values
                ]  # which Parquet holds once, however often they are there
                writer.write_table(pa.table({"n": values, "t": texts}, schema=SCHEMA))
                row += count


@given(
    source=sources(),
    batch_rows=st.integers(1, 120),
    batch_bytes=st.integers(1, 5000),
    limit=st.none() | st.integers(0, 100),
)
def test_every_row_is_in_exactly_one_batch_in_order_and_no_batch_is_too_large(
    tmp_path_factory, source, batch_rows, batch_bytes, limit
):
    folder = tmp_path_factory.mktemp("source")
    write_source(folder, *source)
    dataset = open_dataset(LocalStorage(), str(folder))
    made = reader(LocalStorage(), dataset, batch_rows=batch_rows, batch_bytes=batch_bytes)
    batches = list(made.read(first_rows(dataset, limit)))
    assert [n for _, table in batches for n in table["n"].to_pylist()] == list(range(dataset.rows))[:limit]
    assert [batch.number for batch, _ in batches] == list(range(len(batches)))
    for batch, table in batches:
        assert 1 <= batch.rows == table.num_rows <= batch_rows
        assert table.nbytes <= batch_bytes or table.num_rows == 1
        assert [len(text) for text in table["t"].to_pylist()] == [
            source[1][n] for n in table["n"].to_pylist()
        ]


@given(
    source=sources(),
    places=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120), st.integers(1, 60)), max_size=6),
    batch_rows=st.integers(1, 40),
    picks=st.lists(st.integers(0, 1000), max_size=8),
)
def test_any_ranges_give_their_own_rows_and_any_batch_gives_them_again(
    tmp_path_factory, source, places, batch_rows, picks
):
    folder = tmp_path_factory.mktemp("source")
    write_source(folder, *source)
    dataset = open_dataset(LocalStorage(), str(folder))
    starts = dict(zip([file.path for file in dataset.files], running_total(dataset.files), strict=True))
    ranges = [one for place in places if (one := range_of(dataset, *place)) is not None]
    made = reader(LocalStorage(), dataset, batch_rows=batch_rows, columns=["n"])
    batches = list(made.read(ranges))
    expected = [starts[one.path] + row for one in ranges for row in range(one.start, one.end)]
    assert [n for _, table in batches for n in table["n"].to_pylist()] == expected
    picked = [batches[pick % len(batches)] for pick in picks] if batches else []
    again = reader(LocalStorage(), dataset, batch_rows=3).read_again([batch for batch, _ in picked])
    assert [(batch, table["n"].to_pylist()) for batch, table in again] == [
        (batch, table["n"].to_pylist()) for batch, table in picked
    ]


def running_total(files):
    return [0, *accumulate(file.rows for file in files)][:-1]


def range_of(dataset, file, start, rows):
    chosen = dataset.files[file % len(dataset.files)]
    start = min(start, chosen.rows)
    rows = min(rows, chosen.rows - start)
    return FileRange(chosen.path, start, rows) if rows else None


def test_small_files_share_a_batch(storage, tmp_path):
    for number in range(300):
        write(tmp_path / f"{number:03d}.parquet", {"n": [2 * number, 2 * number + 1]})
    dataset = open_dataset(storage, str(tmp_path))
    batches = list(reader(storage, dataset, batch_rows=500).read(first_rows(dataset)))
    assert [batch.rows for batch, _ in batches] == [500, 100]
    assert [len(batch.ranges) for batch, _ in batches] == [250, 50]
    assert [n for _, table in batches for n in table["n"].to_pylist()] == list(range(600))
    # A column of each file would take half a kilobyte, however few its rows.
    assert all(table["n"].num_chunks < 70 for _, table in batches)


@pytest.mark.parametrize("rows", [8, 100, 1000])
def test_a_batch_is_nearly_full_before_the_next_one_begins(storage, tmp_path, rows):
    for number in range(10):
        write(tmp_path / f"{number}.parquet", {"n": range(333)})
    dataset = open_dataset(storage, str(tmp_path))
    by_rows = list(reader(storage, dataset, batch_rows=rows).read(first_rows(dataset)))
    by_bytes = list(reader(storage, dataset, batch_bytes=8 * rows).read(first_rows(dataset)))
    for batches in (by_rows, by_bytes):
        assert all(0.8 * rows <= batch.rows <= rows for batch, _ in batches[:-1])


def most_allocated(batches):
    """The most bytes that Arrow holds while batches are read, one after the other."""
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for _, table in batches:
        most = max(most, pa.total_allocated_bytes() - before)
        rows += table.num_rows
    return most, rows


def test_rows_that_parquet_holds_once_are_bounded_by_what_they_are_when_decoded(storage, tmp_path):
    document = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), ["x" * 100_000])
    path = write(tmp_path / "a.parquet", pa.table({"n": range(2000), "t": document}), store_schema=False)
    assert Path(path).stat().st_size < 100_000
    dataset = open_dataset(storage, path)
    assert dataset.schema.field("t").type == pa.string()
    most, rows = most_allocated(reader(storage, dataset, batch_bytes=4_000_000).read(first_rows(dataset)))
    assert rows == 2000
    assert most < 12_000_000


def test_rows_that_suddenly_become_large_are_cut_all_the_same(storage, tmp_path):
    places = pa.array([0] * 1000 + [1] * 300, pa.int32())
    texts = pa.DictionaryArray.from_arrays(places, ["x", "x" * 20_000])
    path = write(tmp_path / "a.parquet", pa.table({"t": texts}), store_schema=False)
    dataset = open_dataset(storage, path)
    tables = [table for _, table in reader(storage, dataset, batch_bytes=100_000).read(first_rows(dataset))]
    assert sum(table.num_rows for table in tables) == 1300
    assert all(table.nbytes <= 100_000 for table in tables)


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view(), pa.struct({"t": pa.large_string()})])
def test_whatever_a_text_is_held_in_its_own_bytes_count(storage, tmp_path, kind):
    texts = ["x" * 1000] * 300
    column = [{"t": text} for text in texts] if pa.types.is_struct(kind) else texts
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", {"t": pa.array(column, kind)}))
    batches = list(reader(storage, dataset, batch_bytes=40_000).read(first_rows(dataset)))
    assert sum(batch.rows for batch, _ in batches) == 300
    assert all(30 <= batch.rows <= 40 for batch, _ in batches[:-1])


def test_a_file_that_is_kept_as_a_dictionary_is_not_read_in_many_copies_of_it(storage, tmp_path):
    words = [f"{n:08d} " * 10 for n in range(5000)]
    table = pa.table({"t": pa.array(words).dictionary_encode()})
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", table))
    assert table.nbytes > 400_000
    batches = reader(storage, dataset, batch_rows=5000).read(first_rows(dataset))
    most, rows = most_allocated(batches)
    assert rows == 5000
    assert most < 20 * table.nbytes


def test_a_filter_that_chooses_few_rows_gives_full_batches_and_one_that_chooses_none_signs_of_life(
    storage, tmp_path
):
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", {"n": range(1000), "x": [0] * 1000}))

    def chosen(*condition):
        row_filter = RowFilter.of(normal_form([condition]), dataset.schema)
        made = reader(storage, dataset, batch_rows=10, row_filter=row_filter, columns=["n"])
        return [(batch.rows, table.num_rows) for batch, table in made.read(first_rows(dataset))]

    fives = chosen("n", "in", list(range(0, 1000, 5)))
    assert [rows for _, rows in fives] == [10] * 20
    assert sum(looked_through for looked_through, _ in fives) == 1000
    assert chosen("x", "not in", [0]) == [(200, 0)] * 5


# Which rows


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
        assert [field.type for field in back.schema] == [writable(field.type) for field in table.schema]
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


def test_an_unknown_column_is_refused_with_the_known_ones(storage, tmp_path):
    write(tmp_path / "ds=1" / "a.parquet", {"n": [1]})
    with pytest.raises(BadInput, match=r"columns: 'm' is no column. The data has: n, ds"):
        read(storage, tmp_path, columns=["n", "m"])


@pytest.mark.parametrize(
    ("later", "problem"),
    [
        ({"n": [1, 2]}, "has changed since its footer was read"),
        ({"m": [1]}, "has changed since its footer was read"),
        ({"n": [2]}, "has changed since its footer was read"),
        (None, "is gone since its footer was read"),
    ],
)
def test_a_file_that_is_not_what_it_was_is_refused(storage, tmp_path, later, problem):
    path = write(tmp_path / "a.parquet", {"n": [1]})
    dataset = open_dataset(storage, path)
    Path(path).unlink()
    if later is not None:
        write(tmp_path / "a.parquet", later)
    with pytest.raises(
        BadInput, match=rf"a\.parquet {problem}\. Run again, and write to a source only between"
    ):
        list(reader(storage, dataset).read(first_rows(dataset)))


def test_rows_of_a_file_that_is_no_longer_in_the_source_are_refused(storage, tmp_path):
    dataset = open_dataset(storage, write(tmp_path / "a.parquet", {"n": [1]}))
    with pytest.raises(BadInput, match="no longer in it"):
        list(reader(storage, Dataset((), dataset.schema)).read(first_rows(dataset)))
    with pytest.raises(BadInput, match=r"a\.parquet has 1 rows, and row 3 is to be read"):
        list(reader(storage, dataset).read([FileRange(dataset.files[0].path, 0, 3)]))


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
    content = bytearray(path.read_bytes())
    content[500:900] = bytes(400)
    path.write_bytes(content)
    dataset = open_dataset(storage, str(path))
    with pytest.raises(BadInput, match=r"a\.parquet is not a readable Parquet file"):
        list(reader(storage, dataset, batch_rows=10).read(first_rows(dataset)))


def test_one_enormous_row_group_is_never_held_whole(storage, tmp_path):
    rows = 200_000
    table = pa.table({"n": range(rows), "body": [f"{n:08d} " * 50 for n in range(rows)]})
    path = write(tmp_path / "a.parquet", table, row_group_size=rows)
    assert table.nbytes > 80_000_000
    del table
    dataset = open_dataset(storage, path)
    most, seen = most_allocated(reader(storage, dataset, batch_rows=2000).read(first_rows(dataset)))
    assert seen == rows
    assert most < 20_000_000


class Counted(LocalStorage):
    """Counts the bytes that are read."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def open(self, path):
        return pa.PythonFile(_CountedFile(Path(path).open("rb"), self), mode="r")


class _CountedFile:
    def __init__(self, file, storage):
        self._file = file
        self._storage = storage

    def read(self, size=-1):
        content = self._file.read(size)
        self._storage.bytes += len(content)
        return content

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_the_first_rows_of_an_enormous_row_group_cost_no_more_than_what_is_buffered_of_each_column(tmp_path):
    rows = 20_000
    texts = [f"{n:08d} " * 100 for n in range(rows)]
    table = pa.table({"n": range(rows), "body": texts})
    path = write(tmp_path / "a.parquet", table, row_group_size=rows, compression="none", use_dictionary=False)
    storage = Counted()
    dataset = open_dataset(storage, path)
    batches = reader(storage, dataset, batch_rows=100).read(first_rows(dataset))
    assert next(batches)[1]["n"][0].as_py() == 0
    assert storage.bytes < 4 * BUFFER_BYTES < Path(path).stat().st_size / 4
    batches.close()


class Watched(LocalStorage):
    """Knows which files were opened, in order."""

    def __init__(self):
        super().__init__()
        self.opened = []

    def open(self, path):
        self.opened.append(Path(path).name)
        return super().open(path)


def test_each_file_is_read_in_one_pass(tmp_path):
    storage = Watched()
    for number in range(3):
        write(
            tmp_path / f"{number}.parquet", {"n": range(100 * number, 100 * number + 100)}, row_group_size=10
        )
    dataset = open_dataset(storage, str(tmp_path))
    storage.opened.clear()
    tables = [table for _, table in reader(storage, dataset, batch_rows=7).read(first_rows(dataset))]
    assert all(one["n"][-1].as_py() + 1 == other["n"][0].as_py() for one, other in pairwise(tables))
    assert sorted(storage.opened) == ["0.parquet", "1.parquet", "2.parquet"]


def test_only_a_few_of_the_next_files_are_opened_ahead(tmp_path):
    storage = Watched()
    for number in range(60):
        write(tmp_path / f"{number:02d}.parquet", {"n": [number]})
    dataset = open_dataset(storage, str(tmp_path))
    storage.opened.clear()
    batches = reader(storage, dataset, batch_rows=1).read(first_rows(dataset))
    assert next(batches)[1]["n"].to_pylist() == [0]
    assert len(storage.opened) <= 2 * AHEAD
    assert [n for _, table in batches for n in table["n"].to_pylist()] == list(range(1, 60))
    assert len(storage.opened) == 60


def test_a_reader_that_is_dropped_early_closes_its_files(storage, tmp_path):
    for number in range(30):
        write(tmp_path / f"{number:02d}.parquet", {"n": [number, number]})
    dataset = open_dataset(storage, str(tmp_path))
    batches = reader(storage, dataset, batch_rows=1).read(first_rows(dataset))
    next(batches)
    assert files_open_below(tmp_path) > 0
    batches.close()
    # Nobody waits for those that are being opened at this moment: each is closed once it is there.
    pause = threading.Event()
    for _ in range(3_000):
        if files_open_below(tmp_path) == 0:
            return
        pause.wait(0.01)
    raise AssertionError(f"{files_open_below(tmp_path)} files stay open")


def files_open_below(folder):
    opened = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            opened += str(descriptor.readlink()).startswith(str(folder))
    return opened


class Hanging(LocalStorage):
    """A store that answers no more once its first file was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.goes_on = threading.Event(), threading.Event()

    def open(self, path: str) -> pa.NativeFile:
        if not path.endswith("0.parquet"):
            self.hangs.set()
            self.goes_on.wait(60)
        return super().open(path)


def test_a_source_that_is_left_unread_waits_for_no_store(tmp_path: Path) -> None:
    write_source(tmp_path, [[3], [3], [3]], [1] * 9)
    dataset = open_dataset(LocalStorage(), str(tmp_path))
    storage = Hanging()
    batches = reader(storage, dataset, batch_rows=1).read(first_rows(dataset))
    next(batches)
    # As whoever collects garbage closes it: perhaps a thread that is just beginning, which others wait for.
    closing = threading.Thread(target=batches.close, daemon=True)
    try:
        assert storage.hangs.wait(30)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
    finally:
        storage.goes_on.set()
