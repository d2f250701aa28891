"""Receivers of webhooks that tests talk to over sockets, what is said to them, and what they keep."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
import uvicorn

from runware_provider.engine.inbox.addresses import HookAddress
from runware_provider.engine.inbox.calls import Call, decoded, is_file_of_calls
from runware_provider.testing.api.server import listen
from runware_provider.web.__main__ import configuration_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from runware_provider.web.receiver import Receiver

PROJECT = Path(__file__).resolve().parents[1]
SECRET = b"the-secret-that-the-tests-sign-with"
INBOX = "0123456789abcdef0123456789abcdef"
LATER = 4_000_000_000
"""When the URLs of the tests expire, in seconds since the epoch."""
PATIENCE_S = 60.0


class _Thread(uvicorn.Server):
    """Says when it listens, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_there = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_there.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ServedReceiver:
    """A receiver in a thread of its own, on a free port, from `with` to its end."""

    def __init__(self, receiver: Receiver) -> None:
        self._listener = listen("127.0.0.1", 0)
        self._server = _Thread(configuration_of(receiver, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="receiver")

    @property
    def url(self) -> str:
        """Of the hook."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/runware/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._server.is_there.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._listener]))


class ReceiverProcess:
    """`python -m runware_provider.web` on a free port, or on the one that it had, which can be killed and started again.

    Args:
        environment: its whole environment.
        log: the file that gets what it says.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = {**environment, "PYTHONPATH": str(PROJECT / "plugins")}
        self._log = log
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Of the hook."""
        return f"http://127.0.0.1:{self._port}/runware/hook"

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Return when it listens."""
        command = [sys.executable, "-m", "runware_provider.web", "--port", str(self._port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=PROJECT
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        url = next((word.rstrip(",") for word in said.split() if word.startswith("http://")), None)
        assert url is not None, self._log.read_text(encoding="utf-8")
        self._port = urlsplit(url).port or 0

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


@dataclass
class Vendor:
    """Calls as the vendor does, with the URL that a job gave out for a task."""

    url: str
    secret: bytes = SECRET
    inbox: str = INBOX
    expires_at: int = LATER
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=PATIENCE_S))

    def address(self, task: str) -> str:
        """The URL that it was given for a task."""
        return HookAddress(self.url, self.inbox, self.secret).of(task, self.expires_at)

    def call(self, task: str, body: Any = None, **request: Any) -> httpx.Response:
        """Call for a task; unless a test says otherwise, with its answer."""
        content = json.dumps(answer(task) if body is None else body).encode()
        return self.client.post(self.address(task), **{"content": content, **request})


def answer(task: str, text: str = "An answer.") -> dict[str, Any]:
    """A finished item."""
    return {
        "taskType": "textInference",
        "taskUUID": task,
        "text": text,
        "finishReason": "stop",
        "cost": 0.0001,
        "status": "success",
    }


def kept(root: Path, inbox: str = INBOX) -> list[Call]:
    """The calls in an inbox, in the order of its files."""
    files = sorted(path for path in (root / inbox).glob("*") if is_file_of_calls(path.name))
    return [call for path in files for call in decoded(path.read_bytes(), str(path))]


def written(root: Path) -> list[Path]:
    """Whatever lies below the root of the inboxes."""
    return sorted(path for path in root.rglob("*") if path.is_file())
