"""The body of a request, never more of it than is allowed, and for no longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from runware_provider.web.room import Room

MOST_BYTES: Final = 8 * 2**20
"""The longest answer that the model page allows is 384K tokens, about 1.5 MB."""
READING_S: Final = 10.0


class TooLarge(Exception):  # noqa: N818 - it says what is the case
    """The body is larger than any answer."""


class TooSlow(Exception):  # noqa: N818 - it says what is the case
    """The body did not come in time, or its sender went away."""


async def read_body(scope: Scope, receive: Receive, room: Room, reading_s: float = READING_S) -> bytes:
    """The whole body; its size is taken from the room, and for the caller to give back.

    Args:
        scope: of the request.
        receive: gives the pieces.
        room: what all bodies together may take.
        reading_s: how long it may take, in seconds.

    Raises:
        TooLarge: by what its header says, or by what came.
        TooSlow: it is not there in time.
        NoRoom: too much else is held.
    """
    if _length_said(scope) > MOST_BYTES:
        raise TooLarge
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(reading_s):
            await _read_into(pieces, receive, room)
    except TimeoutError:
        room.give_back(_size(pieces))
        raise TooSlow from None
    except BaseException:
        room.give_back(_size(pieces))
        raise
    return b"".join(pieces)


async def _read_into(pieces: list[bytes], receive: Receive, room: Room) -> None:
    """What was taken from the room is always the size of the pieces."""
    left = MOST_BYTES
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise TooSlow
        piece = message.get("body", b"")
        left -= len(piece)
        if left < 0:
            raise TooLarge
        room.take(len(piece))
        pieces.append(piece)
        is_more = message.get("more_body", False)


def _length_said(scope: Scope) -> int:
    """What the header says; 0 where it says nothing that counts."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() else 0


def _size(pieces: list[bytes]) -> int:
    return sum(map(len, pieces))
