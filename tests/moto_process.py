"""moto's server over a socket, as S3 or as Google Cloud Storage: `python -m tests.moto_process google`.

Of its own, moto looks whether a condition holds and writes later, and keeps what arrived of a client that died while it
sent; no store does either. So requests are taken whole, and one at a time.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TYPE_CHECKING

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.google.dialect import GoogleDialect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def one_at_a_time(application: WSGIApplication) -> WSGIApplication:
    """The application, asked by one whole request at a time."""
    alone = threading.Lock()

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:
            start_response("400 Bad Request", [])
            return []
        environ["wsgi.input"] = io.BytesIO(body)
        with alone:
            return [b"".join(application(environ, start_response))]

    return serve


def main() -> None:
    """Serve until the standard input ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = DomainDispatcherApplication(create_backend_app)
    spoken = GoogleDialect(moto) if sys.argv[1:] == ["google"] else moto
    server = make_server("127.0.0.1", 0, one_at_a_time(spoken), threaded=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
