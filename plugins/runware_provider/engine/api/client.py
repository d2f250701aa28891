"""One POST at a time to the API: bytes in, replies in the engine's words out.

Foreign exceptions are translated here and nowhere else: `NotSent` when the connection was never opened, so that
nothing can have been accepted, and `Lost` when it may have been.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast
from urllib.parse import urlsplit

import httpx

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.account import listed_models
from runware_provider.engine.api.connection_causes import Cause, cause_of
from runware_provider.engine.api.direct_transport import RIGHT, DirectTransport, RightLapsed
from runware_provider.engine.api.error_families import STEPS, Step, stop_for
from runware_provider.engine.api.proxies import host_and_port, proxy_for
from runware_provider.engine.api.redact import Redactor, texts_in, without_key
from runware_provider.engine.api.replies import decode, read_archive, read_poll, read_reply
from runware_provider.engine.api.reply_bytes import ACCEPTED, ReplyBroken, ReplyBytes, ReplyTooLarge
from runware_provider.engine.api.whole_time import CONNECTING, TookTooLong, within
from runware_provider.engine.endpoint import DEFAULT_BASE_URL
from runware_provider.engine.errors import BadInput, EngineError, KeyRefused, Unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.endpoint import Endpoint

Transport: TypeAlias = httpx.AsyncBaseTransport
"""Carries requests: a real network, or what a test puts in its place."""
FREE_TIMEOUT_S = 10.0
"""Seconds that a request which costs nothing may take, by default."""
_NO_LEASE = "this process has no lease"
BETWEEN = "If it stays so, check the base URL, and what lies between: a proxy or a load balancer."
"""What to do where what comes is not what the API would send."""
LONGEST_RETRY_AFTER_S = 1_000_000.0


class NotSent(EngineError):  # noqa: N818 - says what is known
    """The connection could not be opened: no task of this request can have been accepted.

    Args:
        reason: why, in some words.
        remedy: what to do about it, in a sentence; empty where nothing is known to help.
    """

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        self.remedy = remedy
        super().__init__(reason)


class Lost(EngineError):  # noqa: N818 - says what is known
    """The request may have arrived; no whole reply did.

    Args:
        reason: why, in some words.
        timed_out: whether it was given up for taking too long, or the reply for being too large, so that a smaller
            request may fare better.
        too_large: whether the API answered, with more than is taken.
        remedy: as of `NotSent`.
    """

    def __init__(self, reason: str, *, timed_out: bool, too_large: bool = False, remedy: str = "") -> None:
        self.timed_out = timed_out
        self.too_large = too_large
        self.remedy = remedy
        super().__init__(reason)


@dataclass(frozen=True)
class Received:
    """A reply, taken as a whole."""

    status_code: int
    content: bytes
    retry_after_s: float | None


class Client:
    """The connection to the API.

    Args:
        endpoint: base URL and key.
        connections: requests at once, at most.
        transport: for tests; a real network by default.
        may_send_s: seconds for which this process may still hand over tasks; 0 or less when it may not. For ever by
            default.
        undelivered_s: seconds after which the operating system gives up handing over what was written; None for its
            own measure.
        free_timeout_s: seconds that a request which costs nothing may take: for the key, the account, the price list.

    Raises:
        BadInput: the base URL or the key cannot be sent at all, or the environment names a proxy that cannot be used.
    """

    def __init__(  # noqa: PLR0913 - by keyword, each a fact of its own
        self,
        endpoint: Endpoint,
        *,
        connections: int = 4,
        transport: Transport | None = None,
        may_send_s: Callable[[], float] = lambda: math.inf,
        undelivered_s: float | None = None,
        free_timeout_s: float = FREE_TIMEOUT_S,
    ) -> None:
        check_endpoint(endpoint)
        self._endpoint = endpoint
        self._may_send_s = may_send_s
        self._free_timeout_s = free_timeout_s
        self._headers = httpx.Headers(
            {
                "Authorization": f"Bearer {_sendable(endpoint.key)}",
                "Content-Type": "application/json",
                "Accept-Encoding": ACCEPTED,
            }
        )
        proxy = _proxy_of(endpoint) if transport is None else None
        self._proxy = host_and_port(proxy) if proxy is not None else ""
        if transport is None:
            transport = DirectTransport(
                connections=connections,
                trusted=_trusted(),
                proxy=proxy,
                undelivered_s=undelivered_s,
            )
        self._transport = transport

    @property
    def base_url(self) -> str:
        """Where the API answers."""
        return self._endpoint.base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def post(self, content: bytes, timeout_s: float) -> Reply:
        """Send an array of textInference tasks, if this process may still do so when the connection stands.

        Raises:
            NotSent: nothing can have arrived.
            Lost: something may have arrived.
        """
        # It is looked at once more when the connection stands, directly before the request is written.
        if self._may_send_s() <= 0:
            raise NotSent(_NO_LEASE)
        response = await self._post(content, timeout_s, right_s=self._may_send_s)
        return read_reply(response.status_code, self._body(response), response.retry_after_s)

    async def ask(self, content: bytes, timeout_s: float) -> Reply:
        """Send an array of getResponse tasks; errors as for `post`."""
        response = await self._post(content, timeout_s)
        return read_poll(response.status_code, self._body(response), response.retry_after_s)

    async def look_up(self, content: bytes, timeout_s: float) -> Reply:
        """Send an array of getTaskDetails tasks; errors as for `post`."""
        response = await self._post(content, timeout_s)
        return read_archive(response.status_code, self._body(response))

    async def check_key(self) -> str:
        """Ask the API whether it takes the key; costs nothing.

        Raises:
            KeyRefused: it does not.
            Unreachable: there was no usable answer.
        """
        await self.asked_freely(request_bodies.authentication(_sendable(self._endpoint.key)))
        return f"{self._endpoint.base_url} takes the key"

    async def asked_freely(self, content: bytes) -> Received:
        """The reply to a request that costs nothing.

        Raises:
            JobStopped: the API refused it for what holds for all requests, such as the key.
            Unreachable: there was no usable answer.
        """
        try:
            response = await self._post(content, self._free_timeout_s)
        except (NotSent, Lost) as error:
            raise self.silent(error) from None
        reply = read_reply(response.status_code, self._body(response))
        redactor = self.redactor({})
        for told in reply.unnamed + tuple(reply.failures.values()):
            if STEPS[told.family] is Step.STOP:
                raise stop_for(told.family, redactor.code(told.code), redactor.said(told.message))
        self.check_status(response.status_code, readable=reply.readable)
        return response

    def silent(self, error: NotSent | Lost) -> Unreachable:
        """That there was no answer, and why."""
        return Unreachable(f"{self.base_url} did not answer: {error}", remedy=error.remedy or None)

    def check_status(self, status_code: int, *, readable: bool) -> None:
        """Refuse a status that the API would not give.

        Raises:
            KeyRefused: it says that the key is not taken.
            Unreachable: it says that there is no such API.
        """
        if status_code in {401, 403}:
            raise KeyRefused(f"the API answered HTTP {status_code}")
        if status_code == 404:
            raise Unreachable(
                f"{self._endpoint.base_url} answered HTTP 404: there is a server, but no API at this path. Check the"
                f" base URL; the vendor's is {DEFAULT_BASE_URL}"
            )
        if not readable or status_code >= 400:
            raise Unreachable(f"{self._endpoint.base_url} answered HTTP {status_code}, not as the API would")

    async def prices(self) -> dict[str, tuple[float, float]] | None:
        """USD per token in and out, by model; empty where the API names none, None where it did not answer now."""
        try:
            response = await self.listed()
        except (NotSent, Lost):
            return None
        if response.status_code == 429 or response.status_code >= 500:
            return None
        models = listed_models(decode(response.content))
        return {model.id: model.usd_per_token for model in models if model.usd_per_token is not None}

    async def listed(self) -> Received:
        """What `GET /models` answers; errors as for `post`."""
        url = self._endpoint.base_url.rstrip("/") + "/models"
        return await self._reply_to("GET", url, b"", self._free_timeout_s)

    def redactor(self, fields: Mapping[str, Any]) -> Redactor:
        """What knows which of the API's words may be shown, where these fields are in every request."""
        return Redactor(texts_in(fields), key=self._endpoint.key)

    def _body(self, response: Received) -> bytes:
        """What the API said, without the key: it is kept in the ledger and in rows."""
        return without_key(response.content, self._endpoint.key.strip())

    async def _post(
        self, content: bytes, timeout_s: float, *, right_s: Callable[[], float] | None = None
    ) -> Received:
        return await self._reply_to("POST", self._endpoint.base_url, content, timeout_s, right_s)

    async def _reply_to(
        self,
        method: str,
        url: str,
        content: bytes,
        timeout_s: float,
        right_s: Callable[[], float] | None = None,
    ) -> Received:
        timeout = httpx.Timeout(timeout_s, connect=CONNECTING * timeout_s)
        try:
            async with within(timeout_s):
                return await self._received(method, url, timeout, content, right_s)
        except RightLapsed:
            raise NotSent(_NO_LEASE) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            cause = self._cause(error)
            raise NotSent(cause.what, remedy=cause.remedy) from None
        except TookTooLong as error:
            raise Lost(str(error), timed_out=True) from None
        except httpx.TimeoutException as error:
            cause = self._cause(error)
            raise Lost(cause.what, timed_out=True, remedy=cause.remedy) from None
        except ReplyTooLarge as error:
            # A question about fewer tasks brings less.
            raise Lost(str(error), timed_out=True, too_large=error.is_answer) from None
        except ReplyBroken as error:
            raise Lost(str(error), timed_out=False, remedy=BETWEEN) from None
        except httpx.HTTPError as error:
            cause = self._cause(error)
            raise Lost(cause.what, timed_out=False, remedy=cause.remedy) from None

    def _cause(self, error: httpx.HTTPError) -> Cause:
        """Why there was no reply; the error's own text could quote a URL."""
        return cause_of(error, urlsplit(self._endpoint.base_url).netloc, self._proxy)

    async def _received(
        self,
        method: str,
        url: str,
        patience: httpx.Timeout,
        content: bytes = b"",
        right_s: Callable[[], float] | None = None,
    ) -> Received:
        """Send a request, and take no more of its reply than there is room for.

        Raises:
            RightLapsed: it may not be sent any more.
            httpx.HTTPError: as httpx tells it.
            ReplyTooLarge: the reply is too large.
            ReplyBroken: the reply cannot be unpacked.
        """
        extensions: dict[str, Any] = {"timeout": patience.as_dict()}
        if right_s is not None:
            extensions[RIGHT] = right_s
        request = httpx.Request(method, url, headers=self._headers, content=content, extensions=extensions)
        response = await self._transport.handle_async_request(request)
        try:
            # The bytes as they came: httpx would unpack a piece of a reply to whatever size it has.
            taken = ReplyBytes(response.headers.get("Content-Encoding", ""))
            async for piece in cast("httpx.AsyncByteStream", response.stream):
                taken.add(piece)
            body = taken.whole()
        except ReplyTooLarge as error:
            # The page of an error, or of another server, may be of any size, too, and answers nothing.
            error.is_answer = response.is_success and taken.begins_as_json
            raise
        finally:
            await response.aclose()
        return Received(response.status_code, body, _retry_after_s(response))


