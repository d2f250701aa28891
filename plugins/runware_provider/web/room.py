"""How much of what came may be held in memory at once, read or waiting to be written."""

from __future__ import annotations

from typing import Final

MOST_CALLS: Final = 20_000
MOST_BYTES: Final = 256 * 2**20


class NoRoom(Exception):  # noqa: N818 - it says what is the case
    """So much is held already that this has to come again later."""


class Room:
    """Counts calls and bytes; of one event loop.

    Args:
        most_calls: that may wait to be written.
        most_bytes: of bodies, whether they are being read or wait.
    """

    def __init__(self, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._calls_left = most_calls
        self._bytes_left = most_bytes

    def take(self, size: int, *, calls: int = 0) -> None:
        """Have room for so many bytes and calls.

        Raises:
            NoRoom: nothing was taken.
        """
        if size > self._bytes_left or calls > self._calls_left:
            raise NoRoom
        self._bytes_left -= size
        self._calls_left -= calls

    def give_back(self, size: int, *, calls: int = 0) -> None:
        """Have done with what was taken."""
        self._bytes_left += size
        self._calls_left += calls
