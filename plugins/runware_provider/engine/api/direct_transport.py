"""Carries requests over aiohttp, in httpx's words: it raises httpx's errors (docs/decisions/0016).

It keeps a promise about money: what may be sent for so long only is looked at directly before it is written, is handed to
the operating system within that time, and goes nowhere if it was not.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from typing import TYPE_CHECKING

import aiohttp
import httpx
from aiohttp.payload import Payload

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from aiohttp.abc import AbstractStreamWriter

RIGHT = "right_to_send_s"
"""The extension of a request that says for how many seconds it may still be sent, whenever it is called; 0 or less where it
may not. A request without it may be sent at any time."""
LOOK_EVERY_S = 0.01
"""At what is not handed over yet, with TLS."""
_NOTHING_AFTER_DEATH = struct.pack("ii", 1, 0)
"""Of SO_LINGER: when a connection is closed, what was not handed over goes nowhere, also when the process was killed."""


class RightLapsed(httpx.TransportError):
    """The right to send a request had lapsed when it was to be written; nothing of it was."""


class DirectTransport(httpx.AsyncBaseTransport):
    """Connections to the API.

    Args:
        connections: requests at once, at most.
        trusted: whom a connection trusts.
        proxy: the address of the proxy to go through; None for none.
        undelivered_s: seconds after which the operating system gives up handing over what was written; None for its
            own measure.
    """

    def __init__(
        self,
        *,
        connections: int,
        trusted: ssl.SSLContext,
        proxy: str | None = None,
        undelivered_s: float | None = None,
    ) -> None:
        self._connections = connections
        self._trusted = trusted
        self._proxy = proxy
        self._undelivered_s = undelivered_s
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its reply is read from the stream of what is returned.

        Raises:
            RightLapsed: it may not be sent any more, and nothing was written.
            httpx.TransportError: nothing was written where it is a ConnectError, a ConnectTimeout or an
                UnsupportedProtocol.
        """
        body = _Body(request.content, request.extensions.get(RIGHT), self._undelivered_s)
        timeout = request.extensions.get("timeout", {})
        try:
            response = await self._opened().request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=body,
                # A redirect would take the key to wherever it leads.
                allow_redirects=False,
                # `connect` bounds the wait for a connection as a whole: names, each of several addresses, TLS.
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("connect"),
                    sock_connect=timeout.get("connect"),
                    sock_read=timeout.get("read"),
                ),
                proxy=self._proxy,
            )
        except (aiohttp.ClientError, OSError) as error:
            if body.lapsed:
                raise RightLapsed("the right to send it had lapsed") from error
            # aiohttp's errors are named like what brought them about, which alone says why.
            raise _as_httpx(error) from error.__cause__ or error
        return httpx.Response(
            response.status, headers=list(response.raw_headers), stream=_ReplyStream(response)
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session, which belongs to the event loop that it was made in."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._trusted),
                # The API knows a request by its key, and kept cookies would make each request larger.
                cookie_jar=aiohttp.DummyCookieJar(),
                # Whoever reads the reply bounds what it unpacks to.
                auto_decompress=False,
                # Neither a proxy nor a password of the environment but what was handed in.
                trust_env=False,
            )
        return self._session


class _Body(Payload):
    """What a request sends. aiohttp writes the headers along with it, and nothing before."""

    def __init__(
        self, content: bytes, left_s: Callable[[], float] | None, undelivered_s: float | None
    ) -> None:
        super().__init__(content, content_type="application/json")
        self._content = content
        self._size = len(content)
        self._left_s = left_s
        self._undelivered_s = undelivered_s
        self.lapsed = False
        """Whether the right to send it had lapsed, so that nothing was written."""

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Hand it over to the operating system as a whole, if it still may be sent.

        Raises:
            RightLapsed: it may not; nothing was written.
            httpx.WriteTimeout: it lapsed meanwhile; what was not handed over yet goes nowhere.
        """
        # Connecting takes its time, and a process may freeze: this is directly before the first byte is written.
        left_s = math.inf if self._left_s is None else self._left_s()
        if left_s <= 0:
            self.lapsed = True
            raise RightLapsed("nothing was written")
        transport = writer.transport
        if transport is None:  # closed meanwhile, as the writer will say
            await writer.write(self._content)
            return
        self._bound_delivery(transport.get_extra_info("socket"))
        below = _below_encryption(transport)
        try:
            async with asyncio.timeout(left_s if self._left_s is not None else None):
                await writer.write(self._content)
                await _handed_over(transport, below, writer)
        except BaseException:
            # To close it would go on handing over what still lies here.
            transport.abort()
            raise

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return it as text."""
        return self._content.decode(encoding, errors)

    def _bound_delivery(self, connection: socket.socket | None) -> None:
        """Nothing of what is written may arrive long after it was, or after this process has ended."""
        if connection is None or self._left_s is None or self._undelivered_s is None:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOTHING_AFTER_DEATH)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = int(1000 * self._undelivered_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _below_encryption(transport: asyncio.WriteTransport) -> asyncio.WriteTransport | None:
    """What carries the encrypted bytes of a connection; None for one without TLS. asyncio has no public way to it."""
    if transport.get_extra_info("ssl_object") is None:
        return None
    below: asyncio.WriteTransport = transport._ssl_protocol._transport  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return below


async def _handed_over(
    transport: asyncio.WriteTransport, below: asyncio.WriteTransport | None, writer: AbstractStreamWriter
) -> None:
    """Wait until the operating system has taken all that was written; until then it lies in this process."""
    if below is None:
        transport.set_write_buffer_limits(high=0)
        await writer.drain()
        return
    # With TLS `drain` counts only what is not encrypted yet, and with a limit of 0 it would wait for the reply.
    await writer.drain()
    while below.get_write_buffer_size():  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(LOOK_EVERY_S)


class _ReplyStream(httpx.AsyncByteStream):
    """The bytes of a reply as they come, packed or not."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise _as_httpx(error) from error.__cause__ or error

    async def aclose(self) -> None:
        # A connection whose reply was read to its end is used again, and is free already.
        if not self._response.content.at_eof():
            self._response.close()


_NOT_CONNECTED: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
)
"""What aiohttp raises before it writes anything, and in httpx's words."""
_CONNECTED: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (TimeoutError, httpx.ReadTimeout),
)
"""What it raises at any time."""


def _as_httpx(error: Exception) -> httpx.TransportError:
    """The same in httpx's words; its text could quote a URL, so it has none."""
    for theirs, ours in (*_NOT_CONNECTED, *_CONNECTED):
        if isinstance(error, theirs):
            return ours("")
    return httpx.ReadError("")
