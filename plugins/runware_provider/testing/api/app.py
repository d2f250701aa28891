"""The local server's HTTP: routes, waiting for sync tasks, and what goes wrong on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from runware_provider.testing.api.errors import Refusal
from runware_provider.testing.api.faults import Fault, read_faults
from runware_provider.testing.api.reply import Reply, scripted_refusal
from runware_provider.testing.api.service import Service
from runware_provider.testing.api.streaming import COMMENT, MEDIA_TYPE, StreamResponse
from runware_provider.testing.api.visitors import NoPages
from runware_provider.testing.api.webhooks import WebhookSender

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from runware_provider.testing.api.connections import Connections
    from runware_provider.testing.api.state import State

_encode = msgspec.json.Encoder().encode
GZIP_FROM_BYTES = 16_384
GARBAGE = "<html><body>not what you asked for"


class Capacity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model has room for."""

    capacity: Annotated[int, msgspec.Meta(ge=1)]
    queue: Annotated[int, msgspec.Meta(ge=0)] | None = None


def build_app(state: State, connections: Connections) -> Starlette:
    """Put the API behind HTTP.

    Args:
        state: What the server remembers.
        connections: The open ones, for faults that cut them.
    """
    sender = WebhookSender(state)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with sender:
            yield

    local = _Local(state)
    tasks = _V1(state, sender, connections)
    routes = [
        Route("/v1", tasks, methods=["POST"]),
        Route("/v1/", tasks, methods=["POST"]),
        Route("/v1/models", local.models, methods=["GET"]),
        Route("/_local/bill", local.bill, methods=["GET"]),
        Route("/_local/faults", local.list_faults, methods=["GET"]),
        Route("/_local/faults", local.add_faults, methods=["POST"]),
        Route("/_local/faults", local.clear_faults, methods=["DELETE"]),
        Route("/_local/capacity", local.resize, methods=["POST"]),
        Route("/_local/reset", local.reset, methods=["POST"]),
    ]
    # The level 1 of gzip costs a tenth of the default 9 and saves nearly as much on JSON.
    gzip = Middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=1)
    no_pages = Middleware(NoPages, host=state.settings.host)
    return Starlette(routes=routes, middleware=[no_pages, gzip], lifespan=lifespan)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Encode a value as a JSON response."""
    return Response(_encode(value), status, dict(headers or {}), "application/json")


def bearer(headers: Mapping[str, str]) -> str | None:
    """Return the key of the ``Authorization: Bearer`` header, or None."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


