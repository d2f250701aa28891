"""The local file system behind the port to storage.

It must have hard links and `flock`. Two kinds of files are the store's own, and `list` never shows them:

- `.<name>.<16 hex digits>.tmp`, a file on its way to `<name>`. A process that dies leaves it behind; it is
  harmless, and `sweep` removes it when it is older than a day.
- `.<name>.lock`, empty, what `replace_if` locks. It stays for good: removing a lock file would let two
  processes hold "the" lock.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from runware_provider.engine.errors import BadInput
from runware_provider.engine.shown_urls import without_password
from runware_provider.engine.storage.local_files import check_is_file, mode_of, walk
from runware_provider.engine.storage.port import STALE_S, StoredFiles
from runware_provider.engine.storage.private_folders import PrivateFolders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.engine.storage.port import Bytes, Version

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.DOTALL)
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_LINK_ELSEWHERE = _NO_HARD_LINKS | {errno.EXDEV, errno.EMLINK}
# A sweep may remove a folder between its making and the first file in it; that cannot go on for ever.
_FOLDER_TRIES = 5


class LocalStorage:
    """Files on this machine. Relative paths start at the folder that was current when this was made.

    Args:
        sync: makes a descriptor's file or folder durable; `os.fsync`, unless a test counts or refuses.
    """

    def __init__(self, sync: Callable[[int], None] = os.fsync) -> None:
        self._base = Path.cwd()
        self._sync = sync
        self._private = PrivateFolders()

    def keep_private(self, folder: str) -> None:
        self._private.add(self._path(folder))

    def list(self, folder: str, *, recursive: bool = True, links: bool = True) -> StoredFiles:
        path = self._path(folder)
        mode = mode_of(path)
        if mode is None or (not links and path.is_symlink()):
            return []
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, "is a file, not a folder", folder)
        found = walk(str(path), folder.rstrip("/"), recursive=recursive, links=links)
        return sorted(found, key=lambda entry: entry.path)

    def is_link(self, path: str) -> bool:
        return self._path(path).is_symlink()

    def exists(self, path: str) -> bool:
        mode = mode_of(self._path(path))
        return mode is not None and not stat.S_ISDIR(mode)

    def read(self, path: str) -> bytes:
        local = self._path(path)
        check_is_file(local, path)
        return local.read_bytes()

    def read_versioned(self, path: str) -> tuple[bytes, Version] | None:
        try:
            data = self.read(path)
        except FileNotFoundError:
            return None
        return data, _version(data)

    def create_new(self, path: str, data: Bytes) -> bool:
        target = self._path(path)
        temporary = self._write_temporary(target, data)
        return self._move_new(temporary, target)

    def replace_if(self, path: str, data: Bytes, version: Version | None) -> bool:
        target = self._path(path)
        with self._locked(target):
            current = self.read_versioned(path)
            if (current[1] if current else None) != version:
                return False
            if current is None:
                return self.create_new(path, data)
            temporary = self._write_temporary(target, data)
            try:
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self._sync_folder(target.parent)
            return True

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        target = self._path(path)
        temporary, descriptor = self._open_temporary(target)
        try:
            with _naming(target), os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                self._sync(descriptor)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_folder(target.parent)

    def copy(self, source: str, target: str) -> None:
        origin, end = self._path(source), self._path(target)
        temporary = self._linked_temporary(origin, end)
        try:
            with suppress(PermissionError):  # somebody else's file, which is as old as it says
                os.utime(temporary)
            temporary.replace(end)
        finally:
            # Of two names of one file, the kernel leaves both.
            temporary.unlink(missing_ok=True)
        self._sync_folder(end.parent)

    def delete(self, path: str) -> None:
        self._path(path).unlink(missing_ok=True)

    def sweep(self, folder: str) -> None:
        for root, _, names in os.walk(self._path(folder), topdown=False):
            for name in filter(_TEMPORARY.fullmatch, names):
                _unlink_if_stale(Path(root, name))
            if root != str(self._path(folder)):
                with suppress(OSError):  # not empty, or gone
                    Path(root).rmdir()

    def open(self, path: str) -> pa.NativeFile:
        local = self._path(path)
        check_is_file(local, path)
        return pa.OSFile(str(local), mode="rb")

    def stamp(self, path: str, opened: pa.NativeFile) -> Version:  # noqa: ARG002 - a file can be written to while it is open
        status = self._path(path).stat()
        return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"

    def join(self, folder: str, *names: str) -> str:
        return "/".join([folder.rstrip("/"), *(name.strip("/") for name in names)])

    def canonical(self, path: str) -> str:
        return path if _is_elsewhere(path) else str(self._path(path).resolve())

    def check_conditions(self, folder: str, *, field: str = "destination") -> None:
        """Nothing: what a file system lacks shows at the first write, and is refused there."""

    def _path(self, path: str) -> Path:
        return self._base / Path(local_path(path, path)).expanduser()

    def _write_temporary(self, target: Path, data: Bytes) -> Path:
        temporary, descriptor = self._open_temporary(target)
        try:
            with _naming(target):
                _write_all(descriptor, data)
                self._sync(descriptor)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return temporary

    def _linked_temporary(self, origin: Path, target: Path) -> Path:
        """A temporary file beside the target with the content of another file: the same file where that can be."""
        temporary = _temporary_beside(target)
        try:
            self._link(origin, temporary)
            # What is published is for its readers; the first name of the file stays behind its folder's rights.
            if origin in self._private and target not in self._private:
                temporary.chmod(self._usual_rights(target))
        except PermissionError:  # somebody else's file
            temporary.unlink(missing_ok=True)
            return self._copy_temporary(origin, target)
        except FileNotFoundError:
            origin.stat()  # says which file is missing, should it be the source
            self._make_folder(target.parent)
            return self._linked_temporary(origin, target)
        except OSError as error:
            if error.errno not in _LINK_ELSEWHERE:
                raise
            return self._copy_temporary(origin, target)
        return temporary

    def _usual_rights(self, target: Path) -> int:
        """What a new file at this place gets; the umask cannot be asked without changing it for all threads."""
        probe, descriptor = self._open_temporary(target)
        try:
            return stat.S_IMODE(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)
            probe.unlink(missing_ok=True)

    def _copy_temporary(self, origin: Path, target: Path) -> Path:
        temporary, descriptor = self._open_temporary(target)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as writer, origin.open("rb") as reader:
                shutil.copyfileobj(reader, writer, 1 << 20)
                self._sync(descriptor)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _open_temporary(self, target: Path) -> tuple[Path, int]:
        temporary = _temporary_beside(target)
        return temporary, self._open_in_folder(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def _open_in_folder(self, path: Path, flags: int) -> int:
        """A descriptor; the folder is made only when it turns out to be missing, which is rare."""
        for _ in range(_FOLDER_TRIES):
            try:
                return self._open(path, flags)
            except FileNotFoundError:
                self._make_folder(path.parent)
        return self._open(path, flags)

    def _open(self, path: Path, flags: int) -> int:
        rights = self._private.rights_of_new(path)
        descriptor = os.open(path, flags | os.O_CLOEXEC, rights.file)
        if rights.exact:
            with suppress(PermissionError):  # a lock file that somebody else made
                os.fchmod(descriptor, rights.file)
        return descriptor

    def _move_new(self, temporary: Path, target: Path) -> bool:
        try:
            created = self._link(temporary, target)
        except OSError as error:
            if error.errno in _NO_HARD_LINKS:
                raise BadInput(
                    str(target.parent),
                    "the file system has no hard links, without which two runs could overwrite each other",
                    "Choose a folder on a local disk or on a network file system with hard links",
                ) from error
            raise
        finally:
            temporary.unlink(missing_ok=True)
        # Also when somebody else created it: the caller will rely on a file that may not be durable yet.
        self._sync_folder(target.parent)
        return created

    @staticmethod
    def _link(source: Path, target: Path) -> bool:
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        return True

    def _make_folder(self, folder: Path) -> None:
        """Make it and what is missing above; a new folder is durable when the one above is synced."""
        missing = [folder, *folder.parents]
        missing = missing[: next(place for place, above in enumerate(missing) if above.is_dir())]
        for new in reversed(missing):
            rights = self._private.rights_of_new(new)
            new.mkdir(mode=rights.folder, exist_ok=True)
            if rights.exact:
                with suppress(PermissionError):  # somebody else made it this moment
                    new.chmod(rights.folder)
            self._sync_folder(new.parent)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _naming(folder):
                self._sync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        """Alone with a file, among threads as among processes; the kernel unlocks for the dead."""
        descriptor = self._open_in_folder(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _is_elsewhere(path: str) -> bool:
    found = _SCHEME.match(path)
    return found is not None and found[1].lower() != "file"


def local_path(url: str, field: str) -> str:
    """The path that a path or `file:` URL means.

    Raises:
        BadInput: it is another kind of URL, or names another host.
    """
    found = _SCHEME.match(url)
    if found is None:
        return url
    scheme, rest = found[1].lower(), url[found.end() - 1 :]
    if scheme != "file":
        raise BadInput(
            field,
            f"{scheme}:// is not supported here ({without_password(url)!r})",
            "Give a path, or a file://, s3://, gs:// or abfs:// URL",
        )
    if rest.startswith("//"):
        host, _, rest = rest[2:].partition("/")
        if host not in {"", "localhost"}:
            raise BadInput(
                field, f"{without_password(url)!r} names a host", "Write three slashes: file:///folder/file"
            )
        rest = "/" + rest
    return rest


def _temporary_beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """What the system says of a descriptor names no file, and whoever reads that the disk is full wants to know which."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(target)
        raise


def _write_all(descriptor: int, data: Bytes) -> None:
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _version(data: bytes) -> Version:
    return hashlib.sha256(data).hexdigest()


def _unlink_if_stale(path: Path) -> None:
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > STALE_S:
            path.unlink()
