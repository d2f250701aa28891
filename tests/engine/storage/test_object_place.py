from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.engine.shown_urls import without_password
from runware_provider.engine.storage.object_place import (
    EXAMPLES,
    ObjectPlace,
    is_object_url,
    object_place,
)

KEYS = st.text(st.characters(codec="utf-8"), max_size=12)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://lake/a/b", ObjectPlace("s3", "lake", "a/b")),
        ("S3A://lake", ObjectPlace("s3", "lake", "")),
        ("gs://lake/a", ObjectPlace("google", "lake", "a")),
        ("gcs://conn@lake/a", ObjectPlace("google", "lake", "a", "conn")),
        ("s3://@lake/a", ObjectPlace("s3", "lake", "a")),
        ("abfs://lake/a", ObjectPlace("azure", "lake", "a")),
        ("abfss://my.conn@lake/a", ObjectPlace("azure", "lake", "a", "my.conn")),
        (
            "abfss://lake@account.dfs.core.windows.net/a",
            ObjectPlace("azure", "lake", "a", None, "account", "core.windows.net"),
        ),
        (
            "abfs://lake@account.blob.core.usgovcloudapi.net/a",
            ObjectPlace("azure", "lake", "a", None, "account", "core.usgovcloudapi.net"),
        ),
    ],
)
def test_a_url_says_store_bucket_key_and_connection(url: str, place: ObjectPlace) -> None:
    assert is_object_url(url)
    assert object_place(url) == place


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
@given(key=KEYS)
def test_a_key_is_taken_as_it_is_written(scheme: str, key: str) -> None:
    assert object_place(f"{scheme}://lake/{key}").key == key


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
@given(key=KEYS)
def test_the_canonical_spelling_is_its_own(scheme: str, key: str) -> None:
    canonical = object_place(f"{scheme}://conn@lake/{key}").canonical
    assert object_place(canonical).canonical == canonical
    assert object_place(f"{scheme}://lake//{key}/").canonical == canonical


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3://", "names no bucket"),
        ("gs:///key", "names no bucket"),
        ("gs://a/key", "names no bucket"),
        ("gs://conn@/key", "names no bucket"),
        ("abfs://spa ce/key", "names no container"),
        ("abfs://account.dfs.core.windows.net/key", "names no container"),
        ("abfs://lake@account.example.org/key", "names no container"),
        ("abfs://lake@.dfs.core.windows.net/key", "names no container"),
    ],
)
def test_a_url_without_a_bucket_is_refused_with_how_to_write_it(url: str, problem: str) -> None:
    with pytest.raises(BadInput, match=rf"^source: .*{problem}.*Write it as {url.partition(':')[0]}://"):
        object_place(url, field="source")


@pytest.mark.parametrize("url", ["/data", "file:///data", "s3:/lake", "s3b://lake", "https://lake/a", ""])
def test_other_places_are_no_object_stores(url: str) -> None:
    assert not is_object_url(url)
    with pytest.raises(BadInput, match="is no URL of an object store"):
        object_place(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://key:secret@lake/raw", "s3://***"),
        ("s3://key:sec/ret@lake/raw", "s3://***"),
        ("s3://key:se@cret@lake/raw", "s3://***"),
        ("s3://key:secret", "s3://***"),
        ("https://key:sec/ret@host/raw", "https://***"),
        ("s3://conn_id@lake/raw", "s3://conn_id@lake/raw"),
        ("s3://lake/a:b@c", "s3://lake/a:b@c"),
        ("abfss://lake@account.dfs.core.windows.net/a", "abfss://lake@account.dfs.core.windows.net/a"),
        ("/data/a:b@c", "/data/a:b@c"),
        ("file:///data/a:b@c", "file:///data/a:b@c"),
        ("s3:/a:b@c", "s3:/a:b@c"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@given(
    scheme=st.sampled_from(["s3", "gs", "abfs", "https"]),
    secret=st.text("ab0+/@:=", min_size=8, max_size=40),
    rest=st.sampled_from(["@lake/raw", "@x", "@", "", "/raw", "@lake@account.example.org/raw"]),
)
def test_no_error_quotes_a_secret(scheme: str, secret: str, rest: str) -> None:
    url = f"{scheme}://AKIA:S3CRET{secret}S3CRET{rest}"
    assert "S3CRET" not in without_password(url)
    with pytest.raises(BadInput) as refused:
        object_place(url, field="destination")
    assert "S3CRET" not in str(refused.value)


def test_each_example_is_a_url_of_its_store() -> None:
    assert {kind: object_place(url).kind for kind, url in EXAMPLES.items()} == {
        kind: kind for kind in EXAMPLES
    }
