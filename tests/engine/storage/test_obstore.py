"""Google Cloud Storage and Azure when the network and the store misbehave, over real sockets."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.object_place import object_place
from runware_provider.engine.storage.object_reader import BLOCK_BYTES, TAIL_BYTES, ObjectReader
from runware_provider.engine.storage.obstore_client import PIECE_BYTES, ObstoreClient
from runware_provider.engine.storage.obstore_storage import ObstoreStorage
from tests.azure.server import ACCOUNT, KEY
from tests.google.server import TOKEN, shared_google
from tests.s3.proxy import (
    FaultProxy,
    IgnoreConditions,
    LoseReply,
    Refuse,
    SeemsEmpty,
    StaleListing,
)
from tests.store_bench import AT_ONCE, Bench, a_bench

if TYPE_CHECKING:
    from collections.abc import Iterator


PROJECT = Path(__file__).resolve().parents[3]
ONE_TRY = {"give_up_s": "0"}
UNTIL_REFUSED = {"give_up_s": "0.05"}
SERVERS = ("google", "azure")


@pytest.fixture(params=SERVERS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from a_bench(request.param)


@pytest.fixture
def google() -> Iterator[Bench]:
    yield from a_bench("google")


@pytest.fixture
def azure() -> Iterator[Bench]:
    yield from a_bench("azure")


@pytest.fixture
def proxy(bench: Bench) -> FaultProxy:
    return bench.proxy


@pytest.fixture
def storage(bench: Bench) -> ObstoreStorage:
    return bench.storage()


@pytest.fixture
def folder(bench: Bench) -> str:
    return bench.folder


@pytest.fixture
def path(bench: Bench) -> str:
    return bench.path


# Replies that are lost


def test_a_file_whose_creation_was_not_answered_is_known_to_be_ours(bench, storage, proxy, path):
    proxy.add(LoseReply(), method="PUT", times=1)
    assert storage.create_new(path, b"ours")
    assert bench.asked() == ["PUT", "PUT", "GET"]


def test_a_copy_never_passes_through_this_process(storage, proxy, folder, path):
    storage.create_new(path, b"part" * 1000)
    before = len(proxy.seen)
    storage.copy(path, f"{folder}/copy")
    asked = [seen.request for seen in proxy.seen[before:]]
    assert [request.body for request in asked if request.method == "PUT"] == [b""]
    assert {request.method for request in asked} <= {"PUT", "HEAD"}


def test_a_long_file_is_sent_in_pieces_and_whole_however_often_one_is_sent(storage, proxy, path):
    proxy.add(LoseReply(), method="PUT", times=1)
    proxy.add(Refuse(503), method="PUT", times=1)
    content = bytes(range(256)) * (2 * PIECE_BYTES // 256) + b"end"
    with storage.writing(path) as file:
        file.write(content)
    assert storage.read(path) == content
    longest = max(len(seen.request.body) for seen in proxy.seen)
    assert longest == PIECE_BYTES


def test_a_deletion_whose_reply_was_lost_is_done(storage, proxy, path):
    storage.create_new(path, b"")
    proxy.add(LoseReply(), times=1)
    storage.delete(path)
    assert not storage.exists(path)


def test_a_write_that_cannot_be_checked_is_an_error_and_neither_true_nor_false(bench, proxy, path):
    storage = bench.storage(**UNTIL_REFUSED)
    storage.create_new(path, b"theirs")
    proxy.add(Refuse(503), method="GET")
    with pytest.raises(OSError, match="503 SlowDown"):
        storage.create_new(path, b"ours")


def test_a_conflict_that_decides_nothing_is_no_object_that_exists(storage, proxy, path):
    proxy.add(Refuse(409, "OperationAborted"), method="PUT", times=1)
    assert storage.create_new(path, b"ours")
    assert storage.read(path) == b"ours"


def test_a_conflict_that_goes_on_is_an_error_and_no_lost_race(bench, proxy, path):
    proxy.add(Refuse(409, "OperationAborted"), method="PUT")
    with pytest.raises(OSError, match="409 OperationAborted, again and again") as undecided:
        bench.storage(**UNTIL_REFUSED).create_new(path, b"ours")
    assert undecided.value.errno == errno.EIO


def test_a_blob_that_somebody_has_leased_is_an_error_and_no_lost_race(azure):
    storage = azure.storage()
    storage.create_new(azure.path, b"one")
    _, version = storage.read_versioned(azure.path)
    azure.proxy.add(Refuse(412, "LeaseIdMissing"), method="PUT")
    with pytest.raises(OSError, match="412 LeaseIdMissing"):
        storage.replace_if(azure.path, b"two", version)


def test_a_copy_that_azure_has_only_begun_is_asked_for_until_it_is_whole(azure):
    storage = azure.storage()
    storage.create_new(azure.path, b"part")
    azure.proxy.seen.clear()
    azure.proxy.add(SeemsEmpty(), method="HEAD", key="copy", times=2)
    storage.copy(azure.path, f"{azure.folder}/copy")
    assert azure.asked().count("PUT") == 3
    assert storage.read(f"{azure.folder}/copy") == b"part"


# Throttling


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(bench, storage, proxy, path, status):
    proxy.add(Refuse(status, "Busy"), method="PUT", times=3)
    assert storage.create_new(path, b"x")
    assert bench.asked() == ["PUT"] * 4


def test_throttling_in_the_middle_of_a_listing_loses_nothing(google):
    storage = google.storage()
    for number in range(5):
        storage.create_new(f"{google.folder}/{number}", b"")
    google.proxy.add(Refuse(503), method="LIST", skip=1, times=2)
    google.proxy.add(StaleListing(page=2))
    assert [entry.path for entry in storage.list(google.folder)] == [f"{google.folder}/{n}" for n in range(5)]


@pytest.mark.parametrize("what", ["list", "exists", "read", "read_versioned", "open", "delete"])
def test_throttling_without_end_is_an_error_and_never_an_empty_answer(bench, proxy, path, what):
    storage = bench.storage(**UNTIL_REFUSED)
    proxy.add(Refuse(503))
    proxy.add(Refuse(503), method="LIST")
    with pytest.raises(OSError, match=r"the store (answered 503|could not)") as refused:
        getattr(storage, what)(path)
    assert type(refused.value) is OSError
    assert refused.value.errno == errno.EIO
    assert refused.value.filename == path


def test_only_one_try_is_made_when_there_is_no_time(bench, proxy, path):
    proxy.add(Refuse(503))
    with pytest.raises(OSError, match="503 SlowDown, again and again"):
        bench.storage(**ONE_TRY).create_new(path, b"x")
    assert bench.asked() == ["PUT"]


def test_what_does_not_pass_is_not_tried_again(bench, storage, proxy, path):
    proxy.add(Refuse(501))
    with pytest.raises(OSError, match="501 NotImplemented"):
        storage.create_new(path, b"x")
    assert bench.asked() == ["PUT"]


def test_a_store_that_is_not_there_is_an_error_that_names_the_place(bench, path):
    with FaultProxy(bench.server.endpoint_url) as gone:
        storage = replace(bench, proxy=gone).storage(**UNTIL_REFUSED)
    with pytest.raises(OSError, match="could not be reached") as refused:
        storage.list(path)
    assert refused.value.filename == path


# Listings


def test_a_listing_of_many_pages_is_whole(google):
    storage = google.storage()
    names = [f"{google.folder}/{number:02d}" for number in range(11)]
    for name in names:
        storage.create_new(name, b"")
    google.proxy.add(StaleListing(page=2))
    assert [entry.path for entry in storage.list(google.folder)] == names
    assert [entry.path for entry in storage.list(google.folder, recursive=False)] == names


def test_every_listing_asks_the_store_anew(bench, storage, proxy, folder, path):
    storage.create_new(path, b"")
    proxy.seen.clear()
    for _ in range(3):
        storage.list(folder)
    assert bench.asked() == ["GET"] * 3


def test_marks_of_folders_are_no_files(google):
    storage = google.storage()
    inner = f"{google.folder}/inner/a"
    storage.create_new(inner, b"")
    for mark in ("", "inner/"):
        url = f"{google.proxy.endpoint_url}/{google.url.removeprefix('gs://')}/state/{mark}"
        httpx.put(url, trust_env=False).raise_for_status()
    assert [entry.path for entry in storage.list(google.folder)] == [inner]
    assert storage.list(google.folder, recursive=False) == []
    assert not storage.exists(f"{google.folder}/")


@pytest.mark.parametrize("key", ["a//b", "/a", "a/../b", "./a", "a/./b", "/"])
def test_a_key_that_obstore_would_take_for_another_is_refused(storage, bench, key):
    for act in (storage.read, storage.list, storage.exists):
        with pytest.raises(BadInput, match=r"it has a name that is empty, '\.' or '\.\.' in it"):
            act(f"{bench.url}/{key}")
    assert bench.proxy.seen == []


def test_a_folder_with_such_a_key_is_an_error_and_never_an_empty_listing(google):
    httpx.put(
        f"{google.proxy.endpoint_url}/{google.url.removeprefix('gs://')}/state//x", trust_env=False
    ).raise_for_status()
    with pytest.raises(OSError, match="a key there has a name that is empty") as refused:
        google.storage().list(google.folder)
    assert refused.value.errno == errno.EINVAL


def test_a_listing_comes_in_the_spelling_that_was_asked(google):
    storage, bucket = google.storage(), google.url.removeprefix("gs://")
    storage.create_new(f"gs://{bucket}/in/a", b"")
    for spelled in (f"gcs://{bucket}/in", f"gs://my_conn@{bucket}/in", f"gs://{bucket}/in/"):
        (entry,) = storage.list(spelled)
        assert entry.path == f"{spelled.rstrip('/')}/a"
        assert storage.exists(entry.path)
        assert storage.canonical(entry.path) == f"gs://{bucket}/in/a"


def test_a_container_is_the_same_in_each_spelling_and_another_in_another_account(azure):
    storage, container = azure.storage(), azure.url.removeprefix("abfs://")
    whole = f"abfss://{container}@{ACCOUNT}.dfs.core.windows.net/in"
    storage.create_new(f"{whole}/a", b"")
    for spelled in (f"abfs://{container}/in", f"abfss://my_conn@{container}/in", whole):
        assert storage.exists(f"{spelled}/a")
        assert storage.canonical(spelled) == whole
    with pytest.raises(BadInput, match="is not in the bucket"):
        storage.read(f"abfss://{container}@another.dfs.core.windows.net/in/a")


# Stores that cannot be used


def test_a_store_with_conditional_writes_passes_and_nothing_is_left(storage, bench, folder):
    storage.check_conditions(folder)
    assert storage.list(bench.url) == []


def test_a_store_that_ignores_the_conditions_is_refused(google):
    google.proxy.add(IgnoreConditions())
    with pytest.raises(BadInput, match=r"^state: the store of gs://.* does not refuse to create what exists"):
        google.storage().check_conditions(google.folder, field="state")
    assert google.storage().list(google.url) == []


def test_a_store_that_ignores_only_the_condition_of_a_swap_is_refused(google):
    # Two creations are answered right; the third write is the swap.
    google.proxy.add(IgnoreConditions(), method="PUT", skip=2)
    with pytest.raises(BadInput, match="does not refuse to replace what has changed"):
        google.storage().check_conditions(google.folder)


def test_a_store_that_throttles_is_not_refused_for_good(bench, proxy, folder):
    proxy.add(Refuse(503))
    with pytest.raises(OSError, match="503 SlowDown"):
        bench.storage(**UNTIL_REFUSED).check_conditions(folder)


@pytest.mark.parametrize("what", ["list", "exists", "read", "read_versioned", "open", "delete"])
def test_a_missing_bucket_is_neither_empty_nor_a_missing_file(bench, what):
    url = f"{object_place(bench.url).canonical.partition(':')[0]}://no-such-bucket"
    with pytest.raises(NotADirectoryError, match="there is no bucket 'no-such-bucket'"):
        getattr(bench.storage(url), what)(f"{url}/a")


def test_a_missing_bucket_is_the_users_mistake_before_anything_is_paid(bench):
    url = f"{object_place(bench.url).canonical.partition(':')[0]}://no-such-bucket"
    with pytest.raises(BadInput, match=r"destination: .*there is no bucket 'no-such-bucket'"):
        bench.storage(url).check_conditions(f"{url}/state")


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (401, "AuthenticationRequired")])
def test_refused_credentials_are_told_without_quoting_them(bench, storage, status, code, caplog):
    caplog.set_level(logging.DEBUG)
    bench.proxy.add(Refuse(status, code, f"{TOKEN} {KEY}"))
    with pytest.raises(PermissionError, match=f"{status} {code}") as refused:
        storage.read(bench.path)
    with pytest.raises(BadInput, match=code) as bad:
        storage.check_conditions(bench.folder)
    assert refused.value.__context__ is None
    said = f"{refused.value}{refused.value!r}{bad.value}{storage!r}{storage._client!r}{caplog.text}"
    assert TOKEN not in said
    assert KEY not in said
    assert bench.asked()[:1] == ["GET"]


def test_a_wrong_key_is_the_users_mistake(azure):
    wrong = "d3Jvbmc="
    with pytest.raises(BadInput, match="403 AuthorizationFailure") as refused:
        azure.storage(key=wrong).check_conditions(azure.folder)
    assert wrong not in str(refused.value)


def test_a_signature_for_a_container_does_without_the_key(azure, monkeypatch):
    signature = azure.server.signature_for(azure.url.removeprefix("abfs://"))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")  # what a connection says precedes
    options = {name: value for name, value in azure.options().items() if name != "key"}
    place = object_place(azure.url)
    storage = ObstoreStorage(place, {**options, "sas_token": signature})
    storage.check_conditions(azure.folder)
    assert storage.create_new(azure.path, b"x")
    storage.copy(azure.path, f"{azure.folder}/copy")
    storage.delete(azure.path)
    assert [entry.path for entry in storage.list(azure.url)] == [f"{azure.folder}/copy"]
    azure.proxy.add(Refuse(403, "AuthenticationFailed", signature))
    with pytest.raises(PermissionError) as refused:
        storage.read(azure.path)
    assert "sig=" not in f"{refused.value!r}"


NOBODY_ANSWERS = "http://127.0.0.1:9"


@pytest.mark.parametrize("name", SERVERS)
def test_no_credentials_at_all_are_the_users_mistake(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"):
        monkeypatch.setenv(variable, NOBODY_ANSWERS.removeprefix("http://"))
    monkeypatch.setenv("AZURE_MSI_ENDPOINT", NOBODY_ANSWERS)
    url = "gs://bucket/state" if name == "google" else "abfs://container@account.dfs.core.windows.net/state"
    place = object_place(url)
    storage = ObstoreStorage(place, client=ObstoreClient(place, UNTIL_REFUSED, back_off=AT_ONCE))
    with pytest.raises(BadInput, match="no credentials could be had"):
        storage.check_conditions(url)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("gs://bucket", {"service_account": '{"private_key": "very-secret"}'}),
        ("gs://bucket", {"service_account": "very-secret"}),
        ("gs://bucket", {"key_path": "/no/such/very-secret"}),
        ("abfs://container", {"account": "account", "key": "very-secret!"}),
        ("abfs://container", {"account": "account", "key": "c2VjcmV0", "endpoint": "very-secret"}),
    ],
)
def test_options_that_are_no_use_are_refused_without_quoting_them(url, options):
    with pytest.raises(BadInput, match="its endpoint or credentials cannot be used") as refused:
        ObstoreStorage(object_place(url), options)
    assert "very-secret" not in f"{refused.value}{refused.value.__cause__}"


def test_a_container_without_an_account_is_refused():
    with pytest.raises(BadInput, match="nothing says in which storage account"):
        ObstoreStorage(object_place("abfs://container"))


def test_the_environment_names_store_and_credentials(bench, path, monkeypatch):
    for name, value in bench.server.environment(endpoint=bench.proxy.endpoint_url).items():
        monkeypatch.setenv(name, value)
    assert ObstoreStorage(object_place(bench.url)).create_new(path, b"x")
    assert bench.asked() == ["PUT"]


def test_a_connection_string_in_the_environment_is_understood(azure, monkeypatch):
    endpoint = f"{azure.proxy.endpoint_url}/{ACCOUNT}"
    text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    assert ObstoreStorage(object_place(azure.url)).create_new(azure.path, b"x")


def test_a_key_file_says_who_asks(google):
    options = {"service_account": shared_google().key_file(), "endpoint": google.proxy.endpoint_url}
    assert ObstoreStorage(object_place(google.url), options).create_new(google.path, b"x")
    (asked,) = google.proxy.seen
    assert asked.request.header("Authorization") == "Bearer "


def test_a_token_that_expires_is_renewed_once(google):
    renewed: list[str] = []

    def renew() -> dict[str, str]:
        renewed.append("again")
        return google.options(token="a-new-token")

    client = ObstoreClient(object_place(google.url), google.options(), renew=renew, back_off=AT_ONCE)
    google.proxy.add(Refuse(401, "AuthenticationRequired"), times=1)
    assert ObstoreStorage(client.place, client=client).create_new(google.path, b"x")
    assert renewed == ["again"]
    said = [seen.request.header("Authorization") for seen in google.proxy.seen]
    assert said == [f"Bearer {TOKEN}", "Bearer a-new-token"]


def test_a_path_in_another_bucket_is_refused(storage, bench):
    with pytest.raises(BadInput, match="is not in the bucket"):
        storage.read(f"{bench.url}-2/a")
    with pytest.raises(BadInput, match="is not in the bucket"):
        storage.read("s3://bucket/a")


def test_a_whole_bucket_is_no_file(storage, bench):
    assert not storage.exists(bench.url)
    with pytest.raises(IsADirectoryError):
        storage.create_new(bench.url, b"")


FORKS = """
import os, sys
from runware_provider.engine.storage.object_place import object_place
from runware_provider.engine.storage.obstore_storage import ObstoreStorage
url, used = sys.argv[1:]
storage = ObstoreStorage(object_place(url))
if used == "used":
    storage.list(url)
