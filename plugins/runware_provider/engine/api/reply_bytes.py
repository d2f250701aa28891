"""How much of a reply is taken: its bytes once they are unpacked, and the values that they spell. Pure.

A reply of two megabytes can unpack to gigabytes, and a megabyte of brackets to a hundred of objects. Nothing that is asked
comes near these bounds, and where it should, a smaller request brings less.
"""

from __future__ import annotations

import zlib
from typing import Final

MOST_BYTES: Final = 32 * 2**20
"""Of a reply, unpacked."""
MOST_VALUES: Final = 2_000_000
"""Of a reply's JSON: brackets, braces and commas, also those within texts. Each takes a hundred bytes of memory or so."""
ACCEPTED: Final = "gzip"
"""What a request lets its reply be packed with, as its header Accept-Encoding: other kinds are not unpacked here."""
_UNPACKERS: Final = {"": None, "identity": None, "gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""By the header Content-Encoding, the window that zlib reads it with; 16 is gzip's frame."""


class ReplyTooLarge(ValueError):  # noqa: N818 - says what is the case
    """A reply is larger than anything that was asked for; the message says how."""


class ReplyBroken(ValueError):  # noqa: N818 - says what is the case
    """A reply cannot be unpacked."""


class ReplyBytes:
    """Takes a reply's body piece by piece.

    Args:
        packed_with: the header Content-Encoding.

    Raises:
        ReplyBroken: it is packed in a way that was not asked for.
    """

    def __init__(self, packed_with: str = "") -> None:
        name = packed_with.strip().lower()
        if name not in _UNPACKERS:
            raise ReplyBroken("a reply packed in a way that was not asked for")
        window = _UNPACKERS[name]
        self._unpacker = None if window is None else zlib.decompressobj(window)
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take what came.

        Raises:
            ReplyTooLarge: so much is not taken; no more than the bound was unpacked.
            ReplyBroken: it cannot be unpacked.
        """
        if self._unpacker is not None:
            try:
                # One byte more than there is room for shows that there is more.
                piece = self._unpacker.decompress(piece, MOST_BYTES - self._size + 1)
            except zlib.error:
                raise ReplyBroken("a reply that cannot be unpacked") from None
        self._size += len(piece)
        if self._size > MOST_BYTES:
            raise ReplyTooLarge(f"a reply of more than {MOST_BYTES // 2**20} MB")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        """Return the body.

        Raises:
            ReplyTooLarge: it spells more values than are read.
            ReplyBroken: it ends too early.
        """
        if self._unpacker is not None and self._pieces and not self._unpacker.eof:
            raise ReplyBroken("a reply that ends too early")
        content = b"".join(self._pieces)
        if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
            raise ReplyTooLarge(f"a reply of more than {MOST_VALUES:,} values")
        return content
