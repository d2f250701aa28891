"""Random reads from an object, by ranges."""

from __future__ import annotations

import errno
import io
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from runware_provider.engine.storage.object_client import Content, ObjectClient
    from runware_provider.engine.storage.port import Version

TAIL_BYTES: Final = 1 << 16
"""Fetched when a file is opened: Parquet's footer is at the end, and mostly smaller than this."""
BLOCK_BYTES: Final = 1 << 18
"""Short reads fetch this much, because the next ones are mostly beside it."""
BLOCKS: Final = 16
"""How many of them are kept: columns are read in turns, each at its own place."""


class ObjectReader(io.RawIOBase):
    """An object as it was when it was opened; not safe to use from two threads at once.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: it cannot be read, or was replaced meanwhile.
    """

    def __init__(self, client: ObjectClient, key: str, path: str) -> None:
        super().__init__()
        self._client = client
        self._key = key
        self._path = path
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        tail = self._tail()
        self.size, self._version, self._end = tail.size, tail.version, tail.data
        self._end_start = self.size - len(self._end)

    @property
    def version(self) -> Version:
        """Of the object, under which all of it is read."""
        return self._version

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "cannot seek before the start", self._path)
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._between(self._position, min(self._position + len(view), self.size))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _between(self, start: int, stop: int) -> bytes:
        if start >= stop:
            return b""
        if start >= self._end_start:
            return self._end[start - self._end_start : stop - self._end_start]
        if stop - start >= BLOCK_BYTES:
            return self._fetch(start, stop)
        first = start // BLOCK_BYTES
        held = b"".join(self._block(number) for number in range(first, (stop - 1) // BLOCK_BYTES + 1))
        return held[start - first * BLOCK_BYTES : stop - first * BLOCK_BYTES]

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        start = number * BLOCK_BYTES
        block = self._fetch(start, min(start + BLOCK_BYTES, self.size))
        self._blocks[number] = block
        if len(self._blocks) > BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _fetch(self, start: int, stop: int) -> bytes:
        try:
            data = self._client.get(self._key, self._path, span=(start, stop), version=self._version).data
        except (FileExistsError, FileNotFoundError):
            raise OSError(errno.ESTALE, "was replaced while it was read", self._path) from None
        if len(data) == self.size != stop - start:
            data = data[start:stop]  # a store that ignores ranges
        if len(data) != stop - start:
            raise OSError(errno.EIO, "the store gave another range than it was asked for", self._path)
        return data

    def _tail(self) -> Content:
        try:
            return self._client.tail(self._key, self._path, TAIL_BYTES)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        return self._client.get(self._key, self._path)  # an empty object has no range
