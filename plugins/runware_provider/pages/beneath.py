"""Files below a root, for reading alone: no link below the root is followed, and no record is read that is larger than ours are.

On this machine each folder on the way is opened from the one above it, and the file from the last of them: who puts a link
in the place of a file or of a folder, at whatever moment, gets an error and no other file. The root itself may be a link. An
object store has no links.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final, Protocol, cast

import pyarrow as pa

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job import split_record
from runware_provider.engine.storage.bounded_reading import TooLargeError, read_at_most
from runware_provider.engine.storage.local import local_path
from runware_provider.pages.roots import OPTION, names_below

if TYPE_CHECKING:
    from runware_provider.engine.storage.port import Storage, Version

RECORD_BYTES: Final = 1_000_000
"""Of a record or a history; a long one has some ten thousand."""
SPLIT_BYTES: Final = 4_000_000
"""Of the record of a split, which lists all files of a source."""
LINKED: Final = (
    f"A link lies on the way to this file, and below the folders that {OPTION} lists none is followed."
)
# Where there is such a thing, a folder on the way need not be readable, as for whoever opens by a path.
_FOLDER: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
# A pipe would be waited for, and a terminal taken.
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class LinkBelowError(OSError):
    """A link lies below a root on the way to a file."""


class Readable(Protocol):
    """What those functions need of a store that only read."""

    def open(self, path: str) -> pa.NativeFile:
        """As of `Storage`."""

    def exists(self, path: str) -> bool:
        """As of `Storage`."""

    def join(self, folder: str, *names: str) -> str:
        """As of `Storage`."""


class LocalBeneath:
    """The files below a folder of this machine.

    Args:
        root: the folder, as `[runware] page_roots` spells it.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._folder = local_path(root, OPTION)

    def open(self, path: str) -> pa.NativeFile:
        descriptor = self._descriptor(path)
        try:
            _check_is_file(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        return pa.PythonFile(os.fdopen(descriptor, "rb", buffering=0), mode="r")

    def exists(self, path: str) -> bool:
        try:
            self.open(path).close()
        except (FileNotFoundError, IsADirectoryError):
            return False
        return True

    def join(self, folder: str, *names: str) -> str:
        return "/".join([folder.rstrip("/"), *(name.strip("/") for name in names)])

    def _descriptor(self, path: str) -> int:
        names = names_below(path, self._root)
        if not names:
            raise PermissionError(errno.EACCES, "does not lie below the root", path)
        above = os.open(self._folder, _FOLDER)
        try:
            for name in names[:-1]:
                folder = _open_in(above, name, _FOLDER)
                os.close(above)
                above = folder
            return _open_in(above, names[-1], _FILE)
        finally:
            os.close(above)


class BoundedRecords:
    """A store of which whoever asks for a whole record gets none that is larger than ours are.

    Args:
        files: which it reads from.
    """

    def __init__(self, files: Readable) -> None:
        self._files = files

    def open(self, path: str) -> pa.NativeFile:
        return self._files.open(path)

    def exists(self, path: str) -> bool:
        return self._files.exists(path)

    def join(self, folder: str, *names: str) -> str:
        return self._files.join(folder, *names)

    def read_versioned(self, path: str) -> tuple[bytes, Version] | None:
        is_split = path.rpartition("/")[2] == split_record.NAME
        try:
            content = read_at_most(_storage(self._files), path, SPLIT_BYTES if is_split else RECORD_BYTES)
        except TooLargeError as error:
            raise StateUnreadable(str(error)) from None
        # Nobody swaps here, so that no version is asked for.
        return None if content is None else (content, "")


def bounded(files: Readable) -> Storage:
    """A store for those functions of the engine that only read: whatever writes is missing in it."""
    return cast("Storage", BoundedRecords(files))


def _storage(files: Readable) -> Storage:
    return cast("Storage", files)


def _open_in(folder: int, name: str, flags: int) -> int:
    """A descriptor of what has this name in a folder, unless it is a link."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        # It may be gone by the time that it is looked at.
        if error.errno == errno.ELOOP or _is_link(folder, name):
            raise LinkBelowError(errno.ELOOP, "is a link", name) from None
        # A file in the place of a folder: nothing lies in it.
        if error.errno == errno.ENOTDIR:
            raise FileNotFoundError(errno.ENOENT, "is not there", name) from None
        raise


def _is_link(folder: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _check_is_file(descriptor: int, path: str) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is no file, but a pipe, a socket or a device", path)
