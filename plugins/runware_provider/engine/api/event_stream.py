"""Events of a `text/event-stream`, out of bytes that come in pieces of any size. Pure.

As the standard has it (https://html.spec.whatwg.org/multipage/server-sent-events.html, "Interpreting an event stream"), so
far as an answer needs it: lines end with CR, LF or both, also where a piece ends between the two; one byte order mark before
the first line is no part of it; a line that begins with a colon is a comment; a blank after a field's colon is no part of its
value; several lines `data` make up one event. Fields other than `data` say nothing here.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS = b"\r\n"


class EventStream:
    """Takes a stream piece by piece. It keeps the event that has begun, and nothing that came before."""

    def __init__(self) -> None:
        self._line = bytearray()
        """What has come of a line without its end."""
        self._data: bytearray | None = None
        """What has come of an event's data, a line end behind each line; None where none has."""
        self._is_first_line = True
        self._ended_with_cr = False
        """The last piece did: a line feed that comes next belongs to the same line end."""

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return len(self._line) + (len(self._data) if self._data is not None else 0)

    def events(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that ends within this piece."""
        for line in self._lines(piece):
            data = self._ended_by(line)
            if data is not None:
                yield data

    def rest(self) -> bytes | None:
        """The data of an event whose blank line did not come before the stream's end; None where there is none.

        The standard drops it. Here it may be the word that the stream is whole, and only whoever reads it can tell.
        """
        if self._line:
            self._ended_by(self._without_mark(bytes(self._line)))
            self._line.clear()
        return self._ended_by(b"")

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end within this piece, without their ends."""
        if self._ended_with_cr and piece:
            piece = piece.removeprefix(b"\n")
            self._ended_with_cr = False
        if not piece:
            return
        self._ended_with_cr = piece.endswith(b"\r")
        self._line += piece
        # Of a long line, nothing is looked at until it ends: the time taken grows with its length alone.
        if b"\n" not in piece and b"\r" not in piece:
            return
        lines = bytes(self._line).splitlines(keepends=True)
        self._line.clear()
        if not lines[-1].endswith((b"\r", b"\n")):
            self._line += lines.pop()
        for line in lines:
            yield self._without_mark(line.rstrip(_ENDINGS))

    def _without_mark(self, line: bytes) -> bytes:
        if not self._is_first_line:
            return line
        self._is_first_line = False
        return line.removeprefix(BOM_UTF8)

    def _ended_by(self, line: bytes) -> bytes | None:
        """Take a line; the data of the event that it ends, None where it ends none."""
        if not line:
            data, self._data = self._data, None
            return bytes(data[:-1]) if data is not None else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data = self._data if self._data is not None else bytearray()
            self._data += value.removeprefix(b" ") + b"\n"
        return None
