"""Which files a source is made of, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.source_files import would_read
from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.dataset.parquet_sources import read, write

if TYPE_CHECKING:
    from runware_provider.engine.dataset.source import Dataset


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


def names(dataset: Dataset) -> list[str]:
    return [Path(file.path).name for file in dataset.files]


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
        with pytest.raises(BadInput, match=r"there is nothing at|nothing fits") as caught:
            open_dataset(storage, source)
        assert source in caught.value.problem
        assert caught.value.field == "source"


def test_a_folder_without_parquet_says_what_was_looked_for(storage, tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "_b.parquet").touch()
    with pytest.raises(BadInput, match=r"none of the 2 files.*\.parquet"):
        open_dataset(storage, str(tmp_path))


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