def check_endpoint(endpoint: Endpoint) -> None:
    """Refuse what no request could be sent to, or with.

    Raises:
        BadInput: the base URL cannot be read, or the key has letters that no header takes.
    """
    _sendable(endpoint.key)
    try:
        httpx.URL(endpoint.base_url)
        _ = urlsplit(endpoint.base_url).port  # which httpx would only miss when it connects
    except (httpx.InvalidURL, ValueError) as error:
        raise BadInput(
            "base URL", f"it cannot be read ({error})", "Write it like https://api.runware.ai/v1"
        ) from None


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom a connection trusts; reading all certificates takes 20 ms, so once a process."""
    return httpx.create_ssl_context()


def _sendable(key: str) -> str:
    """The key as a header takes it; the line end of the file that it came from is no part of it."""
    stripped = key.strip()
    if not all("!" <= letter <= "~" for letter in stripped):
        raise BadInput(
            "API key",
            "it has a blank, a line break or a letter that no key has",
            "Copy it again; it is one word of letters, digits and signs",
        )
    return stripped


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header; the date form is not worth a clock here."""
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(seconds, LONGEST_RETRY_AFTER_S) if seconds >= 0 else None


def _proxy_of(endpoint: Endpoint) -> str | None:
    """The proxy that requests go through.

    What this machine asks itself goes through none, which would read key and prompts: to this machine alone, plain http is
    let through.

    Raises:
        BadInput: the environment names one that cannot be used.
    """
    if endpoint.is_loopback:
        return None
    try:
        return proxy_for(endpoint.base_url)
    except ValueError as error:
        # The proxy's address may hold a password, so neither it nor the error's text is told.
        raise BadInput(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
            f"the proxy that the environment names cannot be used ({type(error).__name__})",
            "Write it like http://host:port, or unset it",
        ) from None
