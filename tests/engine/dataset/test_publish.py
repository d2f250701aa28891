from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.destination import check_destination, dataset_folder
from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.own_parts import own_files
from runware_provider.engine.dataset.publish import publish
from runware_provider.engine.dataset.published_manifest import mark_forgotten, read_manifest
from runware_provider.engine.dataset.replaced_parts import GRACE_S, open_part
from runware_provider.engine.dataset.staged_batch import StagedBatch
from runware_provider.engine.dataset.staging import Stage
from runware_provider.engine.errors import BadInput, PublishConflict, StateUnreadable
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.port import StoredFile
from runware_provider.engine.storage.stores import STALE_S

SCHEMA = pa.schema({"n": pa.int64(), "result": pa.struct({"total": pa.string()})})


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


class Places:
    """A dataset folder and its state folder."""

    def __init__(self, root: Path) -> None:
        self.folder = str(root / "invoices")
        self.state = str(root / "invoices.state")


@pytest.fixture
def places(tmp_path) -> Places:
    return Places(tmp_path)


def table(values) -> pa.Table:
    return pa.table({"n": values, "result": [{"total": str(n)} for n in values]}, schema=SCHEMA)


def stage(places, publish_id, batches, storage=None) -> list[StagedBatch]:
    staged = Stage(storage or LocalStorage(), places.state, publish_id)
    for number, values in enumerate(batches):
        staged.add(number, table(values))
    return staged.finish()


def version(places):
    held = read_manifest(LocalStorage(), places.state)
    return held[1] if held else None


ASK = object()
EACH_A_PART = 1
"""So few bytes that each batch is a part."""


def run(
    places, publish_id, batches, *, storage=None, previous=ASK, now=time.time, grace_s=GRACE_S, **manifest
) -> dict:
    """Everything that a run does to publish; `storage` may fail underneath it."""
    storage = storage or LocalStorage(sync=lambda _: None)
    previous = version(places) if previous is ASK else previous
    staged = Stage(storage, places.state, publish_id)
    for number, values in enumerate(batches):
        staged.add(number, table(values))
    published = publish(
        storage,
        folder=places.folder,
        state_folder=places.state,
        publish_id=publish_id,
        staged=staged.finish(),
        manifest=manifest,
        previous=previous,
        part_bytes=EACH_A_PART,
        at_once=1,  # so that what comes in between comes at a place of its own
        grace_s=grace_s,
        now=now,
    )
    staged.discard()
    return published


def rows(places) -> list[int]:
    """What a reader sees that takes every Parquet file, and one that goes by the manifest: the same."""
    files = sorted(Path(places.folder).glob("*.parquet"))
    every = [n for file in files for n in pq.read_table(file)["n"].to_pylist()]
    manifest, _ = read_manifest(LocalStorage(), places.state)
    assert [file.name for file in files] == [file["path"] for file in manifest["files"]]
    assert [file.stat().st_size for file in files] == [file["bytes"] for file in manifest["files"]]
    return every


