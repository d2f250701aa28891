"""What is read below a root: no file that lies elsewhere, whoever puts a link wherever and whenever, and none that is too large."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.run_examples import examples_path
from runware_provider.engine.job.run_records import read_history, record_path
from runware_provider.engine.job.split_record import present_split
from runware_provider.engine.storage.bounded_reading import read_at_most
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.pages.beneath import (
    RECORD_BYTES,
    SPLIT_BYTES,
    LinkBelowError,
    LocalBeneath,
    bounded,
)
from tests.pages.stand_in import AT, EDITOR, a_record, path_of, places_in, run_name, served, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "the keys of the server"
SWAPS = 2_000
ROWS = 424_242
"""Of a run before, which is no secret, but shows that its history was read."""
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "report").write_text(SECRET)
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "b" / "report").write_text("a report")
    return tmp_path / "root"


def read(root: Path, name: str) -> bytes | None:
    return read_at_most(bounded(LocalBeneath(str(root))), f"{root}/{name}", 1000)


def test_a_file_below_the_root_is_read(root: Path) -> None:
    assert read(root, "a/b/report") == b"a report"
    assert read(root, "a/b/other") is None
    assert read(root, "nowhere/b/report") is None
    # A file where a folder should be: nothing lies in it.
    assert read(root, "a/b/report/x") is None


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "to_root").symlink_to(root)
    assert read(tmp_path / "to_root", "a/b/report") == b"a report"


def test_a_folder_that_nobody_may_list_is_gone_through(root: Path) -> None:
    (root / "a").chmod(0o111)
    try:
        assert read(root, "a/b/report") == b"a report"
    finally:
        (root / "a").chmod(0o755)


@pytest.mark.parametrize("inwards", [True, False], ids=["to_inside", "to_outside"])
@pytest.mark.parametrize("name", ["a", "a/b", "a/b/report"])
def test_below_the_root_no_link_is_followed(name: str, inwards: bool, root: Path, tmp_path: Path) -> None:  # noqa: FBT001
    moved = (root if inwards else tmp_path) / "moved"
    (root / name).rename(moved)
    (root / name).symlink_to(moved)
    storage = LocalBeneath(str(root))
    with pytest.raises(LinkBelowError):
        storage.open(f"{root}/a/b/report")
    with pytest.raises(LinkBelowError):
        storage.exists(f"{root}/a/b/report")


@pytest.mark.parametrize("name", ["a/../../secret", "../secret", "..", "", "a/b/../../../secret"])
def test_nothing_is_opened_that_is_spelt_out_of_the_root(name: str, root: Path) -> None:
    with pytest.raises(PermissionError):
        LocalBeneath(str(root)).open(f"{root}/{name}")


def test_whoever_swaps_a_file_for_a_link_while_it_is_read_gets_no_other_file(
    root: Path, tmp_path: Path
) -> None:
    swapped = [(root / "a" / "b" / "report", tmp_path / "secret"), (root / "a" / "b", tmp_path / "outside")]
    for at, secret in swapped:
        own, link = at.with_name("own"), at.with_name("link")
        at.rename(own)
        link.symlink_to(secret)
        told: set[bytes | None] = set()
        ends = threading.Event()
        swapping = threading.Thread(target=_swap, args=(at, own, link, ends))
        swapping.start()
        try:
            for _ in range(SWAPS):
                told.add(_unless_a_link(lambda: read(root, "a/b/report")))
        finally:
            ends.set()
            swapping.join()
        own.rename(at)
        assert told <= {b"a report", None}


def _swap(at: Path, own: Path, link: Path, ends: threading.Event) -> None:
    while not ends.is_set():
        own.rename(at)
        at.rename(own)
        link.rename(at)
        at.rename(link)


def _unless_a_link(reads: Callable[[], bytes | None]) -> bytes | None:
    try:
        return reads()
    except LinkBelowError:
        return None


def test_what_is_no_file_is_not_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalBeneath(str(root))
    os.mkfifo(root / "pipe")
    # A path of a socket is short.
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for name in ("pipe", "socket", "a"):
            with pytest.raises(OSError, match=r"no file|folder|No such device"):
                storage.open(f"{root}/{name}")
    assert not storage.exists(f"{root}/a")
    assert storage.exists(f"{root}/a/b/report")


def test_no_descriptor_is_left_open(root: Path) -> None:
    storage = LocalBeneath(str(root))
    (root / "link").symlink_to(root / "a")
    before = len(list(DESCRIPTORS.iterdir()))
    for name in ("a/b/report", "a", "link/b/report", "a/nothing/x"):
        for _ in range(20):
            try:
                storage.open(f"{root}/{name}").close()
            except OSError:
                continue
    assert len(list(DESCRIPTORS.iterdir())) == before


def test_a_record_that_is_larger_than_ours_are_is_damaged_and_not_read(tmp_path: Path) -> None:
    storage = bounded(LocalBeneath(str(tmp_path)))
    for name, most, reads in (
        ("history.json", RECORD_BYTES, read_history),
        ("split.json", SPLIT_BYTES, present_split),
    ):
        with (tmp_path / name).open("wb") as file:
            file.truncate(5 * 2**30)
        with pytest.raises(StateUnreadable, match=f"{most:,} are read"):
            reads(storage, str(tmp_path))


def test_a_store_elsewhere_is_bound_in_the_same_way() -> None:
    class Store:
        def open(self, path: str) -> pa.NativeFile:
            if path.endswith("nothing"):
                raise FileNotFoundError(path)
            return pa.BufferReader(b"x" * (RECORD_BYTES + path.endswith("long")))

        def exists(self, _: str) -> bool:
            return True

        def join(self, folder: str, *names: str) -> str:
            return "/".join([folder, *names])

    storage = bounded(Store())
    assert storage.read_versioned("s3://lake/nothing") is None
    read = storage.read_versioned("s3://lake/short")
    assert read is not None
    assert len(read[0]) == RECORD_BYTES
    with pytest.raises(StateUnreadable):
        storage.read_versioned("s3://lake/long")


def linked(state: Path, outside: Path) -> Iterator[tuple[str, Callable[..., None]]]:
    """Each file that pages read, as what puts a link to one outside in its place; and what it would show."""
    record = record_path(LocalStorage(), str(state), run_name())
    rows = {"record": [SECRET], "field": [SECRET], "got": [json.dumps(SECRET)], "expected": ["1"]}
    examples = {"body": [SECRET], "inference": [{"error_code": SECRET, "raw": SECRET}]}
    sample = {"rows": [{"input": {"a": SECRET}}]}
    past = {"run": "x", "state": "published", "model": "m", "rows": ROWS, "outcomes": {}, "paid_usd": 1.0}
    times = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": "2026-01-01T00:00:00+00:00"}

    def text(content: str) -> Callable[[Path], Any]:
        return lambda path: path.write_text(content)

    def table(content: dict[str, Any]) -> Callable[[Path], Any]:
        return lambda path: pq.write_table(pa.table(content), path)

    for leaf, name, writes in (
        ("report", "reports/report.html", text(SECRET)),
        ("missed", "reports/misses.parq", table(rows)),
        (
            "failed",
            examples_path(LocalStorage(), str(state), run_name()).removeprefix(f"{state}/"),
            table(examples),
        ),
        ("samples", f"samples/{record.rpartition('/')[2]}", text(json.dumps(sample))),
        ("asked", f"requests/{'ab' * 10}.json", text(json.dumps({"format": 1, "spec": {"prompt": SECRET}}))),
        ("", "history.json", text(json.dumps({"format": 1, "runs": [{**past, **times}]}))),
    ):

        def put(*, link: bool, name: str = name, writes: Callable[[Path], Any] = writes) -> None:
            at = state / name
            at.parent.mkdir(exist_ok=True)
            at.unlink(missing_ok=True)
            elsewhere = outside / at.name
            writes(elsewhere if link else at)
            if link:
                at.symlink_to(elsewhere)

        yield leaf, put


def test_no_page_shows_what_lies_behind_a_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    write(root, a_record(request="ab" * 10))
    with served(root) as pages:
        pages.airflow.add(places_in(root))
        for leaf, put in linked(root / "out.state", outside):
            path = path_of(AT, leaf) if leaf else AT.path
            secret = SECRET if leaf else f"{ROWS:,}"
            put(link=False)
            assert secret in pages.get(path, EDITOR).text, leaf
            put(link=True)
            reply = pages.get(path, EDITOR)
            assert reply.status_code == 200
            assert secret not in reply.text, leaf
            assert "A link lies on the way" in reply.text, leaf
