"""What lies on a local disk: which files there are below a folder, and whether something is a file that can be read."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from runware_provider.engine.storage.port import StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_NAME = re.compile(r"\..+\.(?:[0-9a-f]{16}\.tmp|lock)", re.DOTALL)
"""What a store of files makes for itself beside a file: what is being written, and its lock."""


def mode_of(path: Path) -> int | None:
    """Kind and rights of what is there; None when nothing is, which `Path.exists` also says of what may not be looked at."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_is_file(local: Path, path: str) -> None:
    """See that nothing is opened that is no file: a pipe without a writer would be waited for without end.

    Raises:
        OSError: it is a folder, a pipe, a socket or a device.
    """
    mode = mode_of(local)
    if mode is None or stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", path)
    raise OSError(errno.EINVAL, "is no file, but a pipe, a socket or a device", path)


def walk(folder: str, spelled: str, *, recursive: bool, links: bool) -> Iterator[StoredFile]:
    """The files in a folder, those of `OWN_NAME` left out; never into a folder that it is inside of already.

    Args:
        folder: where to look; nothing is there where it is missing.
        spelled: the same as the paths shall begin.
        recursive: whether files in sub-folders count.
        links: whether symbolic links are followed.
    """
    return _walk(folder, spelled, recursive=recursive, links=links, above=frozenset())


def _walk(
    folder: str, spelled: str, *, recursive: bool, links: bool, above: frozenset[tuple[int, int]]
) -> Iterator[StoredFile]:
    try:
        status = Path(folder).stat()
        with os.scandir(folder) as scan:
            children = list(scan)
    except FileNotFoundError:
        return
    me = (status.st_dev, status.st_ino)
    if me in above:
        return
    for child in children:
        path = f"{spelled}/{child.name}"
        if not links and child.is_symlink():
            continue
        if child.is_dir():
            if recursive:
                yield from _walk(child.path, path, recursive=True, links=links, above=above | {me})
        elif not OWN_NAME.fullmatch(child.name):
            yield from _entry(child, path)


def _entry(child: os.DirEntry[str], path: str) -> Iterator[StoredFile]:
    try:
        status = child.stat()
    except FileNotFoundError:
        if child.is_symlink():  # leads nowhere: somebody counts on that file
            raise
        return  # deleted since the folder was read
    yield StoredFile(path, status.st_size, status.st_mtime)
