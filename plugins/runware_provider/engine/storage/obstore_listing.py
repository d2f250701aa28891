"""Which of the things that obstore lists are objects. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runware_provider.engine.storage.object_client import Listed


def objects_in(prefix: str, entries: Iterable[Listed], folders: Iterable[str] = ()) -> Iterator[Listed]:
    """The objects whose keys begin so, without those that tools write to show a folder.

    Such a mark is an empty object whose key ends with a slash, and obstore takes the slash away. So what is empty and
    has objects below it is one; and the folder's own mark does not begin with the prefix any more. The mark of an empty
    folder below cannot be told from an empty file.

    Args:
        prefix: empty, or ends with a slash.
        entries: as listed.
        folders: keys of folders, without their slashes, that have been found besides.
    """
    below = [entry for entry in entries if entry.key.startswith(prefix)]
    known = set(folders)
    for entry in below:
        known.update(_folders_above(entry.key))
    for entry in below:
        if entry.size or entry.key not in known:
            yield entry


def _folders_above(key: str) -> Iterator[str]:
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key
