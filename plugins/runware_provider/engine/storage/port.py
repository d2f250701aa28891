"""What the engine needs of a place where datasets and state live.

A store can stand behind it when it has four things: a listing that is never stale, an exclusive create, a
compare-and-swap, and random reads. There is no append and no rename, because object stores have neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

Version: TypeAlias = str
"""What a file's content was when it was read; two contents never share it."""
Bytes: TypeAlias = "bytes | memoryview"

STALE_S = 24 * 3600.0
"""Age in seconds after which the remains of a dead process are removed: far above any live write."""


@dataclass(frozen=True)
class StoredFile:
    """A file in a listing."""

    path: str
    """In the spelling that was asked: a listing of `~/data` says `~/data/a.parquet`."""
    size: int
    """Bytes."""
    modified: float | None = field(default=None, compare=False)
    """Seconds since the epoch, where the store knows."""


StoredFiles: TypeAlias = list[StoredFile]


class Storage(Protocol):
    """A store of files with exclusive creation and compare-and-swap; safe to call from many threads.

    A store that cannot tell its own lost write from another's says True where the content is the same: what two
    processes must not both believe to have written holds something random.

    What may pass (a network, a store that throttles) is tried again for a bounded time and then raised as an OSError.
    It is never told as a missing file, an empty listing or a lost race.
    """

    def keep_private(self, folder: str) -> None:
        """What is made from now on in a folder, and the folder itself, is for its owner alone, where rights are files'.

        A folder that is there keeps the rights that it has, and what is made in it gets them. An object store has no
        such rights: there, who may read is said by the bucket's policy.
        """

    def list(self, folder: str, *, recursive: bool = True, links: bool = True) -> StoredFiles:
        """The files below a folder, sorted by path, never from a cache; none when there is no such folder.

        Args:
            folder: where to look.
            recursive: whether files in sub-folders count; if not, sub-folders are not even looked into.
            links: whether symbolic links are followed. If not, neither they nor what lies behind them is shown, also
                where the folder itself is one: whoever lists in order to remove lists so.
        """

    def is_link(self, path: str) -> bool:
        """Whether there is a symbolic link: what lies behind it is not ours to remove."""

    def exists(self, path: str) -> bool:
        """Whether there is a file; a folder is none."""

    def read(self, path: str) -> bytes:
        """The whole content.

        Raises:
            FileNotFoundError: there is no such file.
        """

    def read_versioned(self, path: str) -> tuple[bytes, Version] | None:
        """The whole content with its version for `replace_if`, or None when there is no such file."""

    def create_new(self, path: str, data: Bytes) -> bool:
        """Create a file, folders above it included, unless it exists.

        After True, neither a kill nor a power cut loses the file; whoever sees it sees all of it.

        Returns:
            False when the file exists already; it is then left as it is.
        """

    def replace_if(self, path: str, data: Bytes, version: Version | None) -> bool:
        """Replace a file if its content is still that of `version`; None stands for "does not exist".

        Returns:
            False when somebody else was faster; the file is then left as it is. As durable as `create_new`.
        """

    def writing(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to be written piece by piece, without being held in memory, in the place of what was there.

        It is there as a whole, and as durable as after `create_new`, when the block has ended; where the block raises,
        nothing has changed. Only for names under which nobody else writes anything else.
        """

    def copy(self, source: str, target: str) -> None:
        """Have a file's content at another place, too, in the place of what was there; folders above it included.

        As whole and as durable as `create_new`; both files count as modified now. Nobody may write to the source any
        more, nor anything else to the target.

        Raises:
            FileNotFoundError: there is no source.
        """

    def delete(self, path: str) -> None:
        """Remove a file if it exists; durable with the next `create_new` in the same folder."""

    def sweep(self, folder: str) -> None:
        """Remove what dead processes left below a folder: day-old temporary files, empty sub-folders."""

    def open(self, path: str) -> pa.NativeFile:
        """A file for random access, as Parquet needs it; the caller closes it.

        Raises:
            FileNotFoundError: there is no such file.
        """

    def stamp(self, path: str, opened: pa.NativeFile) -> Version:
        """What changes with the content of a file, without reading it.

        Args:
            path: the file.
            opened: by `open`, and not closed. Where the store serves it as it was when it was opened, whatever lies
                there by now, it is that content's stamp; else that of what lies there now.

        Raises:
            FileNotFoundError: there is no such file any more.
        """

    def join(self, folder: str, *names: str) -> str:
        """A path below a folder."""

    def canonical(self, path: str) -> str:
        """The one spelling of a place, however it was written; two places are the same if these are equal.

        A place in a store of another kind comes back as it is.
        """

    def check_conditions(self, folder: str, *, field: str = "destination") -> None:
        """Make sure that the store can be used and keeps the promises of `create_new` and `replace_if`.

        Writes and removes a file below the folder, where that is the only way to find out.

        Args:
            folder: a state folder; a dataset's folder would show the file for a moment.
            field: what the user calls it, for the error.

        Raises:
            BadInput: it does not keep them; or it cannot be used, for a reason that no later try mends.
            OSError: it could not be reached.
        """
