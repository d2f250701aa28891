"""What a bucket is asked, whoever asks it: the few requests that all object stores answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.storage.port import Version

GIVE_UP_S: Final = 60.0
"""Seconds after which no further try of a request begins."""
CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
"""Seconds that a try waits for the next bytes."""

Span: TypeAlias = tuple[int, int]
"""The first byte and the one after the last."""


@dataclass(frozen=True)
class Content:
    """An object, or a range of it."""

    data: bytes
    version: Version
    size: int
    """Bytes of the whole object."""


@dataclass(frozen=True)
class Listed:
    """An object in a listing."""

    key: str
    size: int
    """Bytes."""
    modified: float
    """Seconds since the epoch."""


class ObjectClient(Protocol):
    """Requests to one bucket; safe to use from many threads.

    Each is tried again for a bounded time where that may help, so that a write may have been made by an earlier try of
    the very call that is told that its condition does not hold.

    Every method takes what the user calls the object (`path`), for errors, and raises an OSError: NotADirectoryError
    where there is no such bucket, PermissionError where the credentials are missing or refused, with EOPNOTSUPP where
    the store does not know what it was asked for, and with EINVAL where it rejects it.
    """

    def get(self, key: str, path: str, *, span: Span | None = None, version: Version = "") -> Content:
        """An object, or a range of it.

        Args:
            key: in the bucket.
            path: see above.
            span: which bytes; all if None.
            version: what it must still be; anything if empty.

        Raises:
            FileNotFoundError: there is no such object.
            FileExistsError: it is another one by now.
        """

    def tail(self, key: str, path: str, length: int) -> Content:
        """The last bytes of an object, or all of a shorter one.

        Raises:
            FileNotFoundError: there is no such object.
        """

    def has(self, key: str, path: str) -> bool:
        """Whether there is such an object."""

    def create(self, key: str, path: str, data: bytes) -> None:
        """Write an object unless there is one.

        Raises:
            FileExistsError: there is one.
        """

    def replace(self, key: str, path: str, data: bytes, version: Version) -> None:
        """Write an object in the place of this version.

        Raises:
            FileExistsError: it is another one by now.
            FileNotFoundError: there is none any more.
        """

    def put(self, key: str, path: str, data: bytes | BinaryIO) -> None:
        """Write an object in the place of what is there.

        Args:
            key: in the bucket.
            path: see above.
            data: the content, or a file that holds it, which is read from its start.
        """

    def copy(self, key: str, other: str, path: str) -> None:
        """Have the store copy an object to another key, in the place of what is there.

        Raises:
            FileNotFoundError: there is no source.
        """

    def delete(self, key: str, path: str) -> None:
        """Remove an object, if there is one."""

    def listing(self, prefix: str, path: str, *, recursive: bool = True) -> Iterator[Listed]:
        """The objects whose keys begin so, in no order; where it breaks off, that is an error, never its end.

        Args:
            prefix: empty, or ends with a slash.
            path: see above.
            recursive: whether those count whose keys go on behind another slash.
        """