class _Local:
    """What only the local server has: its bill and its faults. A key is asked for only by what forgets the bill."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def models(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        return json_response(
            {"object": "list", "data": [model.listing() for model in self._state.settings.models]}
        )

    async def bill(self, request: Request) -> Response:
        state = self._state
        short = request.query_params.get("summary", "") not in ("", "0", "false")
        return json_response(state.bill.summary() if short else state.bill.itemised(state.tasks))

    async def list_faults(self, _request: Request) -> Response:
        return json_response(self._state.faults.state())

    async def add_faults(self, request: Request) -> Response:
        try:
            faults = read_faults(await request.body())
        except msgspec.DecodeError as error:
            return json_response({"errors": [{"code": "invalidFault", "message": str(error)}]}, 400)
        self._state.faults.add(*faults)
        return json_response(self._state.faults.state())

    async def clear_faults(self, _request: Request) -> Response:
        self._state.faults.clear()
        return json_response([])

    async def resize(self, request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=Capacity)
        except msgspec.DecodeError as error:
            return json_response({"errors": [{"code": "invalidCapacity", "message": str(error)}]}, 400)
        self._state.resize(wanted.capacity, wanted.queue)
        return json_response({})

    async def reset(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        self._state.reset()
        return json_response({})

    def _refused(self, request: Request) -> Response | None:
        """The refusal of a request without the right key; None where it has it."""
        key = bearer(request.headers)
        if key == self._state.settings.key:
            return None
        code = "invalidApiKey" if key else "missingApiKey"
        return json_response({"errors": [Refusal(code, "The API key is not valid.", "apiKey").body()]}, 401)


class _V1:
    """``POST /v1``: an ASGI application, because some faults need the connection itself."""

    def __init__(
        self,
        state: State,
        sender: WebhookSender,
        connections: Connections,
    ) -> None:
        self._state = state
        self._service = Service(state)
        self._sender = sender
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self._state.bill.requests += 1
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        if self._connections.is_forgotten(
            tuple(scope["client"])
        ):  # its work would be billed to whoever comes now
            await self._cut(scope, receive)
            return
        faults = self._state.faults.of_request(body)
        let_go = "delay_request" in faults and await self._wait(faults["delay_request"].seconds)
        if let_go:  # the server was reset: the request's work would be billed to whoever comes now
            await self._cut(scope, receive)
        elif "refuse_request" in faults:
            await self._send(_scripted_response(faults["refuse_request"]), scope, receive, send)
        elif "cut_before_work" in faults:
            await self._cut(scope, receive)
        else:
            response = await self._work(request, body, faults)
            await self._reply(response, faults, scope, receive, send)

    async def _work(self, request: Request, body: bytes, faults: dict[str, Fault]) -> Response:
        limit = self._state.settings.max_bytes
        if limit is not None and len(body) > limit:
            refusal = Refusal("valueTooLong", f"The body may have at most {limit} bytes.")
            return json_response({"errors": [refusal.body()]}, 413)
        takes_streams = MEDIA_TYPE in request.headers.get("accept", "")
        reply = self._service.serve(body, bearer(request.headers), takes_streams=takes_streams)
        self._sender.schedule(reply.webhooks)
        if reply.streamed is not None:
            return StreamResponse(*reply.streamed, faults)
        if not await self._hold(reply):
            refusal = Refusal("requestTimeout", "The tasks are not done yet; poll them.")
            return json_response({"data": [], "errors": [refusal.body()]}, 504)
        value = reply.body(self._state.clock())
        _rearrange(value, faults)
        return json_response(value, reply.status)

    async def _hold(self, reply: Reply) -> bool:
        """Wait for the sync tasks; return whether they are done within the server's window."""
        clock = self._state.clock
        end = min(reply.until, clock() + self._state.settings.sync_window)
        while (rest := end - clock()) > 0:
            if await self._wait(rest):
                return False
        return clock() >= reply.until

    async def _wait(self, seconds: float) -> bool:
        """Wait, or until requests are let go; return whether they are."""
        let_go = self._state.let_go
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await let_go.wait()
        return let_go.is_set()

    async def _reply(
        self, response: Response, faults: dict[str, Fault], scope: Scope, receive: Receive, send: Send
    ) -> None:
        let_go = "delay_reply" in faults and await self._wait(faults["delay_reply"].seconds)
        if let_go or "cut_after_work" in faults:
            await self._cut(scope, receive)
        elif "fail_after_work" in faults:
            await self._send(_scripted_response(faults["fail_after_work"]), scope, receive, send)
        elif "dripping_reply" in faults:
            await self._drip(response, faults["dripping_reply"].seconds, scope, receive, send)
        elif "half_body" in faults:
            await self._send_half(response, scope, receive, send)
        elif "garbage_body" in faults:
            fault = faults["garbage_body"]
            await self._send(
                Response(fault.body or GARBAGE, 200, None, fault.content_type), scope, receive, send
            )
        else:
            await self._send(response, scope, receive, send)

    async def _send(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        self._state.bill.http_statuses[response.status_code] += 1
        if isinstance(response, StreamResponse):
            await self._stream(response, scope, receive, send)
        else:
            await response(scope, receive, send)

    async def _stream(self, response: StreamResponse, scope: Scope, receive: Receive, send: Send) -> None:
        """Send each event when it is due, and comments while there is nothing else to say."""
        headers = [header for header in response.raw_headers if header[0] != b"content-length"]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
        gone = asyncio.create_task(_disconnected(receive))
        is_told = await self._tell(response, gone, send)
        # Until the client has had enough, or the server is reset.
        while response.stalls and not gone.done():
            if await self._wait(self._state.settings.stream_keep_alive):
                break
        gone.cancel()
        if is_told and not response.is_cut and not response.stalls:
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._cut(scope, receive)

    async def _tell(self, response: StreamResponse, gone: asyncio.Task[None], send: Send) -> bool:
        """Send each event when it is due; whether somebody listened to all of them."""
        for due, event in response.timed():
            if not await self._keep_alive(due, gone, send):
                return False
            await send({"type": "http.response.body", "body": event, "more_body": True})
        return True

    async def _keep_alive(self, due: float, gone: asyncio.Task[None], send: Send) -> bool:
        """Wait until an event is due; whether somebody still listens then."""
        clock, every = self._state.clock, self._state.settings.stream_keep_alive
        while not gone.done() and (rest := due - clock()) > 0:
            if await self._wait(min(rest, every)):
                return False
            if due > clock():
                await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
        return not gone.done()

    async def _send_half(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        half = bytes(response.body)[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._cut(scope, receive)

    async def _drip(
        self, response: Response, seconds: float, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send blanks until the client has had enough, or the server is reset."""
        kept = [header for header in response.raw_headers if header[0] != b"content-length"]
        # Packed, the blanks would wait for company.
        headers = [*kept, (b"content-encoding", b"identity")]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        gone = asyncio.create_task(_disconnected(receive))
        while not gone.done() and not await self._wait(seconds):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
        gone.cancel()
        await self._cut(scope, receive)

    async def _cut(self, scope: Scope, receive: Receive) -> None:
        transport = self._connections.open.get(tuple(scope["client"]))
        if transport is not None:
            transport.close()
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _scripted_response(fault: Fault) -> Response:
    refusal = scripted_refusal(fault, "internalServerError")
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.body is not None:
        return Response(fault.body, refusal.status, headers, fault.content_type)
    return json_response({"data": [], "errors": [refusal.body()]}, refusal.status, headers)


def _rearrange(value: dict[str, Any], faults: Mapping[str, Fault]) -> None:
    if "duplicate_items" in faults:
        value["data"] = [item for item in value["data"] for _ in range(2)]
    if "unknown_item" in faults:
        value["data"].append(
            {"taskType": "textInference", "taskUUID": str(uuid.uuid4()), "status": "processing"}
        )
    if "shuffle_items" in faults:
        value["data"].reverse()


Clock = Callable[[], float]
