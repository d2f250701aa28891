"""Small files, read only where they are small: what lies in a folder may be anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runware_provider.engine.storage.port import Storage


class TooLargeError(OSError):
    """A file is larger than anything of ours is."""


def read_at_most(storage: Storage, path: str, most_bytes: int) -> bytes | None:
    """The whole content of a file; None where there is none.

    Args:
        storage: where it lies.
        path: of the file.
        most_bytes: of a larger one, nothing is read.

    Raises:
        TooLargeError: it is larger.
        OSError: the store failed.
    """
    try:
        opened = storage.open(path)
    except FileNotFoundError:
        return None
    with opened as file:
        size = file.size()
        if size > most_bytes:
            raise TooLargeError(f"{path} has {size:,} bytes; at most {most_bytes:,} are read")
        return bytes(file.read(size))
