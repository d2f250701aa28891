"""One POST at a time to the API: httpx in, replies in the engine's words out.

Foreign exceptions are translated here and nowhere else: `NotSent` when the connection was never opened, so that
nothing can have been accepted, and `Lost` when it may have been.
"""

from __future__ import annotations

import math
import socket
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.connection_causes import Cause, cause_of
from runware_provider.engine.api.error_families import STEPS, Step, stop_for
from runware_provider.engine.api.redact import Redactor, texts_in, without_key
from runware_provider.engine.api.replies import read_archive, read_poll, read_reply
from runware_provider.engine.errors import BadInput, EngineError, KeyRefused, Unreachable
from runware_provider.engine.quiet_loggers import our_request, silence_about_us
from runware_provider.engine.spec import DEFAULT_BASE_URL

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.spec import Endpoint

_Trace: TypeAlias = "Callable[[str, Mapping[str, Any]], Awaitable[None]]"
Transport: TypeAlias = httpx.AsyncBaseTransport
"""Carries requests: a real network, or what a test puts in its place."""
CHECK_TIMEOUT_S = 10.0
_NO_LEASE = "this process has no lease"
LONGEST_RETRY_AFTER_S = 1_000_000.0
_NOTHING_AFTER_DEATH = struct.pack("ii", 1, 0)
"""Of SO_LINGER: when a connection is closed, what was not handed over goes nowhere, also when the process was killed."""

