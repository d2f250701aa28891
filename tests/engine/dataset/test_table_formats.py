"""The folders of table formats are refused, since only the format knows which of their rows count."""

from __future__ import annotations

import pytest

from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.table_formats import may_be_inside
from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.dataset.parquet_sources import write

UUID = "0198c0de-0000-7000-8000-000000000001"
TABLES = {
    "Delta Lake": ("_delta_log/00000000000000000000.json", "country=de/part-0.parquet"),
    "Delta Lake by its checkpoints": ("_delta_log/00000000000000000010.checkpoint.parquet", "part-0.parquet"),
    "Apache Iceberg": ("metadata/00001-a.metadata.json", "data/day=1/0.parquet"),
    "Apache Iceberg, compressed": ("metadata/v2.metadata.json.gz", "data/0.parquet"),
    "Apache Hudi": (".hoodie/hoodie.properties", "a_0-1-0_20260101.parquet"),
    "Apache Paimon": ("snapshot/snapshot-1", "bucket-0/data-1.parquet"),
    "DuckLake": (f"ducklake-{UUID}-delete.parquet", f"ducklake-{UUID}.parquet"),
    "Hive ACID": ("delete_delta_0000002_0000002_0000/bucket_00000", "base_0000001/000000_0.parquet"),
    "Hive ACID, after ten million writes": (
        "delta_9999999_10000000_0000/000000_0",
        "base_10000001_v0000003/bucket_00000.parquet",
    ),
    "Apache Hudi by its partitions": (".hoodie_partition_metadata", "a_0-1-0_20260101.parquet"),
    "Spark's streaming sink": ("_spark_metadata/0", "part-00000.parquet"),
}


def table(folder, name: str) -> None:
    mark, data = TABLES[name]
    write(folder / data, {"n": [1]})
    (folder / mark).parent.mkdir(parents=True, exist_ok=True)
    (folder / mark).touch()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("source", ["{}", "{}/", "{}/lake", "{}/lake/**/*.parquet", "{}/*/*", "{}/l*"])
def test_a_table_and_a_folder_with_one_in_it_are_refused_with_what_to_do(tmp_path, name, source) -> None:
    table(tmp_path / "lake", name)
    with pytest.raises(
        BadInput, match=rf"has files of {name.partition(',')[0].partition(' by')[0]} \(.*/lake\)"
    ) as caught:
        open_dataset(LocalStorage(), source.format(tmp_path))
    assert caught.value.field == "source"
    assert "snapshot of the table" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("Delta Lake", "country=de"),
        ("Delta Lake", "Ab"),
        ("Apache Hudi", "americas"),
        ("Apache Iceberg", "data/0101/1100/0011/11001010/day=1"),
        ("Delta Lake", "country=de/*.parquet"),
        ("Apache Iceberg", "data"),
        ("Apache Iceberg", "data/day=1"),
        ("Apache Iceberg", "data/day=1/*.parquet"),
        ("Apache Paimon", "bucket-0"),
    ],
)
def test_a_folder_inside_of_a_table_is_refused_too(tmp_path, name, inside) -> None:
    table(tmp_path / "lake", name)
    write(tmp_path / "lake" / inside.removesuffix("/*.parquet") / "a.parquet", {"n": [1]})
    with pytest.raises(BadInput, match=rf"has files of {name} \(.*/lake\)"):
        open_dataset(LocalStorage(), f"{tmp_path}/lake/{inside}")


def test_a_partition_of_hudi_tells_itself(tmp_path) -> None:
    table(tmp_path / "lake" / "2026" / "01", "Apache Hudi by its partitions")
    with pytest.raises(BadInput, match="has files of Apache Hudi"):
        open_dataset(LocalStorage(), f"{tmp_path}/lake/2026/01")


@pytest.mark.parametrize("name", ["metadata", "snapshot", "_delta_log"])
def test_files_above_that_are_called_like_the_marks_of_tables_are_in_nobodys_way(tmp_path, name) -> None:
    write(tmp_path / "data" / "a.parquet", {"n": [1]})
    (tmp_path / name).touch()
    assert open_dataset(LocalStorage(), f"{tmp_path}/data").rows == 1


