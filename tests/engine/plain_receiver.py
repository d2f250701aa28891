"""A receiver of webhooks with nothing but the rules of the inbox, that a test can hold up, deafen and look at."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from runware_provider.engine.api.replies import read_call
from runware_provider.engine.inbox.addresses import claim
from runware_provider.engine.inbox.calls import Call, encoded, file_name
from runware_provider.engine.inbox.settings import WebhookSettings
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = b"a secret of the tests that is long enough for one"


@dataclass
class PlainReceiver:
    """Listens while it is entered; each call is a file of its own.

    Args:
        root: of all inboxes.
        status: of every call that is not taken; None to take them.
        gate: waited for before a call is written.
        on_call: called with each body.
        clock: seconds since the epoch, by which a URL expires.
    """

    root: Path
    status: int | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    on_call: Callable[[bytes], None] = lambda _body: None
    clock: Callable[[], float] = time.time
    taken: list[str] = field(default_factory=list)
    """UUIDs, as often as they came."""

    def __post_init__(self) -> None:
        self.gate.set()
        self._numbers = itertools.count()
        self._name = secrets.token_hex(8)
        self._storage = LocalStorage()

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(urlsplit(self.path).query.encode(), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> WebhookSettings:
        port = self._server.server_address[1]
        return WebhookSettings(f"http://127.0.0.1:{port}/runware/hook", str(self.root), (SECRET,))

    def environment(self) -> dict[str, str]:
        settings = self.settings
        return {
            "RUNWARE_WEBHOOK_URL": settings.public_url,
            "RUNWARE_WEBHOOK_INBOX": settings.inbox,
            "RUNWARE_WEBHOOK_SECRETS": SECRET.decode(),
        }

    def take(self, query: bytes, body: bytes) -> int:
        if self.status is not None:
            return self.status
        self.gate.wait()
        self.on_call(body)
        said = claim(query)
        named = read_call(body).task_uuids
        if said is None or not said.holds_for(named, [SECRET], self.clock()):
            return 404
        self.taken += named
        self.put(said.inbox, body)
        return 204

    def put(self, inbox: str, *bodies: bytes) -> None:
        """Write a file of calls."""
        now_ms = int(time.time() * 1000)
        path = self.root / inbox / file_name(now_ms, self._name, next(self._numbers))
        assert self._storage.create_new(str(path), encoded([Call(now_ms, body) for body in bodies]))

    def files(self) -> list[Path]:
        """All that wait."""
        return sorted(self.root.rglob("*.inbox"))