silence_about_us("httpx")


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
        timed_out: whether it was given up for taking too long, so that a smaller request may fare better.
        remedy: as of `NotSent`.
    """

    def __init__(self, reason: str, *, timed_out: bool, remedy: str = "") -> None:
        self.timed_out = timed_out
        self.remedy = remedy
        super().__init__(reason)


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

    Raises:
        BadInput: the base URL or the key cannot be sent at all.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connections: int = 4,
        transport: Transport | None = None,
        may_send_s: Callable[[], float] = lambda: math.inf,
        undelivered_s: float | None = None,
    ) -> None:
        check_endpoint(endpoint)
        self._endpoint = endpoint
        self._may_send_s = may_send_s
        self._undelivered_s = undelivered_s
        key = _sendable(endpoint.key)
        self._http = httpx.AsyncClient(
            headers={
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
            },
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            verify=_trusted(),
            transport=transport,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def post(self, content: bytes, timeout_s: float) -> Reply:
        """Send an array of textInference tasks, if this process may still do so when the connection stands.

        Raises:
            NotSent: nothing can have arrived.
            Lost: something may have arrived.
        """
        left_s = self._may_send_s()
        if left_s <= 0:
            raise NotSent(_NO_LEASE)
        response = await self._post(content, timeout_s, write_s=left_s, trace=self._check_lease)
        return read_reply(response.status_code, self._body(response), _retry_after_s(response))

    async def ask(self, content: bytes, timeout_s: float) -> Reply:
        """Send an array of getResponse tasks; errors as for `post`."""
        response = await self._post(content, timeout_s)
        return read_poll(response.status_code, self._body(response), _retry_after_s(response))

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
        try:
            key = _sendable(self._endpoint.key)
            response = await self._post(request_bodies.authentication(key), CHECK_TIMEOUT_S)
        except (NotSent, Lost) as error:
            reason = f"{self._endpoint.base_url} did not answer: {error}"
            raise Unreachable(reason, remedy=error.remedy or None) from None
        reply = read_reply(response.status_code, self._body(response))
        redactor = self.redactor({})
        for told in reply.unnamed + tuple(reply.failures.values()):
            if STEPS[told.family] is Step.STOP:
                raise stop_for(told.family, redactor.code(told.code), redactor.said(told.message))
        if response.status_code in {401, 403}:
            raise KeyRefused(f"the API answered HTTP {response.status_code}")
        if response.status_code == 404:
            raise Unreachable(
                f"{self._endpoint.base_url} answered HTTP 404: there is a server, but no API at this path. Check the"
                f" base URL; the vendor's is {DEFAULT_BASE_URL}"
            )
        if not reply.readable or response.status_code >= 400:
            raise Unreachable(
                f"{self._endpoint.base_url} answered HTTP {response.status_code}, not as the API would"
            )
        return f"{self._endpoint.base_url} takes the key"

    async def prices(self) -> dict[str, tuple[float, float]]:
        """USD per token in and out, by model; empty where the API does not say."""
        try:
            with our_request():
                response = await self._http.get(
                    self._endpoint.base_url.rstrip("/") + "/models", timeout=CHECK_TIMEOUT_S
                )
            listed = msgspec.json.decode(response.content)
        except (httpx.HTTPError, msgspec.DecodeError, UnicodeDecodeError):
            return {}
        held = listed.get("data") if isinstance(listed, dict) else listed
        found = {}
        for model in held if isinstance(held, list) else []:
            price = _price(model)
            if price is not None:
                found[str(model["id"])] = price
        return found

    def redactor(self, fields: Mapping[str, Any]) -> Redactor:
        """What knows which of the API's words may be shown, where these fields are in every request."""
        return Redactor(texts_in(fields), key=self._endpoint.key)

    def _body(self, response: httpx.Response) -> bytes:
        """What the API said, without the key: it is kept in the ledger and in rows."""
        return without_key(response.content, self._endpoint.key.strip())

    async def _check_lease(self, event: str, info: Mapping[str, Any]) -> None:
        """Look once more directly before a request is written: to connect takes its time, and a process may freeze.

        Args:
            event: what httpcore is about to do, or has done (its trace extension).
            info: the arguments, or what came of it.

        Raises:
            NotSent: this process may not send any more, and nothing was written.
            Lost: this process may not send any more, and a part was written.
        """
        if event.endswith("connect_tcp.complete"):
            self._bound_delivery(info["return_value"].get_extra_info("socket"))
        elif event.endswith("send_request_headers.started") and self._may_send_s() <= 0:
            raise NotSent(_NO_LEASE)
        elif event.endswith("send_request_body.started") and self._may_send_s() <= 0:
            raise Lost(_NO_LEASE, timed_out=False)

    def _bound_delivery(self, connection: socket.socket | None) -> None:
        """Nothing of what is written may arrive long after it was, or after this process has ended."""
        if connection is None or self._undelivered_s is None:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOTHING_AFTER_DEATH)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = int(1000 * self._undelivered_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    async def _post(
        self, content: bytes, timeout_s: float, *, write_s: float = math.inf, trace: _Trace | None = None
    ) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s, write=min(timeout_s, write_s), pool=None)
        try:
            with our_request():
                return await self._http.post(
                    self._endpoint.base_url,
                    content=content,
                    timeout=timeout,
                    extensions={} if trace is None else {"trace": trace},
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            cause = self._cause(error)
            raise NotSent(cause.what, remedy=cause.remedy) from None
        except httpx.TimeoutException as error:
            cause = self._cause(error)
            raise Lost(cause.what, timed_out=True, remedy=cause.remedy) from None
        except httpx.HTTPError as error:
            cause = self._cause(error)
            raise Lost(cause.what, timed_out=False, remedy=cause.remedy) from None

    def _cause(self, error: httpx.HTTPError) -> Cause:
        """Why there was no reply; the error's own text could quote a URL."""
        return cause_of(error, urlsplit(self._endpoint.base_url).netloc)


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


def _price(model: Any) -> tuple[float, float] | None:
    """USD per token from an entry of GET /models, whose numbers may be strings per token or per million."""
    try:
        pair = float(model["pricing"]["prompt"]), float(model["pricing"]["completion"])
        str(model["id"])
    except (KeyError, TypeError, ValueError):
        return None
    # No source shows the unit. No model costs a thousandth of a dollar per token, and none so little per million.
    return (pair[0] / 1e6, pair[1] / 1e6) if max(pair) >= 1e-3 else pair
