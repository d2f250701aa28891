from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import STALE_S

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage()


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "state")


class Sync:
    """Notes what is made durable, in order, and what a reader would see at that moment."""

    def __init__(self, watched: Path | None = None) -> None:
        self.watched = watched
        self.calls: list[tuple[str, bool]] = []

    def __call__(self, descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        self.calls.append((name, self.watched is not None and self.watched.exists()))
        os.fsync(descriptor)


def test_content_is_durable_before_the_name_and_the_name_before_the_return(tmp_path):
    sync = Sync(tmp_path / "a")
    LocalStorage(sync).create_new(str(tmp_path / "a"), b"x")
    (temporary, seen), *rest = sync.calls
    assert temporary.startswith(".a.")
    assert temporary.endswith(".tmp")
    assert not seen
    assert rest == [(tmp_path.name, True)]


def test_new_folders_are_made_durable_from_the_top(tmp_path):
    sync = Sync()
    LocalStorage(sync).create_new(str(tmp_path / "one" / "two" / "file"), b"x")
    names = [name for name, _ in sync.calls]
    assert names[:2] == [tmp_path.name, "one"]
    assert names[-1] == "two"
    sync.calls.clear()
    LocalStorage(sync).create_new(str(tmp_path / "one" / "two" / "other"), b"x")
    assert len(sync.calls) == 2


def test_a_file_of_another_is_made_durable_before_it_is_relied_on(tmp_path):
    LocalStorage().create_new(str(tmp_path / "a"), b"x")
    sync = Sync()
    assert not LocalStorage(sync).create_new(str(tmp_path / "a"), b"y")
    assert sync.calls[-1][0] == tmp_path.name


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        LocalStorage(refuse).create_new(str(tmp_path / "a"), b"x")
    assert list(tmp_path.iterdir()) == []


def test_files_get_the_permissions_that_the_umask_leaves(storage, tmp_path):
    previous = os.umask(0o027)
    try:
        storage.create_new(str(tmp_path / "a"), b"")
    finally:
        os.umask(previous)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def umask() -> Iterator[None]:
    previous = os.umask(0o022)
    yield
    os.umask(previous)


@pytest.mark.usefixtures("umask")
class TestPrivateFolders:
    def test_what_is_made_in_a_new_one_is_its_owners_alone(self, storage, tmp_path):
        state = tmp_path / "lake" / "out.state"
        storage.keep_private(str(state))
        storage.create_new(f"{state}/ledger/1.segment", b"paid")
        version = storage.read_versioned(f"{state}/ledger/1.segment")[1]
        assert storage.replace_if(f"{state}/ledger/1.segment", b"", version)
        with storage.writing(f"{state}/staged/x/a.part") as file:
            file.write(b"rows")
        storage.copy(f"{state}/staged/x/a.part", f"{state}/replaced/a.part")
        for path in state.rglob("*"):
            assert mode(path) == (0o700 if path.is_dir() else 0o600), path
        assert [mode(state), mode(state.parent)] == [0o700, 0o755]

    def test_one_that_is_there_keeps_its_rights_and_gives_them_on(self, storage, tmp_path):
        state = tmp_path / "out.state"
        state.mkdir(mode=0o755)
        storage.keep_private(str(state))
        storage.create_new(f"{state}/ledger/1.segment", b"paid")
        assert [mode(state), mode(state / "ledger"), mode(state / "ledger/1.segment")] == [
            0o755,
            0o755,
            0o644,
        ]

    def test_a_group_that_shares_one_can_write_what_others_made_whatever_the_umask(self, storage, tmp_path):
        state = tmp_path / "out.state"
        state.mkdir()
        state.chmod(0o2770)
        storage.keep_private(str(state))
        assert storage.replace_if(f"{state}/ledger/base.json", b"{}", None)
        ledger = state / "ledger"
        made = [ledger, ledger / "base.json", ledger / ".base.json.lock"]
        assert [mode(path) for path in made] == [0o2770, 0o660, 0o660]

    def test_what_is_published_from_one_has_the_rights_of_its_new_place(self, storage, tmp_path):
        state = tmp_path / "out.state"
        storage.keep_private(str(state))
        storage.create_new(f"{state}/staged/a.part", b"rows")
        storage.copy(f"{state}/staged/a.part", str(tmp_path / "out" / "part.parquet"))
        assert mode(tmp_path / "out" / "part.parquet") == 0o644
        assert mode(tmp_path / "out") == 0o755
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["part.parquet"]


CHILD = """
import sys
from runware_provider.engine.storage.local import LocalStorage

wanted, path = sys.argv[1:]

def stop(event, arguments):
    if event == wanted and path.rpartition("/")[2] in str(arguments):
        print("there", flush=True)
        sys.stdin.read()

sys.addaudithook(stop)
LocalStorage().create_new(path, b"content" * 1000)
print("returned", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("moment", "survives"), [("open", False), ("os.link", False), ("os.remove", True), ("never", True)]
)
def test_a_kill_leaves_the_whole_file_or_none(storage, tmp_path, moment, survives):
    path = str(tmp_path / "answers.segment")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, moment, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "plugins"},
        cwd=Path(__file__).parents[3],
    ) as child:
        assert child.stdout.readline().strip() == (b"returned" if moment == "never" else b"there")
        child.kill()
    expected = [path] if survives else []
    assert [entry.path for entry in storage.list(str(tmp_path))] == expected
    assert storage.exists(path) == survives
    assert storage.create_new(path, b"content" * 1000) != survives
    assert storage.read(path) == b"content" * 1000


def test_a_folder_is_no_file(storage, tmp_path):
    assert not storage.exists(str(tmp_path))
    with pytest.raises(IsADirectoryError):
        storage.open(str(tmp_path))
    with pytest.raises(IsADirectoryError):
        storage.read(str(tmp_path))


def test_of_many_threads_that_write_the_same_content_none_loses_a_step(storage, folder):
    path = storage.join(folder, "count")
    storage.create_new(path, b"0")

    def count_up() -> None:
        for _ in range(10):
            done = False
            while not done:
                data, version = storage.read_versioned(path)
                done = storage.replace_if(path, str(int(data) + 1).encode(), version)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read(path) == b"40"
    assert [entry.path for entry in storage.list(folder)] == [path]


def test_a_replacement_is_durable_before_the_return(tmp_path):
    sync = Sync()
    storage = LocalStorage(sync)
    storage.create_new(str(tmp_path / "a"), b"x")
    _, version = storage.read_versioned(str(tmp_path / "a"))
    sync.calls.clear()
    assert storage.replace_if(str(tmp_path / "a"), b"y", version)
    assert [name.startswith(".a.") for name, _ in sync.calls] == [True, False]
    assert sync.calls[-1][0] == tmp_path.name


def test_a_file_written_piece_by_piece_and_a_copy_are_durable_before_the_return(tmp_path):
    sync = Sync()
    storage = LocalStorage(sync)
    with storage.writing(str(tmp_path / "a")) as file:
        file.write(b"x")
        assert sync.calls == []
    assert [name.startswith(".a.") for name, _ in sync.calls] == [True, False]
    sync.calls.clear()
    storage.copy(str(tmp_path / "a"), str(tmp_path / "b"))
    assert [name for name, _ in sync.calls] == [tmp_path.name]


class NoLinks(LocalStorage):
    """A file system across which, or on which, nothing can be linked."""

    def __init__(self, number: int, refused: str) -> None:
        super().__init__()
        self.number = number
        self.refused = refused

    def _link(self, source: Path, target: Path) -> bool:
        if self.refused in source.name:
            raise OSError(self.number, os.strerror(self.number))
        return LocalStorage._link(source, target)


def test_across_file_systems_a_copy_is_a_copy(folder):
    storage = NoLinks(errno.EXDEV, "source")
    source = LocalStorage().join(folder, "source")
    LocalStorage().create_new(source, b"x" * 3_000_000)
    for _ in range(2):
        storage.copy(source, storage.join(folder, "target"))
    assert storage.read(storage.join(folder, "target")) == b"x" * 3_000_000
    assert len(storage.list(folder)) == 2


def test_a_file_system_without_hard_links_is_refused_by_name(folder):
    with pytest.raises(BadInput, match=r"state.*no hard links"):
        NoLinks(errno.EPERM, ".tmp").create_new(f"{folder}/a", b"x")
    assert LocalStorage().list(folder) == []


def test_a_listing_leaves_out_our_own_temporary_and_lock_files_only(storage, tmp_path):
    (tmp_path / ".a.0123456789abcdef.tmp").touch()
    (tmp_path / ".manifest.json.lock").touch()
    (tmp_path / "theirs.tmp").touch()
    (tmp_path / ".hidden").touch()
    assert [Path(entry.path).name for entry in storage.list(str(tmp_path))] == [".hidden", "theirs.tmp"]


def test_listing_a_file_is_an_error_not_an_empty_folder(storage, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError):
        storage.list(str(tmp_path / "a"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_error_not_empty(storage, tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(PermissionError):
        storage.list(str(tmp_path))


def test_a_listing_follows_links_but_not_in_circles(storage, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").touch()
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    names = [entry.path.removeprefix(str(tmp_path)) for entry in storage.list(str(tmp_path))]
    assert names == ["/link/a", "/real/a"]


def test_a_listing_without_links_shows_neither_them_nor_what_is_behind_them(storage, tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "a").touch()
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "file").symlink_to(tmp_path / "real" / "deep" / "a")
    (tmp_path / "real" / "nowhere").symlink_to(tmp_path / "gone")
    names = [entry.path.removeprefix(str(tmp_path)) for entry in storage.list(str(tmp_path), links=False)]
    assert names == ["/real/deep/a"]
    assert storage.list(str(tmp_path / "folder"), links=False) == []
    assert [storage.is_link(f"{tmp_path}/{name}") for name in ("folder", "real", "none")] == [
        True,
        False,
        False,
    ]


def test_a_link_that_leads_nowhere_is_an_error(storage, tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        storage.list(str(tmp_path))


def test_a_sweep_removes_old_temporary_files_and_empty_folders_only(storage, tmp_path):
    old, new = tmp_path / "deep" / f".a.{'0' * 16}.tmp", tmp_path / f".b.{'1' * 16}.tmp"
    kept = tmp_path / "kept" / ".manifest.json.lock"
    for path in (old, new, kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    past = time.time() - STALE_S - 60
    os.utime(old, (past, past))
    os.utime(kept, (past, past))
    storage.sweep(str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == sorted([new, kept, kept.parent])
    storage.sweep(str(tmp_path / "missing"))


def test_an_empty_folder_that_is_swept_at_itself_stays(storage, tmp_path):
    storage.sweep(str(tmp_path))
    assert tmp_path.is_dir()


def test_joining_cares_for_slashes(storage):
    assert storage.join("/a/", "b", "/c") == "/a/b/c"
    assert storage.join("/", "b") == "/b"
    assert storage.join("file:///a", "b") == "file:///a/b"


def test_file_urls_and_paths_are_the_same_place(storage, tmp_path):
    storage.create_new(f"file://{tmp_path}/a%20b", b"x")
    assert storage.read(f"{tmp_path}/a%20b") == b"x"
    assert storage.read(f"file:{tmp_path}/a%20b") == b"x"
    assert storage.read(f"file://localhost{tmp_path}/a%20b") == b"x"
    assert [entry.path for entry in storage.list(f"file://{tmp_path}")] == [f"file://{tmp_path}/a%20b"]


def test_relative_paths_stay_where_they_were(tmp_path):
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        storage = LocalStorage()
    finally:
        os.chdir(before)
    storage.create_new("out/a", b"x")
    assert (tmp_path / "out" / "a").read_bytes() == b"x"
    assert [entry.path for entry in storage.list("out")] == ["out/a"]


def test_a_tilde_is_the_home_folder(storage, tmp_path):
    home = os.environ.get("HOME")
    os.environ["HOME"] = str(tmp_path)
    try:
        storage.create_new("~/out/a", b"x")
        assert [entry.path for entry in storage.list("~/out")] == ["~/out/a"]
    finally:
        os.environ.pop("HOME") if home is None else os.environ.update(HOME=home)
    assert (tmp_path / "out" / "a").exists()


def test_a_pipe_is_refused_in_the_place_of_being_waited_for(storage, tmp_path):
    os.mkfifo(tmp_path / "a.parquet")
    for reads in (storage.open, storage.read, storage.read_versioned):
        with pytest.raises(OSError, match="is no file, but a pipe"):
            reads(str(tmp_path / "a.parquet"))
