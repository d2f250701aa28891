"""S3 when the network and the store misbehave, over real sockets."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tenacity
from hypothesis import given, settings
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_reader import BLOCK_BYTES, TAIL_BYTES, ObjectReader
from runware_provider.engine.storage.s3 import S3Storage
from runware_provider.engine.storage.s3_client import S3Client
from tests.s3.proxy import (
    FaultProxy,
    ForgetTheRest,
    IgnoreConditions,
    LoseReply,
    Refuse,
    StaleListing,
)
from tests.s3.server import SECRET, shared_server

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = tenacity.wait_none()
ONE_TRY = {"give_up_s": "0"}
UNTIL_REFUSED = {"give_up_s": "0.05"}


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(shared_server().endpoint_url) as running:
        yield running


@pytest.fixture
def bucket() -> str:
    return shared_server().new_bucket()


@pytest.fixture
def folder(bucket) -> str:
    return f"s3://{bucket}/state"


@pytest.fixture
def path(folder) -> str:
    return f"{folder}/job.json"


@pytest.fixture
def storage(proxy, bucket) -> S3Storage:
    return a_storage(proxy, bucket)


def a_client(proxy, bucket, **options) -> S3Client:
    return S3Client(
        bucket, {**shared_server().options(endpoint=proxy.endpoint_url), **options}, back_off=AT_ONCE
    )


def a_storage(proxy, bucket, **options) -> S3Storage:
    return S3Storage(bucket, client=a_client(proxy, bucket, **options))


def methods(proxy) -> list[str]:
    return [seen.request.method for seen in proxy.seen]


def fetched(proxy) -> int:
    return sum(len(seen.reply.body) for seen in proxy.seen if seen.reply is not None)


# Replies that are lost


def test_a_file_whose_creation_was_not_answered_is_known_to_be_ours(storage, proxy, path):
    proxy.add(LoseReply(), method="PUT", times=1)
    assert storage.create_new(path, b"ours")
    assert methods(proxy) == ["PUT", "PUT", "GET"]


def test_a_copy_never_passes_through_this_process(storage, proxy, folder, path):
    storage.create_new(path, b"part" * 1000)
    before = len(proxy.seen)
    storage.copy(path, f"{folder}/copy")
    (asked,) = proxy.seen[before:]
    assert (asked.request.method, asked.request.body) == ("PUT", b"")


def test_a_file_written_piece_by_piece_is_sent_whole_however_often_it_is_sent(storage, proxy, path):
    proxy.add(LoseReply(), method="PUT", times=1)
    proxy.add(Refuse(503, "SlowDown"), method="PUT", times=1)
    with storage.writing(path) as file:
        file.write(b"a" * 100_000)
        file.write(b"b" * 100_000)
    assert storage.read(path) == b"a" * 100_000 + b"b" * 100_000
    assert all(seen.request.header("Content-MD5") for seen in proxy.seen if seen.request.method == "PUT")


def test_a_deletion_whose_reply_was_lost_is_done(storage, proxy, path):
    storage.create_new(path, b"")
    proxy.add(LoseReply(), method="DELETE", times=1)
    storage.delete(path)
    assert not storage.exists(path)


def test_a_write_that_cannot_be_checked_is_an_error_and_neither_true_nor_false(proxy, bucket, path):
    storage = a_storage(proxy, bucket, **UNTIL_REFUSED)
    storage.create_new(path, b"theirs")
    proxy.add(Refuse(503), method="GET")
    with pytest.raises(OSError, match="503 SlowDown"):
        storage.create_new(path, b"ours")


def test_a_listing_that_says_there_is_more_and_not_where_is_never_taken_for_its_end(storage, proxy, folder):
    for number in range(3):
        storage.create_new(f"{folder}/{number}", b"")
    proxy.add(ForgetTheRest(), method="LIST")
    with pytest.raises(OSError, match="broke off a listing"):
        storage.list(folder)


# Throttling


@pytest.mark.parametrize("status", [409, 500, 503])
def test_what_passes_is_tried_again(storage, proxy, path, status):
    proxy.add(Refuse(status), method="PUT", times=3)
    assert storage.create_new(path, b"x")
    assert methods(proxy) == ["PUT"] * 4


def test_throttling_in_the_middle_of_a_listing_loses_nothing(storage, proxy, folder):
    for number in range(5):
        storage.create_new(f"{folder}/{number}", b"")
    proxy.add(Refuse(503), method="LIST", skip=1, times=2)
    proxy.add(StaleListing(page=2))
    assert [entry.path for entry in storage.list(folder)] == [f"{folder}/{n}" for n in range(5)]


@pytest.mark.parametrize("what", ["list", "exists", "read", "read_versioned", "open", "delete"])
def test_throttling_without_end_is_an_error_and_never_an_empty_answer(proxy, bucket, path, what):
    storage = a_storage(proxy, bucket, **UNTIL_REFUSED)
    proxy.add(Refuse(503))
    proxy.add(Refuse(503), method="LIST")
    with pytest.raises(OSError, match=r"the store (answered 503|could not)") as refused:
        getattr(storage, what)(path)
    assert type(refused.value) is OSError
    assert refused.value.errno == errno.EIO
    assert refused.value.filename == path


def test_only_one_try_is_made_when_there_is_no_time(proxy, bucket, path):
    proxy.add(Refuse(503))
    with pytest.raises(OSError, match="503 SlowDown, again and again"):
        a_storage(proxy, bucket, **ONE_TRY).create_new(path, b"x")
    assert methods(proxy) == ["PUT"]


def test_what_does_not_pass_is_not_tried_again(storage, proxy, path):
    proxy.add(Refuse(501))
    with pytest.raises(OSError, match="501 NotImplemented"):
        storage.create_new(path, b"x")
    assert methods(proxy) == ["PUT"]


def test_a_store_that_is_not_there_is_an_error_that_names_the_place(bucket, path):
    with FaultProxy(shared_server().endpoint_url) as gone:
        storage = a_storage(gone, bucket, **UNTIL_REFUSED)
    with pytest.raises(OSError, match="could not be reached") as refused:
        storage.list(path)
    assert refused.value.filename == path


# Listings


def test_a_listing_of_many_pages_is_whole(storage, proxy, folder):
    names = [f"{folder}/{number:02d}" for number in range(11)]
    for name in names:
        storage.create_new(name, b"")
    proxy.add(StaleListing(page=2))
    assert [entry.path for entry in storage.list(folder)] == names
    assert [entry.path for entry in storage.list(folder, recursive=False)] == names


def test_every_listing_asks_the_store_anew(storage, proxy, folder, path):
    storage.create_new(path, b"")
    proxy.seen.clear()
    for _ in range(3):
        storage.list(folder)
    assert methods(proxy) == ["GET"] * 3


def test_a_stale_listing_is_told_as_the_store_tells_it_and_the_next_one_is_right(
    storage, proxy, bucket, folder
):
    for number in range(3):
        storage.create_new(f"{folder}/{number}", b"")
    before = proxy.objects(bucket)
    storage.delete(f"{folder}/0")
    storage.create_new(f"{folder}/3", b"")

    def listed() -> list[str]:
        return [entry.path.rpartition("/")[2] for entry in storage.list(folder)]

    proxy.add(StaleListing(frozen=before), times=1)
    assert listed() == ["0", "1", "2"]
    proxy.add(StaleListing(without_newest=1), times=1)
    assert listed() == ["1", "2"]
    proxy.add(StaleListing(with_deleted=True), times=1)
    assert listed() == ["0", "1", "2", "3"]
    assert listed() == ["1", "2", "3"]


def test_what_a_stale_listing_hides_is_neither_created_again_nor_missing(storage, proxy, folder, path):
    storage.create_new(path, b"there")
    proxy.add(StaleListing(without_newest=1))
    assert storage.list(folder) == []
    assert storage.exists(path)
    assert not storage.create_new(path, b"other")


def test_marks_of_empty_folders_are_no_files(storage, bucket, folder):
    url = f"{shared_server().endpoint_url}/{bucket}/state/"
    httpx.put(url, trust_env=False).raise_for_status()
    httpx.put(f"{url}empty/", trust_env=False).raise_for_status()
    assert storage.list(folder) == []
    assert not storage.exists(f"{folder}/")


@pytest.mark.parametrize("key", ["a//b", "/a", "a/../b", "./a", "a/./b"])
def test_keys_are_taken_as_they_are_written(storage, bucket, key):
    path = f"s3://{bucket}/{key}"
    storage.create_new(path, b"x")
    assert [entry.path for entry in storage.list(f"s3://{bucket}")] == [path]
    assert storage.read(path) == b"x"


def test_a_listing_comes_in_the_spelling_that_was_asked(storage, bucket):
    storage.create_new(f"s3://{bucket}/in/a", b"")
    for spelled in (f"s3a://{bucket}/in", f"s3://my_conn@{bucket}/in", f"s3://{bucket}/in/"):
        (entry,) = storage.list(spelled)
        assert entry.path == f"{spelled.rstrip('/')}/a"
        assert storage.exists(entry.path)
        assert storage.canonical(entry.path) == f"s3://{bucket}/in/a"


# Stores that cannot be used


def test_a_store_with_conditional_writes_passes_and_nothing_is_left(storage, bucket, folder):
    storage.check_conditions(folder)
    assert storage.list(f"s3://{bucket}") == []


def test_a_store_that_ignores_the_conditions_is_refused(storage, proxy, bucket, folder):
    proxy.add(IgnoreConditions())
    with pytest.raises(BadInput, match=r"^state: the store of s3://.* does not refuse to create what exists"):
        storage.check_conditions(folder, field="state")
    assert storage.list(f"s3://{bucket}") == []


def test_a_store_that_ignores_only_if_match_is_refused(storage, proxy, folder):
    # Two creations are answered right; the third write is the swap.
    proxy.add(IgnoreConditions(), method="PUT", skip=2)
    with pytest.raises(BadInput, match="does not refuse to replace what has changed"):
        storage.check_conditions(folder)


def test_a_store_that_throttles_is_not_refused_for_good(proxy, bucket, folder):
    proxy.add(Refuse(503))
    with pytest.raises(OSError, match="503 SlowDown"):
        a_storage(proxy, bucket, **UNTIL_REFUSED).check_conditions(folder)


@pytest.mark.parametrize("what", ["list", "exists", "read", "read_versioned", "open", "delete"])
def test_a_missing_bucket_is_neither_empty_nor_a_missing_file(proxy, what):
    storage = a_storage(proxy, "no-such-bucket")
    with pytest.raises(NotADirectoryError, match="there is no bucket 'no-such-bucket'"):
        getattr(storage, what)("s3://no-such-bucket/a")


def test_a_missing_bucket_is_the_users_mistake_before_anything_is_paid(proxy):
    storage = a_storage(proxy, "no-such-bucket")
    with pytest.raises(BadInput, match=r"destination: .*there is no bucket 'no-such-bucket'"):
        storage.check_conditions("s3://no-such-bucket/state")


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_refused_credentials_are_told_without_quoting_them(storage, proxy, folder, code, caplog):
    caplog.set_level(logging.DEBUG, logger="runware_provider")
    proxy.add(Refuse(403, code))
    with pytest.raises(PermissionError, match=f"403 {code}") as refused:
        storage.read(f"{folder}/a")
    with pytest.raises(BadInput, match=code) as bad:
        storage.check_conditions(folder)
    said = f"{refused.value}{refused.value!r}{bad.value}{storage!r}{storage._client!r}{caplog.text}"
    assert SECRET not in said
    assert methods(proxy)[:1] == ["GET"]


def test_no_credentials_at_all_are_the_users_mistake(proxy, bucket, folder, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    storage = S3Storage(bucket, {"endpoint": proxy.endpoint_url})
    with pytest.raises(BadInput, match="no credentials for S3 could be had"):
        storage.check_conditions(folder)
    assert proxy.seen == []


def test_the_environment_names_store_and_credentials(proxy, bucket, path, monkeypatch):
    for name, value in shared_server().environment(endpoint=proxy.endpoint_url).items():
        monkeypatch.setenv(name, value)
    assert S3Storage(bucket).create_new(path, b"x")
    assert methods(proxy) == ["PUT"]


def test_credentials_that_expire_are_renewed_once(proxy, bucket, path):
    renewed: list[str] = []

    def renew() -> dict[str, str]:
        renewed.append("again")
        return shared_server().options(endpoint=proxy.endpoint_url)

    client = S3Client(bucket, renew(), renew=renew, back_off=AT_ONCE)
    proxy.add(Refuse(400, "ExpiredToken"), times=1)
    assert S3Storage(bucket, client=client).create_new(path, b"x")
    assert renewed == ["again"] * 2


def test_a_path_in_another_bucket_is_refused(storage):
    with pytest.raises(BadInput, match="is not in the bucket"):
        storage.read("s3://another-bucket/a")


def test_a_whole_bucket_is_no_file(storage, bucket):
    assert not storage.exists(f"s3://{bucket}")
    with pytest.raises(IsADirectoryError):
        storage.create_new(f"s3://{bucket}/", b"")


# Random access


def a_parquet_file(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": range(rows)}), sink, compression="none", use_dictionary=False)
    return sink.getvalue().to_pybytes()


def test_a_footer_is_read_with_one_short_request(storage, proxy, path):
    data = a_parquet_file(200_000)
    storage.create_new(path, data)
    proxy.seen.clear()
    with storage.open(path) as file:
        assert pq.read_metadata(file).num_rows == 200_000
    assert len(proxy.seen) == 1
    assert fetched(proxy) == TAIL_BYTES < len(data) // 10


def test_a_column_is_read_by_ranges(storage, proxy, path):
    data = a_parquet_file(200_000)
    storage.create_new(path, data)
    proxy.seen.clear()
    with storage.open(path) as file:
        parquet = pq.ParquetFile(file, buffer_size=1 << 20)
        assert sum(batch.num_rows for batch in parquet.iter_batches()) == 200_000
    assert fetched(proxy) < len(data) + TAIL_BYTES + 2 * BLOCK_BYTES
    assert all(seen.request.header("Range") for seen in proxy.seen)


@pytest.fixture(scope="module")
def long_object() -> Iterator[tuple[S3Client, bytes]]:
    with FaultProxy(shared_server().endpoint_url) as running:
        bucket = shared_server().new_bucket()
        data = bytes(range(256)) * (2 * BLOCK_BYTES // 256) + b"end" * TAIL_BYTES
        client = a_client(running, bucket)
        client.put("long", "long", data)
        yield client, data


@settings(max_examples=25, deadline=None)
@given(
    reads=st.lists(
        st.tuples(st.integers(0, 2 * BLOCK_BYTES + 4 * TAIL_BYTES), st.integers(0, 2 * BLOCK_BYTES)),
        max_size=8,
    )
)
def test_any_range_is_what_it_is_in_the_whole(long_object, reads):
    client, data = long_object
    reader = ObjectReader(client, "long", "long")
    for start, length in reads:
        reader.seek(start)
        assert reader.read(length) == data[start : start + length]


def test_an_empty_object_is_opened_where_the_store_has_no_range_for_it(storage, proxy, path):
    storage.create_new(path, b"")
    proxy.add(Refuse(416, "InvalidRange"), method="GET", times=1)
    assert storage.open(path).read() == b""


def test_a_file_that_is_replaced_while_it_is_read_is_an_error_and_no_mixture(storage, path):
    storage.create_new(path, b"a" * (BLOCK_BYTES + TAIL_BYTES))
    _, version = storage.read_versioned(path)
    with storage.open(path) as file:
        storage.replace_if(path, b"b" * (BLOCK_BYTES + TAIL_BYTES), version)
        with pytest.raises(OSError, match="was replaced while it was read") as stale:
            file.read()
    assert stale.value.errno == errno.ESTALE


def test_an_error_of_the_store_comes_through_arrow_as_what_it_is(proxy, bucket, path):
    storage = a_storage(proxy, bucket, **UNTIL_REFUSED)
    storage.create_new(path, a_parquet_file(200_000))
    with storage.open(path) as file:
        parquet = pq.ParquetFile(file)
        proxy.add(Refuse(503))
        with pytest.raises(OSError, match="503 SlowDown") as refused:
            parquet.read()
    assert refused.value.errno == errno.EIO
