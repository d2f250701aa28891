"""How much of a reply is taken: its bytes once they are unpacked, and the values that they spell. Pure.

A reply of two megabytes can unpack to gigabytes, and a megabyte of brackets to a hundred of objects. Nothing that is asked
comes near these bounds, and where it should, a smaller request brings less.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES: Final = 32 * 2**20
"""Of a reply, unpacked."""
MOST_VALUES: Final = 2_000_000
"""Of a reply's JSON: brackets, braces and commas, also those within texts. Each takes a hundred bytes of memory or so."""
ACCEPTED: Final = "gzip"
"""What a request lets its reply be packed with, as its header Accept-Encoding."""
SHOWN: Final = 40
"""Characters of a header that a message repeats."""
MOST_MEMBERS: Final = 10_000
"""Bodies that are packed each for itself and make up one reply: each costs a look at the rest."""
_GZIP: Final = zlib.MAX_WBITS | 16
_GZIP_SIGN: Final = b"\x1f\x8b"
_SIGN_BYTES: Final = 2
_BEGINNING: Final = 64
_TOO_MANY_BYTES: Final = f"a reply of more than {MOST_BYTES // 2**20} MB"
_TOO_MANY_STREAMED: Final = "a stream of more bytes than any answer has"


class ReplyTooLarge(ValueError):  # noqa: N818 - says what is the case
    """A reply is larger than anything that was asked for; the message says how."""

    is_answer = False
    """Whether it came as an answer, and not as an error: who knows its status says so."""


class ReplyBroken(ValueError):  # noqa: N818 - says what is the case
    """A reply cannot be unpacked."""


class ReplyBytes:
    """Takes a reply's body piece by piece.

    Args:
        packed_with: the header Content-Encoding.

    Raises:
        ReplyBroken: it is packed in a way that is not unpacked here.
    """

    def __init__(self, packed_with: str = "") -> None:
        self._unpacker = _unpacker(packed_with)
        self._pieces: list[bytes] = []
        self._came = self._size = 0
        self._beginning = b""

    @property
    def begins_as_json(self) -> bool:
        """Whether it may be what an API says; known from the first bytes on."""
        return self._beginning.lstrip()[:1] in {b"{", b"["}

    def add(self, piece: bytes) -> None:
        """Take what came.

        Raises:
            ReplyTooLarge: so much is not taken; no more than the bound was unpacked.
            ReplyBroken: it cannot be unpacked.
        """
        self._came += len(piece)
        if self._came > MOST_BYTES:
            raise ReplyTooLarge(_TOO_MANY_BYTES)
        if self._unpacker is not None:
            # One byte more than there is room for shows that there is more.
            piece = self._unpacker.unpacked(piece, MOST_BYTES - self._size + 1)
        self._size += len(piece)
        if len(self._beginning) < _BEGINNING:
            self._beginning += piece[:_BEGINNING]
        if self._size > MOST_BYTES:
            raise ReplyTooLarge(_TOO_MANY_BYTES)
        self._pieces.append(piece)

    def whole(self) -> bytes:
        """Return the body.

        Raises:
            ReplyTooLarge: it spells more values than are read.
            ReplyBroken: it ends too early.
        """
        if self._unpacker is not None and self._unpacker.is_unfinished:
            raise ReplyBroken("a reply that ends too early")
        content = b"".join(self._pieces)
        check_values(content)
        return content


class StreamUnpacker:
    """Unpacks a body whose pieces are read as they come, and are not kept.

    Args:
        packed_with: the header Content-Encoding.
        most: bytes that are taken, packed or not.

    Raises:
        ReplyBroken: it is packed in a way that is not unpacked here.
    """

    def __init__(self, packed_with: str, *, most: int) -> None:
        self._unpacker = _unpacker(packed_with)
        self._room = most

    def unpacked(self, piece: bytes) -> bytes:
        """What a piece unpacks to; `MOST_BYTES` at most, so that a small piece takes no more memory than a reply may.

        Raises:
            ReplyTooLarge: so much is not taken.
            ReplyBroken: it cannot be unpacked.
        """
        if self._unpacker is not None:
            # One byte more than there is room for shows that there is more.
            piece = self._unpacker.unpacked(piece, min(MOST_BYTES, self._room) + 1)
        self._room -= len(piece)
        if self._room < 0 or len(piece) > MOST_BYTES:
            raise ReplyTooLarge(_TOO_MANY_STREAMED)
        return piece


