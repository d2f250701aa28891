"""A real socket in front of a server of an object store that does to chosen requests what networks and stores do.

    with FaultProxy(server.endpoint_url) as proxy:
        proxy.add(LoseReply(), method="PUT", times=1)
        storage = open_storage(f"s3://{bucket}/x", options=server.options(endpoint=proxy.endpoint_url))

Host and signature pass through as the client made them; `seen` is what it asked for, in order. What a fault says itself,
a refusal or a listing, it says in S3's words, which are Google's too; Azure's refusals have the same form.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

CONDITIONS = frozenset({"if-match", "if-none-match", "x-goog-if-generation-match"})
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_STATUS = {
    401: ("AuthenticationRequired", "Unauthorized"),
    403: ("AccessDenied", "Forbidden"),
    409: ("ConditionalRequestConflict", "Conflict"),
    500: ("InternalError", "Internal Server Error"),
    405: ("MethodNotAllowed", "Method Not Allowed"),
    416: ("InvalidRange", "Range Not Satisfiable"),
    501: ("NotImplemented", "Not Implemented"),
    503: ("SlowDown", "Slow Down"),
}


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    target: str
    """Path and query, as they came."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    below: str = ""
    """What precedes the bucket in the path."""

    @property
    def bucket(self) -> str:
        return self._path.partition("/")[0]

    @property
    def key(self) -> str:
        return self._path.partition("/")[2]

    @property
    def _path(self) -> str:
        return unquote(urlsplit(self.target).path).removeprefix(self.below).lstrip("/")

    @property
    def query(self) -> dict[str, str]:
        parsed = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in parsed.items()}

    @property
    def is_listing(self) -> bool:
        asks = "list-type" in self.query or self.query.get("comp") == "list"
        return self.method == "GET" and not self.key and asks

    @property
    def is_conditional(self) -> bool:
        return any(name.lower() in CONDITIONS for name, _ in self.headers)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Seen:
    """A request with what came of it; `reply` is None when the connection was cut."""

    request: Request
    reply: Reply | None


class Fault(Protocol):
    """What is done to a request instead of passing it on."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        """What the client gets; None cuts its connection."""


class Refuse:
    """An error of the store, without asking it: 503 is its throttling, 501 a header that it does not know."""

    def __init__(self, status: int = 503, code: str = "", message: str = "as the test asked") -> None:
        self.status = status
        self.code = code or _STATUS[status][0]
        self.message = message

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:  # noqa: ARG002 - as the port has it
        body = f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        return Reply(self.status, (("Content-Type", "application/xml"),), body.encode())


class LoseReply:
    """The store does what was asked, and the connection is cut before its reply."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        proxy.forward(request)
        return None


class LoseRequest:
    """The connection is cut before the store hears of it."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:  # noqa: ARG002 - as the port has it
        return None


class CutBody:
    """The reply's body ends after some bytes, although its header promises all of them."""

    def __init__(self, after: int = 1) -> None:
        self.after = after

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        reply = proxy.forward(request)
        promised = ("Content-Length", str(len(reply.body)))
        return Reply(reply.status, (*reply.headers, promised), reply.body[: self.after])


class SendTwice:
    """Something on the way repeats the request; the client gets the second reply."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        proxy.forward(request)
        return proxy.forward(request)


class IgnoreConditions:
    """A store that knows no conditional writes and lets them pass."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        kept = tuple(pair for pair in request.headers if pair[0].lower() not in CONDITIONS)
        return proxy.forward(replace(request, headers=kept))