child = os.fork()
if child == 0:
    try:
        print(len(storage.list(url)), flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize(("used", "said"), [("used", "forked off one that has spoken"), ("unused", "0")])
def test_a_process_forked_off_one_that_spoke_to_the_store_is_refused_and_does_not_hang(google, used, said):
    ran = subprocess.run(
        [sys.executable, "-c", FORKS, google.url, used],
        env={"PYTHONPATH": f"{PROJECT / 'plugins'}", **google.server.environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said in ran.stdout


# Random access


def a_parquet_file(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": range(rows)}), sink, compression="none", use_dictionary=False)
    return sink.getvalue().to_pybytes()


def test_a_footer_is_read_with_one_short_answer(bench, storage, proxy, path):
    data = a_parquet_file(200_000)
    storage.create_new(path, data)
    proxy.seen.clear()
    with storage.open(path) as file:
        assert pq.read_metadata(file).num_rows == 200_000
    # Azure has to be asked first where the end is.
    assert bench.asked() == {"google": ["GET"], "azure": ["HEAD", "GET"]}[bench.name]
    assert bench.fetched() == TAIL_BYTES < len(data) // 10


def test_a_column_is_read_by_ranges(bench, storage, proxy, path):
    data = a_parquet_file(200_000)
    storage.create_new(path, data)
    proxy.seen.clear()
    with storage.open(path) as file:
        parquet = pq.ParquetFile(file, buffer_size=1 << 20)
        assert sum(batch.num_rows for batch in parquet.iter_batches()) == 200_000
    assert bench.fetched() < len(data) + TAIL_BYTES + 2 * BLOCK_BYTES


@pytest.fixture(scope="module", params=SERVERS)
def long_object(request: pytest.FixtureRequest) -> Iterator[tuple[Any, bytes]]:
    data = bytes(range(256)) * (2 * BLOCK_BYTES // 256) + b"end" * TAIL_BYTES
    for bench in a_bench(request.param):
        client = bench.client()
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


def test_an_empty_object_is_opened_where_the_store_has_no_range_for_it(google):
    google.storage().create_new(google.path, b"")
    google.proxy.add(Refuse(416, "InvalidRange"), method="GET", times=1)
    assert google.storage().open(google.path).read() == b""


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "deleted"])
def test_a_file_that_changes_while_it_is_read_is_an_error_and_no_mixture(storage, path, is_replaced):
    storage.create_new(path, b"a" * (BLOCK_BYTES + TAIL_BYTES))
    _, version = storage.read_versioned(path)
    with storage.open(path) as file:
        if is_replaced:
            storage.replace_if(path, b"b" * (BLOCK_BYTES + TAIL_BYTES), version)
        else:
            storage.delete(path)
        with pytest.raises(OSError, match="was replaced while it was read") as stale:
            file.read()
    assert stale.value.errno == errno.ESTALE


def test_an_error_of_the_store_comes_through_arrow_as_what_it_is(bench, proxy, path):
    storage = bench.storage(**UNTIL_REFUSED)
    storage.create_new(path, a_parquet_file(200_000))
    with storage.open(path) as file:
        parquet = pq.ParquetFile(file)
        proxy.add(Refuse(503))
        with pytest.raises(OSError, match="503 SlowDown") as refused:
            parquet.read()
    assert refused.value.errno == errno.EIO