def check_values(content: bytes) -> None:
    """Refuse JSON that would take too much memory once it is read.

    Raises:
        ReplyTooLarge: it spells more values than are read.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ReplyTooLarge(f"a reply of more than {MOST_VALUES:,} values")


class _Unpacker:
    """Unpacks what is packed by one of zlib's methods.

    Args:
        window_of: what to read it with, by its first two bytes.
        sign: what a further packed body begins with that is a part of the same; nothing where there are none.
    """

    def __init__(self, window_of: Callable[[bytes], int], *, sign: bytes = b"") -> None:
        self._window_of = window_of
        self._sign = sign
        self._waiting = b""
        self._member: zlib._Decompress | None = None
        self._members = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether there is more to come."""
        return bool(self._waiting) or (self._member is not None and not self._member.eof)

    def unpacked(self, packed: bytes, most: int) -> bytes:
        """The next bytes, so many at most.

        Raises:
            ReplyBroken: it cannot be unpacked.
        """
        rest, parts = self._waiting + packed, []
        self._waiting = b""
        while rest and most > 0:
            if self._is_at_end(rest):
                break
            # The first two bytes say how the rest is to be read.
            if self._member is None and len(rest) < _SIGN_BYTES:
                self._waiting = rest
                break
            part, rest = self._of_one_member(rest, most)
            parts.append(part)
            most -= len(part)
        return b"".join(parts)

    def _is_at_end(self, packed: bytes) -> bool:
        """Whether what follows is none of the body: as everybody does, it is passed over."""
        if self._member is None or not self._member.eof:
            return False
        if not self._sign or not packed.startswith(self._sign[: len(packed)]):
            self._sign = b""
            return True
        self._member = None
        return False

    def _of_one_member(self, packed: bytes, most: int) -> tuple[bytes, bytes]:
        """What is unpacked of a member, and what follows behind its end."""
        try:
            if self._member is None:
                self._member = zlib.decompressobj(self._window_of(packed[:_SIGN_BYTES]))
                self._members += 1
            part = self._member.decompress(packed, most)
        except zlib.error:
            raise ReplyBroken("a reply that cannot be unpacked") from None
        if self._members > MOST_MEMBERS:
            raise ReplyBroken(f"a reply packed in more than {MOST_MEMBERS:,} pieces")
        return part, self._member.unused_data


def _unpacker(packed_with: str) -> _Unpacker | None:
    """What unpacks a body with this header; None where it is not packed.

    Raises:
        ReplyBroken: nothing here does.
    """
    names = [name.strip().lower() for name in packed_with.split(",")]
    packings = [name for name in names if name not in {"", "identity"}]
    if not packings:
        return None
    if packings in (["gzip"], ["x-gzip"]):
        return _Unpacker(lambda _: _GZIP, sign=_GZIP_SIGN)
    if packings == ["deflate"]:
        return _Unpacker(_window_of_deflate)
    shown = ", ".join(packings)[:SHOWN]
    raise ReplyBroken(f"a reply packed with {shown}, where only {ACCEPTED} was asked for")


def _window_of_deflate(beginning: bytes) -> int:
    """Of zlib's frame, which the name stands for, or without one, as some servers send it."""
    has_frame = beginning[0] & 0x0F == 8 and int.from_bytes(beginning, "big") % 31 == 0
    return zlib.MAX_WBITS if has_frame else -zlib.MAX_WBITS