class Unlistable(LocalStorage):
    """Nobody may look above the source."""

    def list(self, folder: str, **options):
        if not folder.endswith("data"):
            raise PermissionError(13, "Permission denied", folder)
        return super().list(folder, **options)


def test_a_folder_above_that_nobody_may_list_is_in_nobodys_way(tmp_path) -> None:
    write(tmp_path / "data" / "a.parquet", {"n": [1]})
    assert open_dataset(Unlistable(), f"{tmp_path}/data").rows == 1


@pytest.mark.parametrize(
    ("folder", "above"),
    [
        ("/lake/orders/ds=1", ["/lake/orders", "/lake"]),
        ("/lake/orders", ["/lake"]),
        ("/lake", []),
        ("s3://bucket/data/0101/11110000", ["s3://bucket/data/0101", "s3://bucket/data", "s3://bucket"]),
        ("s3://bucket", []),
        ("", []),
    ],
)
def test_it_is_looked_above_as_far_as_the_folders_are_called_like_those_of_a_table(folder, above) -> None:
    assert list(may_be_inside(folder)) == above


def test_a_relative_path_is_looked_at_from_above_too(tmp_path, monkeypatch) -> None:
    table(tmp_path, "Delta Lake")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="Delta Lake"):
        open_dataset(LocalStorage(), "country=de")


def test_a_table_without_parquet_is_refused_as_what_it_is(tmp_path) -> None:
    for name in ("_versions/1.manifest", "data/0.lance"):
        (tmp_path / "a.lance" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a.lance" / name).touch()
    with pytest.raises(BadInput, match="files of Lance"):
        open_dataset(LocalStorage(), f"{tmp_path}/a.lance")


@pytest.mark.parametrize("name", TABLES)
def test_a_single_file_and_files_beside_a_table_are_read(tmp_path, name) -> None:
    table(tmp_path / "lake", name)
    write(tmp_path / "plain" / "a.parquet", {"n": [1, 2]})
    assert open_dataset(LocalStorage(), f"{tmp_path}/lake/{TABLES[name][1]}").rows == 1
    assert open_dataset(LocalStorage(), f"{tmp_path}/plain").rows == 2
    assert open_dataset(LocalStorage(), f"{tmp_path}/p*/*.parquet").rows == 2


@pytest.mark.parametrize(
    "name",
    [
        "metadata/notes.json",
        "data/a.parquet",
        "snapshot/a.parquet",
        "base_20260101/a.parquet",
        "delta_20260101_20260102/a.parquet",
        "delta_9999999_20260102/a.parquet",
    ],
)
def test_folders_that_are_only_called_like_those_of_a_table_are_read(tmp_path, name) -> None:
    write(tmp_path / "plain" / name, {"n": [1]})
    write(tmp_path / "plain" / "b.parquet", {"n": [1]})
    assert open_dataset(LocalStorage(), f"{tmp_path}/plain").rows >= 1
    assert (
        open_dataset(LocalStorage(), f"{tmp_path}/plain/data").rows == 1 if name.startswith("data") else True
    )


def test_what_a_writer_left_or_is_writing_is_told(tmp_path) -> None:
    write(tmp_path / "day=1" / "a.parquet", {"n": [1]})
    write(tmp_path / "day=1" / "_temporary" / "0" / "b.parquet", {"n": [1]})
    dataset = open_dataset(LocalStorage(), str(tmp_path))
    assert dataset.rows == 1
    (warning,) = dataset.warnings
    assert warning.startswith(f"{tmp_path}/day=1/_temporary was left by a writer")


def test_a_write_that_was_begun_and_not_committed_is_told(tmp_path) -> None:
    for day, marks in (
        ("day=1", ["_started_17", "_committed_17"]),
        ("day=2", ["_started_18", "_committed_17"]),
    ):
        write(tmp_path / day / "a.parquet", {"n": [1]})
        for mark in marks:
            (tmp_path / day / mark).touch()
    (warning,) = open_dataset(LocalStorage(), str(tmp_path)).warnings
    assert warning.startswith(f"{tmp_path}/day=2/_started_18 was left by a writer")
