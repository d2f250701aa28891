"""Receivers of what an Airflow tells of itself: real sockets on this machine."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

WATCHING = Path(__file__).parents[1] / ".watching"
"""Where make installs what listens to Airflow: clients of StatsD and OpenLineage."""
_LOOK_S = 0.05


class Statsd:
    """A StatsD server that keeps what it is sent."""

    host = "127.0.0.1"

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.host, 0))
        self._socket.settimeout(_LOOK_S)
        self.port = int(self._socket.getsockname()[1])
        self._lines: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.received()
        self._socket.close()

    def _receive(self) -> None:
        while True:
            try:
                self._lines += self._socket.recv(65_536).decode().splitlines()
            except TimeoutError:
                # Once the socket has nothing more.
                if self._end.is_set():
                    return

    def received(self) -> list[str]:
        """All lines; from now on it listens no more."""
        self._end.set()
        self._thread.join()
        return list(self._lines)


class Spans:
    """A collector of OpenTelemetry, over HTTP, that keeps the spans it is sent."""

    def __enter__(self) -> Self:
        spans: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._spans = spans
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def received(self) -> list[dict[str, Any]]:
        """All spans so far: name, kind, ids, attributes and status."""
        return list(self._spans)


def _spans(request: ExportTraceServiceRequest) -> Iterable[dict[str, Any]]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "scope": scope.scope.name,
                    "name": span.name,
                    "kind": span.kind,
                    "span_id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "attributes": {each.key: _value(each.value) for each in span.attributes},
                    "failed": span.status.code == 2,
                }


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
