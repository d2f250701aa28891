from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BadInput
from runware_provider.pages.roots import names_below, root_of, roots_of, spot

NAMES = st.text(
    st.characters(blacklist_characters="/\\,", blacklist_categories=("Cc", "Cs")), min_size=1, max_size=8
)
FOLDERS = st.lists(NAMES.filter(lambda name: name not in {".", ".."} and name.strip() == name), max_size=5)
STORES = st.sampled_from(
    ["", "file://", "s3://lake", "s3a://lake", "gs://lake", "abfs://lake", "s3://reader@lake"]
)


def lies_below(place: str, roots: tuple[str, ...]) -> bool:
    return root_of(place, roots) is not None


def test_a_place_lies_in_the_first_root_that_holds_it() -> None:
    roots = ("/other", "/data/", "/data/lake")
    assert root_of("file:///data/lake/x", roots) == "/data/"
    assert root_of("/nowhere", roots) is None


@pytest.mark.parametrize(
    ("place", "root", "names"),
    [
        ("file:///data//lake/x/", "/data/", ("lake", "x")),
        ("/data", "/data", ()),
        ("/x", "/data", ()),
        ("/x/y", "/", ("x", "y")),
    ],
)
def test_the_way_from_a_root_has_a_name_for_each_folder(
    place: str, root: str, names: tuple[str, ...]
) -> None:
    assert names_below(place, root) == names


@pytest.mark.parametrize(
    ("place", "root"),
    [
        ("/data/out.state", "/data"),
        ("/data", "/data"),
        ("/data/out.state/", "/data/"),
        ("/data//out.state", "/data"),
        ("file:///data/x", "/data"),
        ("FILE:///data/x", "file:/data"),
        ("file://localhost/data/x", "/data"),
        ("/anything", "/"),
        ("s3://lake/out.state", "s3://lake"),
        ("s3://lake/out.state", "s3://lake/"),
        ("s3a://lake/out.state", "S3://lake"),
        ("s3://reader@lake/out", "s3://lake"),
        ("s3://reader@lake/out", "s3://reader@lake/out"),
        ("gcs://lake/x", "gs://lake"),
        ("abfss://box@account.dfs.core.windows.net/x", "abfs://box@account.blob.core.windows.net"),
        ("/data/100%/x", "/data/100%"),
    ],
)
def test_a_place_in_a_root_is_below_it(place: str, root: str) -> None:
    assert lies_below(place, (root,))


@pytest.mark.parametrize(
    ("place", "root"),
    [
        ("/database/x", "/data"),
        ("/data", "/data/x"),
        ("/Data/x", "/data"),
        ("/data/../etc", "/data"),
        ("/data/./x", "/data"),
        ("/data/..", "/data"),
        ("/%64ata/x", "/data"),
        ("/data\\..\\etc", "/data"),
        ("/data/\0x", "/data"),
        ("/data/x\ny", "/data"),
        ("", "/"),
        ("data/x", "/data"),
        ("~/x", "/"),
        ("//", "/data"),
        ("file://host/data/x", "/data"),
        ("s3://lakes/x", "s3://lake"),
        ("s3://Lake/x", "s3://lake"),
        ("s3://lake/outer", "s3://lake/out"),
        ("s3://lake/out/../secret", "s3://lake/out"),
        ("s3://lake/%6Fut/x", "s3://lake/out"),
        ("s3://lake/x", "s3://reader@lake"),
        ("s3://writer@lake/x", "s3://reader@lake"),
        ("s3://user:password@lake/x", "s3://lake"),
        ("gs://lake/x", "s3://lake"),
        ("/lake/x", "s3://lake"),
        ("s3://lake/x", "/"),
        ("abfss://box@other.dfs.core.windows.net/x", "abfss://box@account.dfs.core.windows.net"),
        ("abfss://box@account.dfs.core.windows.net/x", "abfs://box"),
        ("abfs://box/x", "abfss://box@account.dfs.core.windows.net"),
        ("https://example.com/x", "https://example.com"),
        ("http://169.254.169.254/x", "/"),
        ("/" + "x" * 5000, "/"),
    ],
)
def test_what_is_elsewhere_or_could_be_is_below_no_root(place: str, root: str) -> None:
    assert not lies_below(place, (root,))


@given(STORES, FOLDERS, FOLDERS)
def test_whatever_lies_in_a_folder_is_below_it_and_no_neighbour_is(
    store: str, root: list[str], more: list[str]
) -> None:
    folder = "/".join([store, *root]) or "/"
    place = "/".join([store, *root, *more]) or "/"
    assert lies_below(place, (folder,))
    if root:
        beside = "/".join([store, *root[:-1], root[-1] + "x", *more])
        assert not lies_below(beside, (folder,))


@given(STORES, FOLDERS, st.lists(st.sampled_from(["..", ".", "a", ""]), min_size=1, max_size=6))
def test_no_way_up_is_taken_for_a_way_in(store: str, root: list[str], steps: list[str]) -> None:
    folder = "/".join([store, *root]) or "/"
    place = "/".join([store, *root, *steps])
    assert lies_below(place, (folder,)) == (not {".", ".."} & set(steps))


@given(st.text(max_size=40))
def test_no_text_makes_it_fail(text: str) -> None:
    found = spot(text)
    assert found is None or found.holds(found)


def test_the_option_is_a_list_with_commas() -> None:
    assert roots_of("") == roots_of(" , ") == ()
    assert roots_of(" /data/lake , s3://reader@lake/out/,") == ("/data/lake", "s3://reader@lake/out/")


@pytest.mark.parametrize(
    "text", ["data", "/data, ../x", "~/data", "ftp://x/y", "s3://", "s3://user:secret@lake"]
)
def test_a_root_that_could_mean_several_places_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"\[runware\] page_roots") as refused:
        roots_of(text)
    assert "secret" not in str(refused.value)
