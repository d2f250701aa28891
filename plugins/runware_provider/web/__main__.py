"""`python -m runware_provider.web`: the receiver of webhooks alone, for who exposes nothing else of Airflow.

It reads `RUNWARE_WEBHOOK_INBOX` and `RUNWARE_WEBHOOK_SECRETS`, and needs no Airflow.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING, Final

import uvicorn

from runware_provider.engine.errors import BadInput
from runware_provider.engine.inbox.settings import VARIABLES, inbox_from_text, secrets_from_text, texts_in
from runware_provider.web.inbox_files import InboxFiles
from runware_provider.web.receiver import LAST_SEGMENT, Receiver

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.storage.stores import Stores

GRACE_S: Final = 10
"""Which requests under way have at the end: longer than a call waits for the store."""
KEEP_ALIVE_S: Final = 75
"""Of a connection without a request: longer than the 60 s after which proxies close theirs, lest a call meets a closed one."""
BAD_INPUT: Final = 1
PACKAGE: Final = "runware_provider"


class _Announced(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(  # noqa: T201 - the line that whoever started it waits for
                f"Webhooks are taken on http://{shown}:{port}{LAST_SEGMENT}, whatever the path before. Stop with Ctrl-C.",
                flush=True,
            )


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    options = parser().parse_args(arguments)
    # Libraries say nothing below a warning, whatever is wished: some tell whole requests, with what is in them.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger(PACKAGE).setLevel(options.log_level.upper())
    try:
        receiver = receiver_of(environment)
    except BadInput as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201 - what a command line says
        return BAD_INPUT
    _Announced(configuration_of(receiver, options.host, options.port)).run()
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m runware_provider.web", description="Receives the webhooks of Runware's API."
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument(
        "--port", type=int, default=8790, help="port to listen on; 0 takes a free one (default: %(default)s)"
    )
    made.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="of its own log"
    )
    return made


def receiver_of(environment: Mapping[str, str]) -> Receiver:
    """The receiver that an environment describes.

    Raises:
        BadInput: inbox or secrets are missing, or are none.
    """
    _, inbox, secrets = texts_in(environment)
    files = InboxFiles(inbox_from_text(inbox, VARIABLES.inbox), _stores)
    return Receiver(secrets_from_text(secrets, VARIABLES.secrets), files.write)


def configuration_of(receiver: Receiver, host: str, port: int) -> uvicorn.Config:
    """How it is served: without an access log, which would show URLs."""
    return uvicorn.Config(
        receiver,
        host=host,
        port=port,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def _stores() -> Stores:
    from runware_provider.engine.storage.stores import Stores  # noqa: PLC0415 - heavy, and not needed to start

    return Stores()


if __name__ == "__main__":
    sys.exit(main())
