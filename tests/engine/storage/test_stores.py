"""What every store does, whichever it is; and which store a path or URL means."""

from __future__ import annotations

import os
import string
import threading
import time
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.s3 import S3Storage
from runware_provider.engine.storage.stores import StoredFile, Stores
from tests.store_servers import SERVERS, server_of

# Everything that a name in a hive partition, or a user, may hold; no control characters, which XML has not.
NAMES = st.text(
    st.one_of(
        st.sampled_from("=%+ ~?#&@:;,'\"()[]{}*äß日"),
        st.sampled_from(string.ascii_letters),
        st.characters(codec="utf-8", categories=["L", "N", "S"]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(params=["local", *SERVERS])
def place(request, tmp_path):
    """A store and a folder in it that is not there yet."""
    if request.param == "local":
        return LocalStorage(), str(tmp_path / "state")
    server = server_of(request.param)
    folder = f"{server.new_place()}/state"
    return Stores(lambda _: server.options()).open(folder), folder


@pytest.fixture
def storage(place):
    return place[0]


@pytest.fixture
def folder(place):
    return place[1]


def test_a_created_file_is_read_as_it_was_written(storage, folder):
    path = storage.join(folder, "a", "b.json")
    assert storage.create_new(path, b"content")
    assert storage.read(path) == b"content"
    assert storage.exists(path)


def test_an_empty_file_and_a_memoryview_can_be_written(storage, folder):
    assert storage.create_new(storage.join(folder, "empty"), b"")
    assert storage.create_new(storage.join(folder, "view"), memoryview(b"abcdef")[2:])
    assert storage.read(storage.join(folder, "empty")) == b""
    assert storage.read(storage.join(folder, "view")) == b"cdef"


def test_creating_a_file_that_exists_leaves_it_alone(storage, folder):
    path = storage.join(folder, "job.json")
    assert storage.create_new(path, b"first")
    assert not storage.create_new(path, b"second")
    assert storage.read(path) == b"first"
    assert [entry.path for entry in storage.list(folder)] == [path]


def test_of_many_threads_that_create_a_file_exactly_one_succeeds(storage, folder):
    path = storage.join(folder, "job.json")
    created: list[int] = []
    start = threading.Barrier(16)

    def create(number: int) -> None:
        start.wait()
        if storage.create_new(path, str(number).encode()):
            created.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [storage.read(path)] == [str(number).encode() for number in created]


def test_reading_what_is_missing_is_an_error_or_none(storage, folder):
    path = storage.join(folder, "missing")
    with pytest.raises(FileNotFoundError):
        storage.read(path)
    with pytest.raises(FileNotFoundError):
        storage.open(path)
    assert storage.read_versioned(path) is None
    assert not storage.exists(path)


def test_replacing_needs_the_version_that_was_read(storage, folder):
    path = storage.join(folder, "manifest.json")
    assert storage.replace_if(path, b"one", None)
    data, version = storage.read_versioned(path)
    assert data == b"one"
    assert storage.replace_if(path, b"two", version)
    assert not storage.replace_if(path, b"three", version)
    assert not storage.replace_if(path, b"three", None)
    assert storage.read(path) == b"two"


def test_a_file_that_vanished_is_not_replaced(storage, folder):
    path = storage.join(folder, "manifest.json")
    storage.create_new(path, b"one")
    _, version = storage.read_versioned(path)
    storage.delete(path)
    assert not storage.replace_if(path, b"two", version)
    assert not storage.exists(path)


def test_of_many_threads_that_count_up_none_loses_a_step(storage, folder):
    path = storage.join(folder, "count")
    storage.create_new(path, b"0")

    def count_up() -> None:
        for _ in range(10):
            done = False
            while not done:
                data, version = storage.read_versioned(path)
                step = f"{int(data.split()[0]) + 1} {uuid.uuid4()}"  # as all that must have one winner
                done = storage.replace_if(path, step.encode(), version)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read(path).split()[0] == b"40"
    assert [entry.path for entry in storage.list(folder)] == [path]


def test_a_copy_takes_the_place_of_what_was_there_and_makes_its_folder(storage, folder):
    source, target = storage.join(folder, "staged", "a"), storage.join(folder, "data", "b")
    other = storage.join(folder, "staged", "other")
    storage.create_new(source, b"x")
    storage.create_new(other, b"y")
    storage.copy(other, target)
    storage.copy(source, target)
    storage.copy(source, target)
    assert (storage.read(target), storage.read(source)) == (b"x", b"x")
    storage.delete(source)
    assert storage.read(target) == b"x"
    assert [entry.path for entry in storage.list(folder)] == [target, other]


def test_a_copy_counts_as_modified_when_it_was_made(storage, folder):
    source, target = storage.join(folder, "a"), storage.join(folder, "b")
    storage.create_new(source, b"x")
    if isinstance(storage, LocalStorage):
        os.utime(source, (1, 1))
    storage.copy(source, target)
    assert time.time() - storage.list(folder)[1].modified < 3600


def test_copying_what_is_missing_is_an_error(storage, folder):
    with pytest.raises(FileNotFoundError):
        storage.copy(storage.join(folder, "a"), storage.join(folder, "b"))
    assert storage.list(folder) == []


def test_a_file_written_piece_by_piece_is_there_as_a_whole_in_the_place_of_what_was(storage, folder):
    path = storage.join(folder, "new", "a")
    storage.create_new(path, b"before")
    with storage.writing(path) as file:
        for _ in range(3):
            file.write(b"piece ")
        assert file.tell() == 18
        assert storage.read(path) == b"before"
    assert storage.read(path) == b"piece piece piece "
    assert [entry.path for entry in storage.list(folder)] == [path]


def test_a_file_whose_writing_fails_leaves_what_was_there(storage, folder):
    path = storage.join(folder, "a")

    def fail() -> None:
        with storage.writing(path) as file:
            file.write(b"half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - that of the line above
        fail()
    assert storage.list(folder) == []
    storage.create_new(path, b"before")
    with pytest.raises(ValueError):  # noqa: PT011 - the same
        fail()
    assert storage.read(path) == b"before"


def test_deleting_twice_is_fine(storage, folder):
    path = storage.join(folder, "a")
    storage.create_new(path, b"")
    storage.delete(path)
    storage.delete(path)
    storage.delete(storage.join(folder, "no", "such", "folder"))
    assert not storage.exists(path)


def test_a_listing_is_sorted_recursive_and_knows_sizes(storage, folder):
    for name in ("b", "a/z", "a/y/x", "c"):
        storage.create_new(storage.join(folder, name), name.encode())
    paths = [f"{folder}/{name}" for name in ("a/y/x", "a/z", "b", "c")]
    assert storage.list(folder) == [StoredFile(path, len(path) - len(folder) - 1) for path in paths]
    assert storage.list(folder + "/") == storage.list(folder)
    assert [entry.path for entry in storage.list(folder, recursive=False)] == paths[2:]
    assert all(entry.modified for entry in storage.list(folder))


def test_a_listing_shows_what_was_written_a_moment_ago(storage, folder):
    assert storage.list(folder) == []
    for number in range(5):
        storage.create_new(storage.join(folder, str(number)), b"")
        assert len(storage.list(folder)) == number + 1


def test_random_access_reads_anywhere(storage, folder):
    path = storage.join(folder, "a")
    storage.create_new(path, b"0123456789")
    with storage.open(path) as file:
        assert file.size() == 10
        file.seek(7)
        assert file.read(2) == b"78"


def test_of_many_threads_that_replace_a_file_exactly_one_succeeds(storage, folder):
    path = storage.join(folder, "manifest.json")
    storage.create_new(path, b"before")
    _, version = storage.read_versioned(path)
    replaced: list[int] = []
    start = threading.Barrier(16)

    def replace(number: int) -> None:
        start.wait()
        if storage.replace_if(path, str(number).encode(), version):
            replaced.append(number)

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [storage.read(path)] == [str(number).encode() for number in replaced]


def test_a_folder_is_neither_there_nor_readable_as_a_file(storage, folder):
    storage.create_new(storage.join(folder, "a", "b"), b"")
    assert not storage.exists(storage.join(folder, "a"))
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        storage.read(storage.join(folder, "a"))
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        storage.open(storage.join(folder, "a"))


def test_a_folder_whose_name_begins_with_anothers_is_not_listed_with_it(storage, folder):
    storage.create_new(storage.join(folder, "a"), b"")
    storage.create_new(f"{folder}-2/b", b"")
    assert [entry.path for entry in storage.list(folder)] == [f"{folder}/a"]


def test_checking_the_conditions_leaves_nothing_behind(storage, folder):
    storage.check_conditions(folder)
    assert storage.list(folder) == []


def test_a_sweep_removes_no_file(storage, folder):
    path = storage.join(folder, "a", "b")
    storage.create_new(path, b"")
    storage.sweep(folder)
    assert storage.exists(path)


def test_a_path_is_the_same_place_in_whatever_way_its_slashes_are_written(storage, folder):
    assert storage.canonical(f"{folder}/a//b/") == storage.canonical(f"{folder}/a/b")
    assert storage.canonical(f"{folder}/a") != storage.canonical(f"{folder}/b")


def test_a_place_elsewhere_is_no_place_here(storage, folder):
    for elsewhere in ("s3://other-bucket/state", "gs://bucket/state", "abfs://bucket/state"):
        assert storage.canonical(elsewhere) == elsewhere
        assert not storage.canonical(elsewhere).startswith(storage.canonical(folder))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=3), data=st.binary(max_size=20))
def test_every_name_comes_back_as_it_was_written(place, names, data):
    storage, folder = place
    fresh = storage.join(folder, uuid.uuid4().hex)
    path = storage.join(fresh, *names)
    assert storage.create_new(path, data)
    assert storage.list(fresh) == [StoredFile(path, len(data))]
    assert storage.read(storage.list(fresh)[0].path) == data
    assert storage.exists(path)
    copy = storage.join(fresh, *names[:-1], f"{names[-1]} 2")
    storage.copy(path, copy)
    assert storage.read(copy) == data
    for written in (path, copy):
        storage.delete(written)
    assert storage.list(fresh) == []


def test_hive_partitions_with_spaces_and_percent_signs_are_listed_as_written(storage, folder):
    path = storage.join(folder, "ds=2026-01-01", "city=K%C3%B6ln am Rhein", "part 1.parquet")
    storage.create_new(path, b"x")
    assert [entry.path for entry in storage.list(folder)] == [path]


def test_parquet_is_read_through_a_store(storage, folder):
    table = pa.table({"n": range(1000), "text": [f"row {n}" for n in range(1000)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=100)
    path = storage.join(folder, "a.parquet")
    storage.create_new(path, sink.getvalue().to_pybytes())
    with storage.open(path) as file:
        assert pq.ParquetFile(file, buffer_size=4096).read().equals(table)


def test_a_file_stays_open_for_a_second_reader(storage, folder):
    path = storage.join(folder, "a")
    storage.create_new(path, b"0123456789")
    with storage.open(path) as first, storage.open(path) as second:
        first.seek(5)
        assert (second.read(2), first.read(2)) == (b"01", b"56")


@pytest.mark.parametrize(
    "url", ["GS:/bucket", "s3:/bucket", "https://host/file", "s3b://bucket/key", "wasb://bucket/key"]
)
def test_other_stores_are_refused_by_the_name_that_the_user_knows(url):
    with pytest.raises(BadInput, match=r"source: .*:// is not supported"):
        Stores().open(url, field="source")


@pytest.mark.parametrize("url", ["s3://", "s3:///key", "s3://a/key", "s3://conn@/key", "s3://spa ce/key"])
def test_an_s3_url_without_a_bucket_is_refused(url):
    with pytest.raises(BadInput, match=r"source: .* names no bucket"):
        Stores().open(url, field="source")


def test_another_host_is_refused():
    with pytest.raises(BadInput, match=r"'file://server[^']*' names a host"):
        Stores().open("file://server/share")
    with pytest.raises(BadInput):
        LocalStorage().create_new("s3://bucket/key", b"")


def test_a_plain_path_and_a_file_url_are_opened():
    assert isinstance(Stores().open("/data"), LocalStorage)
    assert isinstance(Stores().open("file:///data"), LocalStorage)


@pytest.mark.parametrize("url", ["s3://bucket/key", "S3://bucket", "s3a://bucket/key"])
def test_s3_urls_are_opened_without_asking_anybody(url):
    assert isinstance(Stores(lambda _: {"region": "us-east-1"}).open(url), S3Storage)


@pytest.mark.parametrize("options", [{"endpoint": "no url"}, {"region": "no region!"}])
def test_options_that_are_no_use_are_refused_without_quoting_them(options):
    with pytest.raises(BadInput, match=r"s3://bucket: its endpoint, region or profile") as refused:
        Stores(lambda _: {**options, "secret": "very-secret"}).open("s3://bucket/key")
    assert "very-secret" not in str(refused.value)


def test_stores_open_each_bucket_with_its_options_once():
    asked: list[str | None] = []

    def options_for(place: Any) -> dict[str, str]:
        asked.append(place.conn_id)
        return {"region": "eu-west-1" if place.conn_id == "europe" else "us-east-1"}

    stores = Stores(options_for)
    lake = stores.open("s3://lake/a")
    assert stores.open("s3a://lake/b") is lake
    assert stores.open("s3://same@lake/b") is lake
    assert stores.open("s3://europe@lake/b") is not lake
    assert stores.open("s3://pond/b") is not lake
    assert asked == [None, "same", "europe"]
    assert stores.open("/a") is stores.open("file:///b")


def test_credentials_that_are_new_each_time_make_no_other_store():
    stores = Stores(lambda _: {"token": uuid.uuid4().hex, "region": "us-east-1"})
    lake = stores.open("s3://role@lake/a")
    stores.open_beside(lake, "s3://role@lake/a.state", field="state")


def test_a_connection_outside_of_airflow_is_refused_by_its_name():
    with pytest.raises(BadInput, match=r"connection 'lake_aws': .*outside of Airflow"):
        Stores().open("s3://lake_aws@lake/a")


@pytest.mark.parametrize(
    ("url", "state"),
    [("s3://lake/a", "s3://pond/a.state"), ("s3://lake", "s3://lake.state"), ("/a", "s3://lake/b")],
)
def test_a_state_folder_in_another_store_is_refused(url, state):
    stores = Stores()
    storage = stores.open(url)
    with pytest.raises(BadInput, match=r"^state: .* does not lie in the destination's store"):
        stores.open_beside(storage, state, field="state")
    stores.open_beside(storage, url + "/x", field="state")


def test_a_stamp_changes_with_the_content_and_with_nothing_else(place):
    storage, folder = place
    path = storage.join(folder, "a")
    storage.create_new(path, b"one")
    with storage.open(path) as opened:
        first = storage.stamp(path, opened)
        assert storage.stamp(path, opened) == first
    with storage.open(path) as opened:
        assert storage.stamp(path, opened) == first
    storage.replace_if(path, b"two", storage.read_versioned(path)[1])
    with storage.open(path) as opened:
        assert storage.stamp(path, opened) != first