class SeemsEmpty:
    """To a HEAD, an object has no bytes yet."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        reply = proxy.forward(request)
        kept = tuple(pair for pair in reply.headers if pair[0].lower() != "content-length")
        return Reply(reply.status, (*kept, ("Content-Length", "0")), reply.body)


class Hold:
    """A reply that is slow: it waits until `release` is set, at most `seconds`."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self.reached = threading.Event()
        self.release = threading.Event()

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        reply = proxy.forward(request)
        self.reached.set()
        self.release.wait(self.seconds)
        return reply


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it."""

    key: str
    size: str
    etag: str
    modified: str


@dataclass
class StaleListing:
    """A listing that is not what the store holds.

    Args:
        frozen: the listing of an earlier moment (`FaultProxy.objects`), instead of today's.
        without_newest: how many of the objects written last are missing.
        with_deleted: whether objects that were deleted through the proxy are still in it.
        page: how many objects a page has at most; with nothing else, a listing that is right, in small pages.
    """

    frozen: Sequence[Listed] | None = None
    without_newest: int = 0
    with_deleted: bool = False
    page: int = 1000

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        view = {one.key: one for one in proxy.objects(request.bucket) if self.frozen is None}
        view |= {one.key: one for one in self.frozen or ()}
        if self.with_deleted:
            view = proxy.deleted(request.bucket) | view
        for key in proxy.newest(request.bucket, view, self.without_newest):
            del view[key]
        page = _page(request, sorted(view.values(), key=lambda one: one.key.encode()), self.page)
        return Reply(200, (("Content-Type", "application/xml"),), page)


class ForgetTheRest:
    """A listing that says that there is more, and not where it goes on."""

    def answer(self, proxy: FaultProxy, request: Request) -> Reply | None:
        reply = StaleListing(page=1).answer(proxy, request)
        if reply is None:
            return None
        body = re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", reply.body)
        return Reply(reply.status, reply.headers, body)


@dataclass
class Rule:
    """Which requests a fault meets; `skip` of them pass first, then it meets `times` (None: all)."""

    fault: Fault
    method: str | None
    key: re.Pattern[str]
    listing: bool
    conditional: bool | None
    skip: int
    times: int | None
    met: int = 0
    """How many requests it has met."""

    def meets(self, request: Request) -> bool:
        if self.method not in {None, request.method} or self.listing != request.is_listing:
            return False
        if self.conditional not in {None, request.is_conditional}:
            return False
        if not self.key.search(request.query.get("prefix", "") if self.listing else request.key):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.met >= self.times:
            return False
        self.met += 1
        return True


@dataclass
class FaultProxy:
    """Runs from `with` to its end; rules may be added and removed meanwhile, from any thread.

    Args:
        upstream: the server's URL.
        below: what precedes the bucket in the paths that it is asked for, such as Azure's account.
    """

    upstream: str
    below: str = ""
    endpoint_url: str = ""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._written: list[tuple[str, str]] = []
        self._deleted: dict[str, dict[str, Listed]] = {}
        address = urlsplit(self.upstream)
        self._address = (address.hostname or "", address.port or 80)

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="s3-proxy")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.cut_all()
        self._server.server_close()

    def add(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        key: str = "",
        conditional: bool | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Rule:
        """Do this to the requests that match; the first rule that meets a request has it.

        Args:
            fault: what is done. A `StaleListing` meets listings only.
            method: the HTTP method of requests for objects, any if None; `LIST` for listings instead.
            key: a regular expression that is found in the key, or in a listing's prefix.
            conditional: whether it must have an `If-None-Match` or `If-Match`; either if None.
            skip: how many matching requests pass first.
            times: how many are met then; all if None.
        """
        listing = isinstance(fault, StaleListing) or method == "LIST"
        rule = Rule(
            fault, None if listing else method, re.compile(key), listing, conditional, skip=skip, times=times
        )
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Pass everything on from now on."""
        with self._lock:
            self._rules.clear()

    def answer(self, request: Request) -> Reply | None:
        """What the client gets."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.meets(request)), None)
        reply = rule.fault.answer(self, request) if rule else self.forward(request)
        with self._lock:
            self.seen.append(Seen(request, reply))
        return reply

    def forward(self, request: Request) -> Reply:
        """Ask the server; remembers what was written and deleted."""
        if request.method == "DELETE" and request.key:
            self._remember_deleted(request)
        reply = self._send(request)
        if request.method == "PUT" and request.key and reply.status == 200:
            with self._lock:
                self._written.append((request.bucket, request.key))
        return reply

    def objects(self, bucket: str) -> list[Listed]:
        """What the server lists now, all of it."""
        found: list[Listed] = []
        token = ""
        while True:
            query = f"?list-type=2&encoding-type=url{token}"
            reply = self._send(Request("GET", f"/{bucket}{query}", (("Host", "127.0.0.1"),), b""))
            root = ET.fromstring(reply.body)  # noqa: S314 - our own server's
            found += [_listed(node) for node in root.iter(f"{_NAMESPACE}Contents")]
            following = root.findtext(f"{_NAMESPACE}NextContinuationToken")
            if not following:
                return found
            token = f"&continuation-token={quote(following, safe='')}"

    def deleted(self, bucket: str) -> dict[str, Listed]:
        """Objects that were deleted through this proxy, as they were."""
        with self._lock:
            return dict(self._deleted.get(bucket, {}))

    def newest(self, bucket: str, keys: dict[str, Listed], count: int) -> list[str]:
        """Of these keys, those written last through this proxy."""
        with self._lock:
            written = [key for where, key in self._written if where == bucket and key in keys]
        return list(dict.fromkeys(reversed(written)))[:count]

    def _remember_deleted(self, request: Request) -> None:
        known = next((one for one in self.objects(request.bucket) if one.key == request.key), None)
        if known is not None:
            with self._lock:
                self._deleted.setdefault(request.bucket, {})[known.key] = known

    def _send(self, request: Request) -> Reply:
        connection = HTTPConnection(*self._address, timeout=60)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            if request.body or request.method in {"PUT", "POST"}:
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            got = connection.getresponse()
            headers = tuple(
                (name, value) for name, value in got.getheaders() if name.lower() not in _HOP_BY_HOP
            )
            if request.method == "HEAD":
                headers = (*headers, ("Content-Length", got.getheader("Content-Length") or "0"))
            return Reply(got.status, headers, got.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def cut_all(self) -> None:
        """Clients keep connections open; their threads end with them."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy = self.server.proxy
        request = Request(self.command, self.path, tuple(self.headers.items()), body, proxy.below)
        reply = proxy.answer(request)
        self.close_connection = self.close_connection or reply is None
        if reply is not None:
            self._send(reply)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _handle  # noqa: N815 - the names that http.server calls

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        promised = next((value for name, value in reply.headers if name == "Content-Length"), None)
        for name, value in reply.headers:
            self.send_header(name, value)
        if promised is None:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        if promised is not None and self.command != "HEAD" and int(promised) > len(reply.body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Says nothing."""


def _listed(node: ET.Element) -> Listed:
    def text(name: str) -> str:
        return node.findtext(f"{_NAMESPACE}{name}") or ""

    return Listed(unquote(text("Key")), text("Size"), text("ETag"), text("LastModified"))


def _page(request: Request, objects: Sequence[Listed], most: int) -> bytes:
    """The answer to ListObjectsV2, of which one page has at most so many objects and folders."""
    query = request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = unquote(query.get("continuation-token", "")) or query.get("start-after", "")
    encoded = query.get("encoding-type") == "url"
    spell = quote if encoded else escape
    rows: dict[str, str] = {}
    for one in objects:
        if not one.key.startswith(prefix):
            continue
        folder, found, _ = one.key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        name = prefix + folder + delimiter if found else one.key
        if name > after:
            rows[name] = _folder_row(spell(name)) if found else _row(one, spell(one.key))
    names = list(rows)[: min(most, int(query.get("max-keys", "1000")))]
    more = len(names) < len(rows)
    token = f"<NextContinuationToken>{quote(names[-1], safe='')}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<ListBucketResult xmlns="{_NAMESPACE[1:-1]}"><Name>{request.bucket}</Name>'
        f"<Prefix>{spell(prefix)}</Prefix><KeyCount>{len(names)}</KeyCount>"
        f"{'<EncodingType>url</EncodingType>' if encoded else ''}<IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{token}{''.join(rows[name] for name in names)}</ListBucketResult>"
    ).encode()


def _row(one: Listed, spelled: str) -> str:
    return (
        f"<Contents><Key>{spelled}</Key><LastModified>{one.modified}</LastModified>"
        f"<ETag>{escape(one.etag)}</ETag><Size>{one.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _folder_row(spelled: str) -> str:
    return f"<CommonPrefixes><Prefix>{spelled}</Prefix></CommonPrefixes>"
