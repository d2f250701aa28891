"""Takes the vendor's calls: an ASGI application that lets in what proves itself, and says 204 when it is durable.

The contract's section 6 says what comes: one POST for each finished task, an answer within 5 s, repeated for some time,
no signature. Who has no proof learns nothing of jobs and inboxes, and nothing is written for him.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runware_provider.engine.inbox.addresses import claim
from runware_provider.engine.inbox.calls import Call
from runware_provider.engine.plain_text import printable
from runware_provider.web.body import READING_S, TooLarge, TooSlow, read_body
from runware_provider.web.group_commit import GroupCommit
from runware_provider.web.judging import status_unless_kept
from runware_provider.web.room import MOST_BYTES, MOST_CALLS, NoRoom, Room
from runware_provider.web.seldom import Seldom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from runware_provider.engine.inbox.addresses import Claim

LAST_SEGMENT: Final = "/hook"
"""Of the path; what stands before it is the mount's and the proxy's."""
MOST_QUERY_BYTES: Final = 1_000
WRITING_S: Final = 4.5
"""After which the answer is 503: the vendor waits for about 5 s."""
LONG_BYTES: Final = 256 * 1024
"""From which on a body is read in a thread: eight megabytes that are made for it take a second."""
_MOST_REMARK_CHARS: Final = 300
_LOG: Final = logging.getLogger(__name__)

_NO_PROOF: Final = (
    "A call was refused with 404, as nothing proved that it is the vendor's: it is forged or expired, or a job signs with a"
    " secret that this receiver does not know"
)
_NO_STORE: Final = "The inbox could not be written in time, and the call was refused with 503: the vendor repeats it, or the job asks"
_NO_ROOM: Final = (
    "A call was refused with 503, as too many wait already: the vendor repeats it, or the job asks"
)


@dataclass(frozen=True)
class Bounds:
    """What the receiver never goes beyond."""

    reading_s: float = READING_S
    """Seconds that the body of a request may take."""
    writing_s: float = WRITING_S
    """Seconds that a call waits until it is durable."""
    waiting_calls: int = MOST_CALLS
    """Calls that wait at once."""
    held_bytes: int = MOST_BYTES
    """Bytes of all bodies that are being read or wait."""


_USUAL: Final = Bounds()


class Receiver:
    """The application; of one event loop.

    Args:
        secrets: each of which may have signed. Without any, it is closed.
        write: makes calls for an inbox durable; called in threads.
        clock: seconds since the epoch.
        bounds: in time and memory.
    """

    def __init__(
        self,
        secrets: Sequence[bytes],
        write: Callable[[str, Sequence[Call]], None],
        *,
        clock: Callable[[], float] = time.time,
        bounds: Bounds = _USUAL,
    ) -> None:
        self._secrets = tuple(secrets)
        self._room = Room(bounds.waiting_calls, bounds.held_bytes)
        self._commits = GroupCommit(write, self._room)
        self._clock = clock
        self._bounds = bounds
        self._seldom = Seldom(_LOG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI says; alone, the beginning and the end of the server too."""
        if scope["type"] == "http":
            await _answer(send, await self._status_of(scope, receive))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._commits.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _status_of(self, scope: Scope, receive: Receive) -> int:
        """What a request is answered with, once all is done."""
        if not self._secrets or not scope["path"].endswith(LAST_SEGMENT):
            return 404
        if scope["method"] != "POST":
            return 405
        said = self._claim_of(scope)
        # Not even its body is read.
        if said is None:
            return self._unproven()
        return await self._status_of_claim(said, scope, receive)

    async def _status_of_claim(self, said: Claim, scope: Scope, receive: Receive) -> int:
        try:
            return await self._received(said, scope, receive)
        except TooLarge:
            return 413
        except TooSlow:
            return 408
        except NoRoom:
            self._seldom.warn(_NO_ROOM)
            return 503

    def _claim_of(self, scope: Scope) -> Claim | None:
        """What the query says, if it may still count."""
        query = scope["query_string"]
        said = claim(query) if len(query) <= MOST_QUERY_BYTES else None
        return said if said is not None and self._clock() < said.expires_at else None

    async def _received(self, said: Claim, scope: Scope, receive: Receive) -> int:
        at_ms = int(self._clock() * 1000)
        body = await read_body(scope, receive, self._room, self._bounds.reading_s)
        try:
            status = await self._judged(said, body)
        finally:
            # Whoever waits to be written is counted by the group commit.
            self._room.give_back(len(body))
        if status == 404:
            return self._unproven()
        return await self._kept(said.inbox, Call(at_ms, body)) if status is None else status

    async def _judged(self, said: Claim, body: bytes) -> int | None:
        """As `status_unless_kept`; what may take long holds up nobody else."""
        if len(body) < LONG_BYTES:
            return status_unless_kept(said, body, self._secrets, self._clock())
        return await asyncio.to_thread(status_unless_kept, said, body, self._secrets, self._clock())

    async def _kept(self, inbox: str, call: Call) -> int:
        try:
            async with asyncio.timeout(self._bounds.writing_s) as bound:
                await self._commits.keep(inbox, call)
        except NoRoom:
            raise
        # Whatever a store raises: what is not durable is not acknowledged.
        except Exception as error:  # noqa: BLE001 - see above
            # Too late, it is still written if the store comes back: the repetition is then a duplicate.
            late = f"not within {self._bounds.writing_s:g} s"
            remark = late if bound.expired() else f"{type(error).__name__}: {error}"
            self._seldom.warn(_NO_STORE, printable(remark, _MOST_REMARK_CHARS))
            return 503
        return 204

    def _unproven(self) -> int:
        self._seldom.warn(_NO_PROOF)
        return 404


async def _answer(send: Send, status: int) -> None:
    headers = [(b"content-length", b"0")] if status != 204 else []
    if status == 405:
        headers.append((b"allow", b"POST"))
    # What is left of the body is not waited for.
    if status in {408, 413}:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
