"""A server that speaks S3, in a process of its own: moto's, which does check `If-None-Match` and `If-Match` on PUT.

It checks no signatures, and it ignores `If-None-Match` on a copy, as some real stores do.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import uuid
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION = "us-east-1"
KEY = "tests-key"
SECRET = "tests-secret"
PATIENCE_S = 60.0
"""A busy machine is no failed server."""

# Of its own, moto looks whether a condition holds and writes later, and keeps what arrived of a client that died
# while it sent; S3 does neither. It ends with its standard input, which the kernel closes when its parent dies.
_SERVE = """
import io, logging, sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
moto = DomainDispatcherApplication(create_backend_app)
alone = threading.Lock()

def serve(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    if len(body) < length:
        start_response("400 Bad Request", [])
        return []
    environ["wsgi.input"] = io.BytesIO(body)
    with alone:
        return [b"".join(moto(environ, start_response))]

server = make_server("127.0.0.1", 0, serve, threaded=True)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


class S3Server:
    """Runs from `with` to its end."""

    def __init__(self) -> None:
        self.endpoint_url = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._stack.callback(_end, process)
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdigit(), "the S3 server did not start"
        self.endpoint_url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def new_bucket(self) -> str:
        """The name of a fresh, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint_url}/{name}", timeout=PATIENCE_S, trust_env=False).raise_for_status()
        return name

    def options(self, *, endpoint: str | None = None) -> dict[str, str]:
        """What `open_storage` takes; `endpoint` is that of a proxy in front."""
        return {"key": KEY, "secret": SECRET, "region": REGION, "endpoint": endpoint or self.endpoint_url}

    def environment(self, *, endpoint: str | None = None) -> dict[str, str]:
        """The same as variables for a process of its own."""
        return environment_of(self.options(endpoint=endpoint))


def environment_of(options: Mapping[str, str]) -> dict[str, str]:
    """The variables that say the same as a store's options."""
    return {
        "AWS_ACCESS_KEY_ID": options["key"],
        "AWS_SECRET_ACCESS_KEY": options["secret"],
        "AWS_DEFAULT_REGION": options["region"],
        "AWS_ENDPOINT_URL": options["endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@cache
def shared_server() -> S3Server:
    """The one of this test process; a test takes a fresh bucket of it."""
    server = S3Server()
    server.__enter__()
    atexit.register(server.__exit__)
    return server


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(timeout=30)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