def names(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def own(places):
    """What tells which files the job knows for its own."""
    current = read_manifest(LocalStorage(), places.state)
    manifest = None if current is None else current[0]
    return lambda folder, entries: own_files(LocalStorage(), folder, places.state, entries, manifest)


# Where


def test_a_partition_is_a_folder_that_readers_decode_to_its_value(storage, tmp_path):
    value = "a/b=c %d:ü [x]?*"
    folder = dataset_folder(storage, str(tmp_path), {"ds": "2026-01-01", "kind": value})
    assert folder.startswith(f"{tmp_path}/ds=2026-01-01/kind=a%2Fb%3Dc %25d%3Aü %5Bx%5D%3F%2A")
    assert unquote(Path(folder).name) == f"kind={value}"
    Path(folder).mkdir(parents=True)
    pq.write_table(pa.table({"n": [1]}), Path(folder) / "a.parquet")
    expected = {"n": 1, "ds": "2026-01-01", "kind": value}
    text = pads.partitioning(pa.schema({"ds": pa.string(), "kind": pa.string()}), flavor="hive")
    assert pads.dataset(tmp_path, partitioning=text).to_table().to_pylist() == [expected]
    assert with_duckdb(f"{tmp_path}/**/*.parquet") == [expected]
    assert pl.read_parquet(tmp_path, hive_partitioning=True, try_parse_hive_dates=False).to_dicts() == [
        expected
    ]
    assert open_dataset(storage, str(tmp_path)).files[0].partition == (("ds", "2026-01-01"), ("kind", value))


def test_without_partition_the_folder_is_the_destination(storage):
    assert dataset_folder(storage, "/lake/invoices/", {}) == "/lake/invoices"


def test_a_new_destination_is_fine(storage, tmp_path):
    check_destination(storage, str(tmp_path / "new"), {}, own=None)
    check_destination(storage, str(tmp_path / "new"), {"ds": "1"}, own=None)
    tmp_path.joinpath("empty").mkdir()
    check_destination(storage, str(tmp_path / "empty"), {}, own=None)


def test_our_own_files_are_fine_only_if_the_job_is_known(storage, places):
    run(places, "one", [[1], [2]])
    check_destination(storage, places.folder, {}, own=own(places))
    with pytest.raises(
        BadInput, match=r"no state folder .*part-00000-one\.parquet.* restore the state folder"
    ):
        check_destination(storage, places.folder, {}, own=None)


@pytest.mark.parametrize(
    "name",
    [
        "data.csv",
        "part-00000-8b1c2d3e-c000.snappy.parquet",
        "part-00000-8b1c2d3e-4f5a-c000.parquet",
        "part-0.parquet",
        "part-00000-abc.parquet",
        "part-00007-0123456789ab.parquet",
        "ds=1/part-00000-one.parquet",
        "sub/_SUCCESS",
    ],
)
def test_files_of_others_are_refused_by_name(storage, places, name):
    run(places, "one", [[1]])
    path = Path(places.folder, name)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    for known in (own(places), None):
        with pytest.raises(BadInput, match=r"destination: .*Choose another destination") as caught:
            check_destination(storage, places.folder, {}, own=known)
        assert name in caught.value.problem


def test_three_files_are_named_and_the_others_counted(storage, tmp_path):
    for n in range(5):
        (tmp_path / f"{n}.csv").touch()
    with pytest.raises(BadInput, match=r"/0\.csv, .*/1\.csv, .*/2\.csv and 2 more\."):
        check_destination(storage, str(tmp_path), {}, own=lambda _folder, _entries: ())


def test_a_partition_minds_neither_its_siblings_nor_lists_them(tmp_path):
    class Noting(LocalStorage):
        def list(self, folder, *, recursive=True, **_):
            seen.append((folder.removeprefix(str(tmp_path)), recursive))
            return super().list(folder, recursive=recursive)

    seen: list[tuple[str, bool]] = []
    for day in ("1", "2"):
        (tmp_path / f"ds={day}" / "kind=a").mkdir(parents=True)
        (tmp_path / f"ds={day}" / "kind=a" / "theirs.parquet").touch()
    check_destination(Noting(), str(tmp_path), {"ds": "1", "kind": "b"}, own=None)
    assert seen == [("", False), ("/ds=1", False), ("/ds=1/kind=b", True)]
    with pytest.raises(BadInput, match="kind=a has files already"):
        check_destination(Noting(), str(tmp_path), {"ds": "1", "kind": "a"}, own=None)


@pytest.mark.parametrize("name", ["part-00000-one.parquet", "ds=1/stray.csv"])
def test_files_among_the_partitions_are_refused(storage, tmp_path, name):
    (tmp_path / "ds=1").mkdir()
    (tmp_path / name).touch()
    with pytest.raises(BadInput, match="is to hold partitions, but has files of its own"):
        check_destination(storage, str(tmp_path), {"ds": "1", "kind": "a"}, own=lambda _folder, _entries: ())


def test_a_destination_that_is_a_file_is_refused(storage, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(BadInput, match="is a file"):
        check_destination(storage, str(tmp_path / "a"), {}, own=None)


# Publishing


def test_a_publish_leaves_the_parts_the_mark_and_the_manifest(storage, places):
    manifest = run(places, "one", [[1, 2], [3]], outcomes={"succeeded": 3}, note="ü")
    assert names(places.folder) == ["_SUCCESS", "part-00000-one.parquet", "part-00001-one.parquet"]
    assert Path(places.folder, "_SUCCESS").read_bytes() == b""
    assert names(places.state) == [".manifest.json.lock", "manifest.json"]
    assert rows(places) == [1, 2, 3]
    assert manifest == read_manifest(storage, places.state)[0]
    assert list(manifest) == ["format", "publish_id", "unchanged", "outcomes", "note", "files", "replaced"]
    assert manifest["unchanged"] is False
    file = dict(manifest["files"][0])
    assert len(file.pop("content")) == 64
    assert file == {
        "path": "part-00000-one.parquet",
        "rows": 2,
        "bytes": Path(places.folder, "part-00000-one.parquet").stat().st_size,
    }
    assert '\n  "note": "ü"' in Path(places.state, "manifest.json").read_text(encoding="utf-8")


def test_a_publish_replaces_the_one_before(places):
    run(places, "one", [[1], [2], [3]])
    manifest = run(places, "two", [[4]])
    assert rows(places) == [4]
    assert names(places.folder) == ["_SUCCESS", "part-00000-two.parquet"]
    assert manifest["replaced"] == [f"part-0000{n}-one.parquet" for n in range(3)]


def test_files_of_others_are_never_removed(places):
    Path(places.folder, "sub").mkdir(parents=True)
    theirs = ["part-00000-abc-def.parquet", "readme.md", "sub/part-00000-one.parquet"]
    for name in theirs:
        Path(places.folder, name).touch()
    run(places, "one", [[1]])
    run(places, "two", [[2]])
    assert names(places.folder) == sorted(["_SUCCESS", "part-00000-two.parquet", *theirs])


def test_publishing_twice_with_one_id_is_publishing_once(places):
    first = run(places, "one", [[1]])
    before = names(places.folder)
    # A retry stages again, and knows either version: the one it began with, or its own.
    assert run(places, "one", [[1]]) == first
    assert run(places, "one", [[1]], previous=None) == first
    assert names(places.folder) == before
    assert names(places.state) == [".manifest.json.lock", "manifest.json"]


def test_a_publish_that_builds_on_an_old_version_changes_nothing(places):
    run(places, "one", [[1]])
    before = names(places.folder)
    with pytest.raises(PublishConflict, match="another run published"):
        run(places, "two", [[2]], previous=None)
    assert names(places.folder) == before
    assert rows(places) == [1]


def test_what_lost_can_be_published_under_a_new_id(storage, places):
    run(places, "one", [[1]])
    with pytest.raises(PublishConflict):
        run(places, "two", [[2]], previous=None)
    staged = stage(places, "again", [[2]])
    publish(
        storage,
        folder=places.folder,
        state_folder=places.state,
        publish_id="three",
        staged=staged,
        manifest={},
        previous=version(places),
    )
    assert rows(places) == [2]


def test_a_publish_of_nothing_is_a_fault_of_the_caller(storage, places):
    with pytest.raises(ValueError, match="at least one batch"):
        publish(
            storage,
            folder=places.folder,
            state_folder=places.state,
            publish_id="one",
            staged=[],
            manifest={},
            previous=None,
        )


def test_a_manifest_that_is_no_json_is_found_before_anything_is_touched(places):
    run(places, "one", [[1]])
    for value in (object(), float("nan")):
        with pytest.raises((TypeError, ValueError)):
            run(places, "two", [[2]], value=value)
    assert names(places.folder) == ["_SUCCESS", "part-00000-one.parquet"]


def test_old_remains_of_the_dead_are_removed_and_the_living_left_alone(places):
    dead, living = stage(places, "dead", [[1], [2]]), stage(places, "living", [[3], [4]])
    past = time.time() - STALE_S - 60
    theirs = Path(places.state, "staged", "dead", "notes.txt")
    theirs.touch()
    for path in (dead[0].path, theirs):
        os.utime(path, (past, past))
    run(places, "one", [[5]])
    assert names(places.state) == [
        ".manifest.json.lock",
        "manifest.json",
        "staged/dead/notes.txt",
        "staged/living/batches-00000.staged",
    ]
    assert Path(living[0].path).exists()


def aged(path: Path) -> Path:
    """Older than anything that lives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    past = time.time() - STALE_S - 60
    os.utime(path, (past, past))
    return path


@pytest.mark.parametrize("link", ["staged", "staged/dead"])
def test_what_lies_behind_a_link_in_the_state_folder_is_not_removed(places, tmp_path, link):
    theirs = [aged(tmp_path / "theirs" / name) for name in ("part-00000.staged", "dead/part-00000.staged")]
    at = Path(places.state, link)
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(tmp_path / "theirs")
    run(places, "one", [[1]])
    assert all(path.exists() for path in theirs)
    assert at.is_symlink()


@pytest.mark.parametrize(
    "name", ["notes.txt", "dead/notes.txt", "part-00000.staged", "a/b/part-00000.staged"]
)
def test_what_no_publish_has_staged_is_not_removed(places, name):
    theirs = aged(Path(places.state, "staged", name))
    run(places, "one", [[1]])
    assert theirs.exists()


def test_a_forged_manifest_names_nothing_that_a_publish_would_remove(places, tmp_path):
    theirs = tmp_path / "part-00000-theirs.parquet"
    theirs.touch()
    forged = {"format": 1, "publish_id": "x", "replaced": [], "files": [{"path": f"../{theirs.name}"}]}
    Path(places.state).mkdir(parents=True)
    Path(places.state, "manifest.json").write_text(json.dumps(forged), encoding="utf-8")
    run(places, "one", [[1]])
    assert theirs.exists()


# The manifest


def test_before_the_first_publish_there_is_no_manifest(storage, places):
    assert read_manifest(storage, places.state) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'"x"',
        b"\xff\xfe",
        b'{"format": "1"}',
        b'{"format": 1, "files": []}',
        b"null",
    ],
)
def test_a_damaged_manifest_is_an_error_and_never_taken_for_none(storage, places, content):
    storage.create_new(f"{places.state}/manifest.json", content)
    with pytest.raises(StateUnreadable, match=r"manifest\.json is damaged"):
        read_manifest(storage, places.state)
    with pytest.raises(StateUnreadable):
        run(places, "one", [[1]], previous=None)
    assert names(places.folder) == []


def test_a_newer_manifest_asks_for_an_upgrade(storage, places):
    storage.create_new(f"{places.state}/manifest.json", b'{"format": 2}')
    with pytest.raises(StateUnreadable, match="format 2, this version reads up to 1; upgrade"):
        read_manifest(storage, places.state)


# Any process may die at any moment, and another may come in between


class Interrupting(LocalStorage):
    """Lets something happen before or after its n-th operation, as the publish counts them."""

    def __init__(self, number: int, happens, *, after: bool = False) -> None:
        super().__init__(sync=lambda _: None)
        self.left = number
        self.happens = happens
        self.after = after
        self.inside = False

    def step(self, operation, *arguments, **options):
        # What an operation calls itself is inside its lock, where nobody else can come in.
        if self.inside:
            return operation(self, *arguments, **options)
        self.left -= 1
        now = self.left == 0
        if now and not self.after:
            self.happens()
        self.inside = True
        try:
            result = operation(self, *arguments, **options)
        finally:
            self.inside = False
        if now and self.after:
            self.happens()
        return result

    @contextmanager
    def writing(self, path):
        with super().writing(path) as file:
            yield file
        self.step(lambda _: None)


def _counted(operation):
    return lambda self, *arguments, **options: self.step(operation, *arguments, **options)


for name in (
    "list",
    "exists",
    "read",
    "read_versioned",
    "create_new",
    "replace_if",
    "copy",
    "open",
    "delete",
    "sweep",
):
    setattr(Interrupting, name, _counted(getattr(LocalStorage, name)))


class Killed(BaseException):
    """What no handler for errors catches, as a kill."""


def die() -> None:
    raise Killed


def every_moment(root: Path, happens_at):
    """Runs the same story with an interruption at its first operation, its second, and so on to the last."""
    for after in (False, True):
        number = 1
        while happens_at(root / f"{number}-{after}", number, after):
            number += 1
        assert number > 8


@pytest.mark.parametrize("again", ["same", "new"])
def test_a_publish_that_dies_anywhere_and_runs_again_leaves_one_correct_dataset(tmp_path, again):
    def dies_at(root: Path, number: int, after: bool) -> bool:  # noqa: FBT001
        places = Places(root)
        run(places, "old", [[1], [2], [3]])
        storage = Interrupting(number, die, after=after)
        with suppress(Killed):
            run(places, "same", [[4, 5], [6]], storage=storage)
        manifest, _ = read_manifest(LocalStorage(), places.state)
        present = set(names(places.folder))
        assert present >= {file["path"] for file in manifest["files"]}
        assert read_by(manifest, places) in ([1, 2, 3], [4, 5, 6])
        if "_SUCCESS" in present:
            assert read_by_glob(places) == read_by(manifest, places)
        run(places, again, [[4, 5], [6]])
        assert rows(places) == [4, 5, 6]
        assert names(places.folder) == ["_SUCCESS"] + [
            f"part-0000{n}-{manifest_id(places)}.parquet" for n in (0, 1)
        ]
        return storage.left <= 0

    every_moment(tmp_path, dies_at)


def manifest_id(places) -> str:
    return read_manifest(LocalStorage(), places.state)[0]["publish_id"]


def test_of_two_publishes_one_wins_wherever_they_meet(tmp_path):
    def meets_at(root: Path, number: int, after: bool) -> bool:  # noqa: FBT001
        places = Places(root)
        run(places, "old", [[1], [2]])
        began = version(places)

        def other_publishes() -> None:
            run(places, "other", [[7], [8], [9]])

        storage = Interrupting(number, other_publishes, after=after)
        try:
            run(places, "slow", [[4], [5]], storage=storage, previous=began)
        except PublishConflict:
            assert manifest_id(places) == "other"
        met = storage.left <= 0
        # It came in before the swap, and won, or built on the swap, and won.
        assert rows(places) == ([7, 8, 9] if met else [4, 5])
        assert "_SUCCESS" in names(places.folder)
        return met

    every_moment(tmp_path, meets_at)


def test_a_twin_with_the_same_id_does_no_harm_wherever_they_meet(tmp_path):
    def meets_at(root: Path, number: int, after: bool) -> bool:  # noqa: FBT001
        places = Places(root)
        run(places, "old", [[1], [2]])
        began = version(places)
        storage = Interrupting(number, lambda: run(places, "twin", [[4], [5]], previous=began), after=after)
        run(places, "twin", [[4], [5]], storage=storage, previous=began)
        assert rows(places) == [4, 5]
        assert names(places.folder) == ["_SUCCESS"] + [f"part-0000{n}-twin.parquet" for n in (0, 1)]
        return storage.left <= 0

    every_moment(tmp_path, meets_at)


class DyingAtTheSwap(LocalStorage):
    def replace_if(self, path, data, version):
        assert super().replace_if(path, data, version)
        raise Killed


def goes_on(places) -> None:
    """The publish that died at its swap is tried again; it may find itself overtaken."""
    with suppress(PublishConflict):
        run(places, "first", [[3]], previous=None)


def test_a_winner_that_dies_and_goes_on_beside_a_later_publish_leaves_that_alone(tmp_path):
    def dies_at(root: Path, number: int, after: bool) -> bool:  # noqa: FBT001
        places = Places(root)
        run(places, "old", [[1], [2]])
        with suppress(Killed):
            run(places, "first", [[3]], storage=DyingAtTheSwap())
        assert manifest_id(places) == "first"
        later = Interrupting(number, lambda: goes_on(places), after=after)
        run(places, "later", [[4], [5]], storage=later)
        assert rows(places) == [4, 5]
        assert names(places.folder)[0] == "_SUCCESS"
        return later.left <= 0

    every_moment(tmp_path, dies_at)


class Overtaken(LocalStorage):
    """Another publish swaps the manifest a moment before this one would."""

    def __init__(self, overtakes) -> None:
        super().__init__()
        self.overtakes = overtakes

    def replace_if(self, path, data, version):
        self.overtakes()
        return super().replace_if(path, data, version)


class OvertakenAtTheMark(LocalStorage):
    """Another publish begins and ends a moment before this one removes the mark; listings are as late as they can be."""

    def __init__(self, overtakes, listed) -> None:
        super().__init__()
        self.overtakes = [overtakes]
        self.listed = listed

    def delete(self, path):
        while path.endswith("_SUCCESS") and self.overtakes:
            self.overtakes.pop()()
        super().delete(path)

    def list(self, folder, **rest):
        late = self.listed(folder)
        return super().list(folder, **rest) if late is None else late


@pytest.mark.parametrize(
    "names_listed", [[], ["part-00000-old.parquet", "_SUCCESS"]], ids=["nothing", "before"]
)
def test_who_lost_puts_the_mark_back_that_it_removed_however_late_a_listing_is(places, names_listed):
    def listed(folder: str):
        return (
            [StoredFile(f"{folder}/{name}", 1) for name in names_listed] if folder == places.folder else None
        )

    run(places, "old", [[1]])
    storage = OvertakenAtTheMark(lambda: run(places, "winner", [[2]]), listed)
    with pytest.raises(PublishConflict):
        run(places, "loser", [[3]], storage=storage)
    assert rows(places) == [2]
    assert names(places.folder) == ["_SUCCESS", "part-00000-winner.parquet"]


def test_an_id_that_lost_stays_lost(places):
    run(places, "old", [[1]])
    with pytest.raises(PublishConflict, match="came first"):
        run(places, "loser", [[3]], storage=Overtaken(lambda: run(places, "winner", [[2]])))
    assert rows(places) == [2]
    assert names(places.folder) == ["_SUCCESS", "part-00000-winner.parquet"]
    with pytest.raises(PublishConflict, match="publish under a new id"):
        run(places, "loser", [[3]])
    assert rows(places) == [2]


def test_a_part_staged_anew_after_a_crash_replaces_the_copy_of_the_old_one(places):
    with suppress(Killed):
        run(places, "one", [[1]], storage=Overtaken(die))
    assert names(places.folder) == ["part-00000-one.parquet"]
    run(places, "one", [[2]])
    assert rows(places) == [2]


def test_a_publish_whose_parts_vanish_does_not_become_the_dataset(places):
    class Losing(LocalStorage):
        def copy(self, source, target):
            super().copy(source, target)
            self.delete(target)

    run(places, "old", [[1]])
    with pytest.raises(PublishConflict, match="removed parts of this one"):
        run(places, "new", [[2]], storage=Losing())
    assert rows(places) == [1]
    assert names(places.folder)[0] == "_SUCCESS"


def test_a_winner_does_not_mark_what_a_later_publish_is_changing(places):
    class Slow(LocalStorage):
        """While this one removes old parts, a later publish goes as far as its swap and dies."""

        def delete(self, path):
            if path.endswith("-old.parquet"):
                with suppress(Killed):
                    run(places, "later", [[3]], storage=DyingAtTheSwap())
            super().delete(path)

    run(places, "old", [[1]])
    run(places, "slow", [[2]], storage=Slow())
    assert manifest_id(places) == "later"
    assert names(places.folder) == ["part-00000-later.parquet", "part-00000-slow.parquet"]


# What has not changed


def kept_files(places) -> dict[str, int]:
    """Which files the dataset consists of: a file that was written anew is another one."""
    return {path.name: path.stat().st_ino for path in Path(places.folder).iterdir()}


def test_rows_that_are_published_already_are_not_published_again(places):
    run(places, "one", [[1, 2], [], [3]], paid=3)
    before = kept_files(places)
    manifest = run(places, "two", [[1, 2], [], [3]], paid=0)
    assert kept_files(places) == before
    assert (manifest["publish_id"], manifest["unchanged"], manifest["paid"]) == ("one", True, 0)
    assert manifest == read_manifest(LocalStorage(), places.state)[0]
    assert rows(places) == [1, 2, 3]
    assert names(places.state) == [".manifest.json.lock", "manifest.json"]


def test_nothing_is_written_but_the_manifest_where_nothing_changed(places):
    class Noting(LocalStorage):
        def writing(self, path):
            written.append(path)
            return super().writing(path)

        def create_new(self, path, data):
            written.append(path)
            return super().create_new(path, data)

        def replace_if(self, path, data, version):
            written.append(path)
            return super().replace_if(path, data, version)

        def copy(self, source, target):
            written.append(target)
            super().copy(source, target)

    written: list[str] = []
    run(places, "one", [[1], [2]])
    run(places, "two", [[1], [2]], storage=Noting())
    assert written == [f"{places.state}/staged/two/batches-00000.staged", f"{places.state}/manifest.json"]


def test_a_part_with_the_same_rows_stays_beside_those_that_changed(places):
    run(places, "one", [[1], [2], [3]])
    before = kept_files(places)
    manifest = run(places, "two", [[1], [5], [3], [4]])
    assert rows(places) == [1, 5, 3, 4]
    files = ["part-00000-one", "part-00001-two", "part-00002-one", "part-00003-two"]
    assert [file["path"] for file in manifest["files"]] == [f"{name}.parquet" for name in files]
    assert kept_files(places)["part-00000-one.parquet"] == before["part-00000-one.parquet"]
    assert (manifest["publish_id"], manifest["replaced"]) == ("two", ["part-00001-one.parquet"])


def test_fewer_rows_are_a_change(places):
    run(places, "one", [[1], [2]])
    manifest = run(places, "two", [[1]])
    assert rows(places) == [1]
    assert (manifest["publish_id"], manifest["unchanged"]) == ("two", False)


def test_the_same_rows_under_another_description_are_a_change(storage, places):
    def described(text: str) -> pa.Table:
        return table([1]).replace_schema_metadata({"description": text})

    for publish_id, text in (("one", "a"), ("two", "b")):
        staged = Stage(storage, places.state, publish_id)
        staged.add(0, described(text))
        publish(
            storage,
            folder=places.folder,
            state_folder=places.state,
            publish_id=publish_id,
            staged=staged.finish(),
            manifest={},
            previous=version(places),
        )
    assert manifest_id(places) == "two"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [Path.unlink, cut_short])
def test_a_part_that_is_gone_or_of_another_size_is_written_anew(places, harm):
    run(places, "one", [[1], [2]])
    harm(Path(places.folder, "part-00001-one.parquet"))
    manifest = run(places, "two", [[1], [2]])
    assert rows(places) == [1, 2]
    assert [file["path"] for file in manifest["files"]] == [
        "part-00000-one.parquet",
        "part-00001-two.parquet",
    ]


def test_remains_of_the_dead_are_taken_away_though_nothing_changed(places):
    run(places, "one", [[1], [2]])
    before = kept_files(places)
    with suppress(Killed):
        run(places, "dead", [[3], [2]], storage=Overtaken(die))
    assert names(places.folder) == [
        "part-00000-dead.parquet",
        "part-00000-one.parquet",
        "part-00001-one.parquet",
    ]
    manifest = run(places, "two", [[1], [2]])
    assert rows(places) == [1, 2]
    assert (manifest["publish_id"], manifest["unchanged"]) == ("one", True)
    assert {name: file for name, file in kept_files(places).items() if name != "_SUCCESS"} == {
        name: file for name, file in before.items() if name != "_SUCCESS"
    }
    assert "_SUCCESS" in names(places.folder)


def test_over_a_dataset_of_an_earlier_version_everything_is_published(places):
    run(places, "one", [[1]])
    path = Path(places.state, "manifest.json")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["unchanged"], manifest["files"][0]["content"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert run(places, "two", [[1]])["publish_id"] == "two"
    assert rows(places) == [1]


def test_who_changes_nothing_and_who_changes_something_meet_anywhere(tmp_path):
    def meets_at(root: Path, number: int, after: bool) -> bool:  # noqa: FBT001
        places = Places(root)
        run(places, "old", [[1], [2]])
        began = version(places)
        storage = Interrupting(number, lambda: run(places, "other", [[7], [2]]), after=after)
        with suppress(PublishConflict):
            run(places, "same", [[1], [2]], storage=storage, previous=began)
        met = storage.left <= 0
        assert rows(places) == ([7, 2] if met else [1, 2])
        assert "_SUCCESS" in names(places.folder)
        return met

    every_moment(tmp_path, meets_at)


# Readers beside a publish


def read_by(manifest, places) -> list[int]:
    """What somebody sees who read the manifest some time ago."""
    found: list[int] = []
    for file in manifest["files"]:
        with open_part(LocalStorage(), places.folder, places.state, file["path"]) as source:
            found += pq.read_table(source)["n"].to_pylist()
    return found


def read_by_glob(places) -> list[int]:
    files = sorted(Path(places.folder).glob("*.parquet"))
    return [n for file in files for n in pq.read_table(file)["n"].to_pylist()]


def test_at_every_moment_readers_see_the_old_dataset_or_the_new_one(tmp_path):
    seen: set[str] = set()

    def reads_at(root: Path, number: int, after: bool) -> bool:  # noqa: FBT001
        places = Places(root)
        run(places, "old", [[1], [2], [3]])
        before, _ = read_manifest(LocalStorage(), places.state)

        def reads() -> None:
            current, _ = read_manifest(LocalStorage(), places.state)
            assert read_by(before, places) == [1, 2, 3]
            assert read_by(current, places) in ([1, 2, 3], [1, 5])
            if Path(places.folder, "_SUCCESS").exists():
                assert read_by_glob(places) in ([1, 2, 3], [1, 5])
            else:
                seen.add("unmarked")

        storage = Interrupting(number, reads, after=after)
        run(places, "new", [[1], [5]], storage=storage)
        assert read_by_glob(places) == [1, 5]
        return storage.left <= 0

    every_moment(tmp_path, reads_at)
    assert seen


def test_a_replaced_part_stays_for_readers_until_its_time_is_over(places):
    begun = time.time()
    run(places, "one", [[1], [2]])
    before, _ = read_manifest(LocalStorage(), places.state)
    run(places, "two", [[1], [3]])
    # Neither a publish nor a run without a change takes it away too early.
    run(places, "three", [[1], [4]], now=lambda: begun + GRACE_S - 1)
    run(places, "four", [[1], [4]], now=lambda: begun + GRACE_S - 1)
    assert read_by(before, places) == [1, 2]
    assert names(Path(places.state, "replaced")) == [
        "part-00001-one.parquet.replaced",
        "part-00001-two.parquet.replaced",
    ]
    run(places, "five", [[1], [4]], now=lambda: time.time() + GRACE_S + 1)
    assert not Path(places.state, "replaced").exists()
    with pytest.raises(FileNotFoundError, match=r"part-00001-one\.parquet'"):
        read_by(before, places)


def replaced(places) -> list[str]:
    return names(Path(places.state, "replaced"))


def test_who_allows_no_grace_time_keeps_no_replaced_part(places):
    run(places, "one", [[1]])
    run(places, "two", [[2]])
    assert replaced(places) == ["part-00000-one.parquet.replaced"]
    run(places, "three", [[3]], grace_s=0)
    assert replaced(places) == []


def test_what_somebody_had_forgotten_is_kept_for_no_reader_of_the_manifest_before(places):
    run(places, "one", [[1], [2]])
    mark_forgotten(LocalStorage(), places.state)
    run(places, "two", [[1], [2]])  # nothing changed, so it shows it still
    run(places, "three", [[1], [3]])  # and so may the part that stays
    run(places, "four", [[4], [3]])
    assert replaced(places) == []
    manifest = run(places, "five", [[5], [3]])
    assert replaced(places) == []
    assert manifest["forgotten"] is True
    assert "forgotten" not in run(places, "six", [[6], [6]])
    run(places, "seven", [[7], [6]])
    assert replaced(places) == ["part-00000-six.parquet.replaced"]


def test_a_manifest_that_somebody_forged_leads_to_no_file_but_ours(places):
    run(places, "one", [[1]])
    victims = [Path(places.folder, "..", "victim.parquet"), Path(places.folder, "notes.md")]
    for victim in victims:
        victim.touch()
    path = Path(places.state, "manifest.json")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"] += [{**manifest["files"][0], "path": "../victim.parquet"}]
    manifest["replaced"] = ["../victim.parquet", "notes.md", 3, "part-00000-one.parquet/../../victim.parquet"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    # It goes on from where it died, and then a later one goes over it.
    run(places, "one", [[1]], previous=None)
    run(places, "two", [[2]])
    assert all(victim.exists() for victim in victims)


# Batches of any number of workers


def test_batches_of_many_stages_are_one_dataset_in_the_order_that_is_given(storage, places):
    staged = []
    for worker in ("c", "a", "b"):
        told = json.dumps(
            [asdict(batch) for batch in stage(places, worker, [[ord(worker), 0], [ord(worker), 1]])]
        )
        # As another process is told of it.
        staged += [StagedBatch(**batch) for batch in json.loads(told)]
    manifest = publish(
        storage,
        folder=places.folder,
        state_folder=places.state,
        publish_id="one",
        staged=staged,
        manifest={},
        previous=None,
    )
    assert rows(places) == [99, 0, 99, 1, 97, 0, 97, 1, 98, 0, 98, 1]
    assert [file["rows"] for file in manifest["files"]] == [12]
    # They stay, for whoever publishes them once more.
    assert all(Path(batch.path).exists() for batch in staged)


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("harm", "error"), [(Path.unlink, PublishConflict), (spoil, StateUnreadable)])
def test_a_staged_batch_that_is_gone_or_damaged_leaves_the_dataset_as_it_is(storage, places, harm, error):
    run(places, "one", [[1]])
    staged = stage(places, "two", [[2]])
    harm(Path(staged[0].path))
    with pytest.raises(error, match="staged"):
        publish(
            storage,
            folder=places.folder,
            state_folder=places.state,
            publish_id="two",
            staged=staged,
            manifest={},
            previous=version(places),
        )
    assert rows(places) == [1]
    assert "_SUCCESS" in names(places.folder)


# Readers


def with_duckdb(pattern: str) -> list[dict]:
    found = duckdb.execute("select * from read_parquet(?, hive_types_autocast = false) order by n", [pattern])
    columns = [column[0] for column in found.description]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def four_readers(source: str) -> list[list[dict]]:
    """The rows as Arrow, DuckDB, Polars and pandas read them."""
    return [
        pq.read_table(source).to_pylist(),
        with_duckdb(f"{source}/**/*.parquet"),
        pl.read_parquet(source, try_parse_hive_dates=False).to_dicts(),
        pd.read_parquet(source).to_dict("records"),
    ]


def test_the_usual_readers_read_a_dataset(places):
    run(places, "one", [[1, 2], [], [3]])
    expected = [{"n": n, "result": {"total": str(n)}} for n in (1, 2, 3)]
    for found in four_readers(places.folder):
        assert found == expected


def test_the_usual_readers_read_partitions(tmp_path, storage):
    for day in ("2026-01-01", "2026-01-02"):
        places = Places(tmp_path)
        places.folder = dataset_folder(storage, str(tmp_path / "lake"), {"ds": day})
        places.state = str(tmp_path / "lake.state" / day)
        run(places, "one", [[int(day[-1])]])
    expected = [{"n": n, "result": {"total": str(n)}, "ds": f"2026-01-0{n}"} for n in (1, 2)]
    for found in four_readers(str(tmp_path / "lake")):
        assert found == expected


def test_a_dataset_without_rows_has_its_schema(places):
    run(places, "one", [[]])
    assert pq.read_table(places.folder).schema.equals(SCHEMA)
    assert duckdb.read_parquet(f"{places.folder}/*.parquet").columns == SCHEMA.names
    assert pl.read_parquet(places.folder).columns == SCHEMA.names
    assert list(pd.read_parquet(places.folder).columns) == SCHEMA.names
    assert open_dataset(LocalStorage(), places.folder).schema.equals(SCHEMA)
